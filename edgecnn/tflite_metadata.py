"""Put named blobs into a ``.tflite`` file and leave every byte that the converter wrote as it is.

Parsing a model and writing it anew would move, drop or re-align what the tool at hand does not know. It is not needed:
offsets in a FlatBuffer only point forward, from where they stand to what they mean. So a new beginning is put in front
of the old file:

=========================  ===========================================================================================
root offset, ``TFL3``      as every model starts
mark, length               ``EDGECNN1`` and the length of this beginning, so that it can be found and taken off again
Model table                the old one's fields, each pointing forward to the object in the old file that it pointed to
buffers vector             pointers to all old buffers, then to the new ones: old buffer numbers stay valid
metadata vector            pointers to the old entries except those replaced, then to the new ones
new entries, new buffers   the blobs, each starting at a multiple of 16
the old file               unchanged; only its first 8 bytes and the parts replaced above are no longer reached
=========================  ===========================================================================================

The beginning is a multiple of 16 bytes long, so that whatever was aligned in the old file still is: TFLite aligns
constants to 16 bytes, and kernels count on it. Embedding again takes the earlier beginning off first, so a file
grows by one beginning, however often it is written.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace

from edgecnn.errors import EdgecnnError
from firmware_export.flatbuffer import Reader, Table
from firmware_export.schema import FILE_IDENTIFIER
from firmware_export.tflite import read_model

MARK = b"EDGECNN1"
ALIGNMENT = 16

# Slots of the schema's tables, in the order of schema.fbs.
_MODEL_SUBGRAPHS, _MODEL_BUFFERS, _MODEL_METADATA, _MODEL_SLOTS = 2, 4, 6, 10
_SUBGRAPH_TENSORS, _SUBGRAPH_OPERATORS = 0, 3
_TENSOR_BUFFER = 2
_OPERATOR_LARGE_OPTIONS = 9
_BUFFER_DATA, _BUFFER_OFFSET = 0, 1


def embed(model: bytes, name: str, payload: bytes) -> bytes:
    """Add a metadata entry, or replace the one of that name.

    Args:
        model: A whole ``.tflite`` file; the result of an earlier ``embed`` too.
        name: The entry's name.
        payload: Its bytes; ``read_model(...).metadata[name]`` gives them back.

    Returns:
        The new file. It ends with the converter's file, byte for byte.

    Raises:
        ModelError: ``model`` is no model that can be read.
        EdgecnnError: It keeps data behind the flatbuffer, as only files beyond 2 GB do, or fields of a newer schema.
    """
    original, entries = _split(model)
    entries[name] = payload
    return _beginning(original, entries)


def unshared(model: bytes) -> bytes:
    """The same model in which no two constants share a buffer, so that one can be changed without the other.

    Converters store constants of the same bytes once: two biases that are all zero, for instance. Every further tensor
    gets a copy, in a new beginning of the file.

    Args:
        model: A whole ``.tflite`` file with one subgraph.

    Returns:
        The new file; ``model`` itself where nothing is shared.

    Raises:
        ModelError, EdgecnnError: As ``embed``.
    """
    original, entries = _split(model)
    root = Reader(original, "model").root()
    buffers = root.tables(_MODEL_BUFFERS, "buffers", "buffer")
    subgraph = root.tables(_MODEL_SUBGRAPHS, "subgraphs", "subgraph")[0]
    patched, copies, seen = bytearray(original), list[bytes](), set[int]()
    for tensor in subgraph.tables(_SUBGRAPH_TENSORS, "tensors", "tensor"):
        place = tensor.locate(_TENSOR_BUFFER, 4, "buffer")
        number = tensor.integer(_TENSOR_BUFFER, "I", 0, "buffer")
        content = buffers[number].blob(_BUFFER_DATA, "data")
        if place is None or not content:
            continue
        if number in seen:
            patched[place : place + 4] = struct.pack("<I", len(buffers) + len(copies))
            copies.append(content)
        seen.add(number)
    if not copies:
        return model
    # Without the mark: what stands behind this beginning cannot be read without it.
    whole = _beginning(bytes(patched), {}, copies, mark=bytes(len(MARK)))
    for name, payload in entries.items():
        whole = embed(whole, name, payload)
    return whole


def _split(model: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The converter's file, and the entries that earlier calls of ``embed`` put in front of it."""
    graph = read_model(model)
    if model[8:16] != MARK:
        return model, {}
    length = int.from_bytes(model[16:20], "little")
    if length % ALIGNMENT or model[length + 4 : length + 8] != FILE_IDENTIFIER:
        return model, {}
    original = read_model(model[length:])
    if replace(original, metadata=graph.metadata) != graph:
        return model, {}    # the mark is there by accident, or the file was edited: nothing to take off
    own = {name: blob for name, blob in graph.metadata.items() if original.metadata.get(name) != blob}
    return model[length:], own


