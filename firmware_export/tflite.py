"""A ``.tflite`` file to a ``Graph``, without trust in a single byte of it.

What is checked here is that the file is well-formed: every offset, count, index and size fits the others, and that
every value is written before it is read. Whether an operator or a type can be compiled is for later stages
to say.

Not read: signature definitions (the subgraph's own inputs and outputs say the same), attributes of custom
operators, and the debug information of newer converters.
"""

from __future__ import annotations

import math
from typing import cast

from firmware_export import schema
from firmware_export.errors import ModelError
from firmware_export.flatbuffer import Reader, Table
from firmware_export.graph import (
    ABSENT,
    DTYPE_BITS,
    Graph,
    Node,
    OptionValue,
    Quant,
    Tensor,
    printable,
    short_name,
    verify,
)

MAX_RANK = 16
"""TFLite's own kernels stop at 8 dimensions; a shape beyond this is damage."""

MAX_OPERANDS = 65_536
"""More inputs or outputs than any node or network has."""

LONGEST_OPERATOR = 200
"""Characters in the name of a custom operator: it stands in messages."""


def read_model(data: bytes, name: str = "model") -> Graph:
    """Read a model.

    Args:
        data: The whole file.
        name: What messages and the graph call it, such as the file's name.

    Returns:
        The graph of the file's one subgraph. Attributes that the file leaves out have the schema's defaults.

    Raises:
        ModelError: The file is no TFLite model, is truncated or damaged, or uses a form that is not supported: several
            subgraphs, sparse constants, data in other files, quantization other than affine.
    """
    reader = Reader(data, name)
    if len(data) < 8 or data[4:8] != schema.FILE_IDENTIFIER:
        found = "is empty" if not data else f"starts with the bytes {data[:8].hex(' ')}"
        raise ModelError(
            f"{name}: not a TFLite model: it {found}, and a model has {schema.FILE_IDENTIFIER.decode()} at byte 4. "
            "Give a .tflite file as TFLiteConverter writes it."
        )
    model = reader.root()
    version = model.integer(0, "I", 0, "version")
    if version != schema.SCHEMA_VERSION:
        raise reader.fail(
            "schema version",
            f"found {version}, supported is {schema.SCHEMA_VERSION}. Convert again with a current TensorFlow.",
        )
    buffers = _Buffers(model.tables(4, "buffers", "buffer"))
    codes = [_operator_code(table) for table in model.tables(1, "operator codes", "operator code")]
    subgraphs = model.tables(2, "subgraphs", "subgraph")
    if len(subgraphs) != 1:
        raise reader.fail(
            "subgraphs",
            f"found {len(subgraphs)}, supported is one. Control flow (IF, WHILE, CALL_ONCE) makes more: "
            "build the model without it.",
        )
    return _subgraph(subgraphs[0], name, model, codes, buffers)


def _subgraph(
    table: Table, name: str, model: Table, codes: list[tuple[str, int, bool]], buffers: _Buffers
) -> Graph:
    tensors = tuple(
        _tensor(index, entry, buffers) for index, entry in enumerate(table.tables(0, "tensors", "tensor"))
    )
    nodes = tuple(
        _node(index, entry, codes, len(tensors)) for index, entry in enumerate(table.tables(3, "operators", "node"))
    )
    graph = Graph(
        name=name,
        description=printable(model.text(3, "description")),
        tensors=tensors,
        nodes=nodes,
        inputs=_indices(table, 1, "inputs", len(tensors)),
        outputs=_indices(table, 2, "outputs", len(tensors)),
        metadata=_metadata(model, buffers),
    )
    verify(graph)
    return graph


