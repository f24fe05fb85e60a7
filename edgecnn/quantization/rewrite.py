"""Other numbers in an int8 ``.tflite``: scales, zero points and constants exchanged where they stand.

The file that the converter wrote stays as it is but for these numbers, so whatever could run it still can: no operator,
shape or offset moves. Only where two constants share their bytes does one of them get a place of its own.

In the schema a scale is a float32 and a zero point an int64, in vectors of as many elements as a tensor has scales; a
constant is a vector of bytes in a buffer (``schema.fbs``: QuantizationParameters, Buffer).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from edgecnn.errors import EdgecnnError
from edgecnn.tflite_metadata import unshared
from firmware_export.flatbuffer import Reader, Table
from firmware_export.graph import Quant

# Slots of the schema's tables, in the order of schema.fbs.
_SUBGRAPHS, _BUFFERS, _TENSORS = 2, 4, 0
_TENSOR_BUFFER, _TENSOR_QUANTIZATION = 2, 4
_SCALE, _ZERO_POINT = 2, 3
_BUFFER_DATA = 0


def rewritten(model: bytes, quants: Mapping[int, Quant], constants: Mapping[int, bytes]) -> bytes:
    """The file with other numbers.

    Args:
        model: A ``.tflite`` with one subgraph.
        quants: Tensor index to its new scales and zero points, as many as it has.
        constants: Tensor index to its new bytes, as many as it has.

    Returns:
        A file of the same length, longer where shared constants had to be parted.

    Raises:
        EdgecnnError: A tensor has no place for what it should get, has another number of elements, or shares its scales
            with a tensor that should get others.
    """
    found = _written(model, quants, constants) or _written(unshared(model), quants, constants)
    if found is None:
        raise EdgecnnError(
            "two tensors of the model share their scales in the file, and should now have different ones. "
            "Convert the model anew with TFLiteConverter, which shares none."
        )
    return found


def _written(model: bytes, quants: Mapping[int, Quant], constants: Mapping[int, bytes]) -> bytes | None:
    """The changed file; None where one place should get two contents."""
    reader = Reader(model, "model")
    root = reader.root()
    tensors = root.tables(_SUBGRAPHS, "subgraphs", "subgraph")[0].tables(_TENSORS, "tensors", "tensor")
    buffers = root.tables(_BUFFERS, "buffers", "buffer")
    out, written = bytearray(model), dict[int, bytes]()
    for place, content in _changes(tensors, buffers, quants, constants):
        if written.setdefault(place, content) != content:
            return None
        out[place : place + len(content)] = content
    return bytes(out)


def _changes(
    tensors: tuple[Table, ...],
    buffers: tuple[Table, ...],
    quants: Mapping[int, Quant],
    constants: Mapping[int, bytes],
) -> Iterator[tuple[int, bytes]]:
    """Where to write what."""
    for index, quant in quants.items():
        parameters = tensors[index].table(_TENSOR_QUANTIZATION, "quantization")
        if parameters is None:
            raise EdgecnnError(f"tensor {index} of the model is not quantized, so it has no place for a scale.")
        count = len(quant.scale)
        yield _vector(parameters, _SCALE, "scale", count, 4), struct.pack(f"<{count}f", *quant.scale)
        yield _vector(parameters, _ZERO_POINT, "zero point", count, 8), struct.pack(f"<{count}q", *quant.zero_point)
    for index, content in constants.items():
        buffer = buffers[tensors[index].integer(_TENSOR_BUFFER, "I", 0, "buffer")]
        yield _vector(buffer, _BUFFER_DATA, "data", len(content), 1), content


def _vector(table: Table, slot: int, name: str, count: int, item: int) -> int:
    """The first byte of a vector that must have ``count`` elements."""
    stored = table.locate(slot, 4, name)
    if stored is None:
        raise EdgecnnError(f"{table.where} has no {name} in the file, so there is no place for another one.")
    start = table.reader.follow(stored, name)
    found = table.reader.u32(start, name)
    if found != count:
        raise EdgecnnError(f"{table.where}: {name} has {found} elements in the file, not {count}.")
    table.reader.need(start + 4, count * item, name)
    return start + 4