def _beginning(
    original: bytes, entries: dict[str, bytes], more: Sequence[bytes] = (), mark: bytes = MARK
) -> bytes:
    """``original`` with a beginning in front of it that is a multiple of ``ALIGNMENT`` long.

    Args:
        original: A model, whose tensors may refer to the buffers in ``more``.
        entries: Metadata by name; their buffers come behind the model's own.
        more: Buffers that come behind those.
        mark: What the beginning is known by.
    """
    root = Reader(original, "model").root()
    _refuse_unmovable(root)
    buffers = [table.position for table in root.tables(_MODEL_BUFFERS, "buffers", "buffer")]
    kept = [
        table.position
        for table in root.tables(_MODEL_METADATA, "metadata", "metadata entry")
        if table.text(0, "name") not in entries
    ]
    # A link says: the 4 bytes at this place point to that place; "old" places count from the start of the old file.
    out = bytearray(8) + mark + bytes(4)
    out[4:8] = FILE_IDENTIFIER
    old_links: list[tuple[int, int]] = []

    table, fields = _model_table(out, root)
    _link(out, 0, table)
    for slot, place in fields.items():
        if slot == 0:
            out[place : place + 4] = struct.pack("<I", root.integer(0, "I", 0, "version"))
        elif slot not in (_MODEL_BUFFERS, _MODEL_METADATA):
            stored = root.locate(slot, 4, f"field {slot}")
            if stored is not None:
                old_links.append((place, root.reader.follow(stored, f"field {slot}")))

    vector, buffer_places = _vector(out, len(buffers) + len(entries) + len(more))
    _link(out, fields[_MODEL_BUFFERS], vector)
    vector, entry_places = _vector(out, len(kept) + len(entries))
    _link(out, fields[_MODEL_METADATA], vector)
    old_links += zip(buffer_places, buffers, strict=False)    # the places left over are for the new ones
    old_links += zip(entry_places, kept, strict=False)
    for number, (name, payload) in enumerate(entries.items()):
        buffer = len(buffers) + number
        _entry(out, entry_places[len(kept) + number], name, buffer)
        _buffer(out, buffer_places[buffer], payload)
    for place, payload in zip(buffer_places[len(buffers) + len(entries) :], more, strict=True):
        _buffer(out, place, payload)

    out += bytes(-len(out) % ALIGNMENT)
    out[16:20] = struct.pack("<I", len(out))
    for place, target in old_links:
        _link(out, place, len(out) + target)
    return bytes(out) + original


def _refuse_unmovable(root: Table) -> None:
    """Refuse what would not survive a shift: absolute positions, and fields whose kind is not known."""
    if any(root.fields[_MODEL_SLOTS:]):
        raise EdgecnnError("cannot embed metadata: the model was written with a newer schema than edgecnn knows.")
    buffers = root.tables(_MODEL_BUFFERS, "buffers", "buffer")
    outside = any(buffer.integer(_BUFFER_OFFSET, "Q", 0, "offset") > 1 for buffer in buffers)
    for subgraph in root.tables(_MODEL_SUBGRAPHS, "subgraphs", "subgraph"):
        for operator in subgraph.tables(_SUBGRAPH_OPERATORS, "operators", "node"):
            outside |= operator.integer(_OPERATOR_LARGE_OPTIONS, "Q", 0, "large custom options") > 1
    if outside:
        raise EdgecnnError(
            "cannot embed metadata: the model keeps data behind its flatbuffer, at fixed positions in the file. "
            "Supported: models below 2 GB as TFLiteConverter writes them."
        )


def _model_table(out: bytearray, root: Table) -> tuple[int, dict[int, int]]:
    """Room for a Model table: its place, and the place of each field that it has."""
    slots = {slot for slot, offset in enumerate(root.fields) if offset} | {_MODEL_BUFFERS, _MODEL_METADATA}
    return _table(out, sorted(slots))


def _table(out: bytearray, slots: list[int]) -> tuple[int, dict[int, int]]:
    """Room for a table of 4-byte fields, its vtable before it."""
    vtable = len(out)
    offsets = [0] * (max(slots) + 1)
    for number, slot in enumerate(slots):
        offsets[slot] = 4 + 4 * number
    out += struct.pack(f"<HH{len(offsets)}H", 4 + 2 * len(offsets), 4 + 4 * len(slots), *offsets)
    out += bytes(-len(out) % 4)
    table = len(out)
    out += struct.pack("<i", table - vtable) + bytes(4 * len(slots))
    return table, {slot: table + offsets[slot] for slot in slots}


def _vector(out: bytearray, count: int) -> tuple[int, list[int]]:
    """Room for a vector of pointers: its place, and the place of each element."""
    place = len(out)
    out += struct.pack("<I", count) + bytes(4 * count)
    return place, [place + 4 + 4 * index for index in range(count)]


def _entry(out: bytearray, place: int, name: str, buffer: int) -> None:
    """A Metadata table that ``place`` points to."""
    table, fields = _table(out, [0, 1])
    _link(out, place, table)
    out[fields[1] : fields[1] + 4] = struct.pack("<I", buffer)
    _link(out, fields[0], len(out))
    text = name.encode()
    out += struct.pack("<I", len(text)) + text + b"\0"
    out += bytes(-len(out) % 4)


def _buffer(out: bytearray, place: int, payload: bytes) -> None:
    """A Buffer table that ``place`` points to, its data at a multiple of ``ALIGNMENT``."""
    table, fields = _table(out, [0])
    _link(out, place, table)
    out += bytes(-(len(out) + 4) % ALIGNMENT)
    _link(out, fields[0], len(out))
    out += struct.pack("<I", len(payload)) + payload
    out += bytes(-len(out) % 4)


def _link(out: bytearray, place: int, target: int) -> None:
    out[place : place + 4] = struct.pack("<I", target - place)