class _Buffers:
    """The file's blobs, each read once however many tensors share it."""

    def __init__(self, tables: tuple[Table, ...]) -> None:
        self._tables = tables
        self._read: dict[int, bytes | None] = {}

    def get(self, index: int, where: Table) -> bytes | None:
        """The blob, or None when it holds nothing.

        Args:
            index: Its number in the file.
            where: Who asks, for messages.
        """
        if index >= len(self._tables):
            raise where.reader.corrupt(where.where, f"it uses buffer {index}, the file has {len(self._tables)}")
        if index not in self._read:
            self._read[index] = self._fetch(self._tables[index]) or None
        return self._read[index]

    def _fetch(self, table: Table) -> bytes | None:
        data = table.blob(0, "data")
        # Files past 2 GB keep blobs behind the flatbuffer; 0 and 1 mean "not used" (schema.fbs, table Buffer).
        offset, size = table.integer(1, "Q", 0, "offset"), table.integer(2, "Q", 0, "size")
        if offset <= 1 or size <= 1:
            return data
        if data:
            raise table.reader.corrupt(table.where, "it has data both inside and outside the flatbuffer")
        return table.reader.take(offset, size, f"{table.where}: data outside the flatbuffer")


def _operator_code(table: Table) -> tuple[str, int, bool]:
    """Name, version, and whether it is a custom operator."""
    # Codes up to 127 once lived in one byte; newer files set both fields, and the larger one counts
    # (tensorflow/compiler/mlir/lite/schema/schema_utils.cc, GetBuiltinCode).
    code = max(table.integer(0, "b", 0, "deprecated builtin code"), table.integer(3, "i", 0, "builtin code"))
    version = table.integer(2, "i", 1, "version")
    if not 0 <= code < len(schema.BUILTIN_OPERATORS):
        raise table.reader.fail(
            table.where, f"builtin operator {code} is not known (known: 0 to {len(schema.BUILTIN_OPERATORS) - 1})"
        )
    if code != schema.CUSTOM_CODE:
        return schema.BUILTIN_OPERATORS[code], version, False
    custom = printable(table.text(1, "custom code"))
    if not 0 < len(custom) <= LONGEST_OPERATOR:
        raise table.reader.corrupt(table.where, f"a custom operator with a name of {len(custom)} characters")
    return custom, version, True


def _tensor(index: int, table: Table, buffers: _Buffers) -> Tensor:
    name = table.text(3, "name")
    table = table.named(f"tensor {index} {short_name(name)!r}" if name else f"tensor {index}")
    reader = table.reader
    shape = table.integers(0, "i", "shape", MAX_RANK) or ()
    signature = table.integers(7, "i", "shape signature", MAX_RANK) or shape
    if any(dimension < 0 for dimension in shape):
        raise reader.fail(f"{table.where}: shape", f"found {list(shape)}; sizes must not be negative")
    if len(signature) != len(shape) or any(dimension < -1 for dimension in signature):
        raise reader.corrupt(f"{table.where}: shape signature", f"{list(signature)} does not fit shape {list(shape)}")
    code = table.integer(1, "b", 0, "type")
    if not 0 <= code < len(schema.TENSOR_TYPES):
        raise reader.fail(table.where, f"element type {code} is not known (known: 0 to {len(schema.TENSOR_TYPES) - 1})")
    if table.table(6, "sparsity") is not None:
        raise reader.fail(table.where, "sparse constants are not supported: convert without sparsity.")
    if table.integer(10, "I", 0, "external buffer"):
        raise reader.fail(table.where, "its data lies in another file, which is not supported")
    tensor = Tensor(
        index=index,
        name=name,
        shape=shape,
        shape_signature=signature,
        dtype=schema.TENSOR_TYPES[code],
        quant=_quant(table, shape),
        data=buffers.get(table.integer(2, "I", 0, "buffer"), table),
        is_variable=bool(table.integer(5, "?", 0, "is variable")),
    )
    if tensor.data is not None and tensor.dtype in DTYPE_BITS and len(tensor.data) != tensor.nbytes:
        raise reader.corrupt(
            table.where, f"its buffer has {len(tensor.data)} bytes, {tensor.dtype} {list(shape)} needs {tensor.nbytes}"
        )
    return tensor


def _quant(table: Table, shape: tuple[int, ...]) -> Quant | None:
    quant = table.table(4, "quantization")
    if quant is None:
        return None
    reader, where = table.reader, f"{table.where}: quantization"
    if details := quant.integer(4, "B", 0, "details type"):
        raise reader.fail(where, f"details of type {details} are not supported (supported: scale and zero point)")
    longest = max(1, *shape) if shape else 1
    scale = quant.numbers(2, "f", "scale", longest) or ()
    zero_point = quant.integers(3, "q", "zero point", longest) or ()
    if not scale:
        return None    # only a recorded range, or nothing at all: TFLite takes it so too
    if len(scale) != len(zero_point):
        raise reader.corrupt(where, f"{len(scale)} scales and {len(zero_point)} zero points")
    if not all(math.isfinite(value) and value >= 0 for value in scale):
        raise reader.corrupt(where, "a scale is negative or not a number")
    axis = quant.integer(6, "i", 0, "quantized dimension")
    if len(scale) == 1:
        axis = 0
    elif not 0 <= axis < len(shape):
        raise reader.corrupt(where, f"it runs along dimension {axis} of shape {list(shape)}")
    elif len(scale) != shape[axis]:
        raise reader.corrupt(where, f"{len(scale)} scales along dimension {axis} of shape {list(shape)}")
    return Quant(tuple(float(value) for value in scale), zero_point, axis)


def _node(index: int, table: Table, codes: list[tuple[str, int, bool]], tensors: int) -> Node:
    code = table.integer(0, "I", 0, "opcode index")
    if code >= len(codes):
        raise table.reader.corrupt(table.where, f"it uses operator code {code}, the file has {len(codes)}")
    op, version, custom = codes[code]
    table = table.named(f"{table.where} {op}")
    return Node(
        index=index,
        op=op,
        version=version,
        inputs=_indices(table, 1, "inputs", tensors, optional=True),
        outputs=_indices(table, 2, "outputs", tensors),
        options={} if custom else _options(op, table),
        custom=custom,
    )


def _indices(table: Table, slot: int, name: str, tensors: int, optional: bool = False) -> tuple[int, ...]:
    values = table.integers(slot, "i", name, MAX_OPERANDS) or ()
    for value in values:
        if not (0 <= value < tensors or (optional and value == ABSENT)):
            raise table.reader.corrupt(f"{table.where}: {name}", f"tensor {value} of {tensors} does not exist")
    return values


def _options(op: str, table: Table) -> dict[str, OptionValue]:
    layout = schema.OPTIONS_OF.get(op)
    if layout is None:
        return {}
    number = table.integer(3, "B", 0, "options type")
    options = table.table(4, "options") if number else None
    if options is not None and number != layout.number:
        raise table.reader.corrupt(
            table.where, f"its attributes are of type {number}, {layout.name} is type {layout.number}"
        )
    if options is None:    # converters leave RESHAPE's out, for one
        return {field.name: field.default for field in layout.fields}
    return {field.name: _option(field, options) for field in layout.fields}


def _option(field: schema.Field, options: Table) -> OptionValue:
    if field.type == "int32[]":
        found = options.integers(field.slot, "i", field.name, MAX_RANK)
        return field.default if found is None else found
    names = schema.ENUMERATIONS.get(field.type)
    if names is None:
        value = options.scalar(field.slot, schema.SCALARS[field.type], cast("float", field.default), field.name)
        if isinstance(value, float) and not math.isfinite(value):
            raise options.reader.corrupt(options.where, f"{field.name} is {value}")
        return value
    code = options.integer(field.slot, "b", names.index(str(field.default)), field.name)
    if not 0 <= code < len(names):
        raise options.reader.fail(options.where, f"{field.name} is {code}, known are {', '.join(names)}")
    return names[code]


def _metadata(model: Table, buffers: _Buffers) -> dict[str, bytes]:
    found = {}
    for entry in model.tables(6, "metadata", "metadata entry"):
        found[entry.text(0, "name")] = buffers.get(entry.integer(1, "I", 0, "buffer"), entry) or b""
    return found
