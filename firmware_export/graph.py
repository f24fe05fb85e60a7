"""The network as the compiler sees it: tensors, nodes, and nothing of the file format they came from.

Everything is frozen; a pass makes a new graph with ``dataclasses.replace``. Conventions:

- Activations are NHWC ``[batch, height, width, channels]`` and row-major, as TFLite lays them out.
- Weights: CONV_2D ``[out, height, width, in]`` (OHWI), DEPTHWISE_CONV_2D ``[1, height, width, out]``,
  FULLY_CONNECTED ``[out, in]``, TRANSPOSE_CONV ``[out, height, width, in]``.
- Nodes stand in an order in which they can be executed. A tensor is named by its index in ``Graph.tensors``.
- Quantized values mean ``real = (q - zero_point) * scale``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod

from firmware_export.errors import ModelError

OptionValue = int | float | str | bool | tuple[int, ...] | tuple[float, ...]

ABSENT = -1
"""In ``Node.inputs``: an optional input that is not there, such as the bias of a FULLY_CONNECTED."""

DTYPE_BITS: Mapping[str, int] = {
    "float32": 32,
    "float16": 16,
    "int32": 32,
    "uint8": 8,
    "int64": 64,
    "bool": 8,
    "int16": 16,
    "complex64": 64,
    "int8": 8,
    "float64": 64,
    "complex128": 128,
    "uint64": 64,
    "uint32": 32,
    "uint16": 16,
    "int4": 4,
    "bfloat16": 16,
    "int2": 2,
    "uint4": 4,
    "float8_e4m3fn": 8,
    "float8_e5m2": 8,
}
"""Bits of an element; sub-byte types are packed, lowest bits first. ``string``, ``resource``, ``variant`` have none."""

FLOAT_DTYPES = frozenset(dtype for dtype in DTYPE_BITS if "float" in dtype or dtype.startswith("complex"))
"""The element types that need floating-point arithmetic."""


@dataclass(frozen=True)
class Quant:
    """Affine quantization: ``real = (q - zero_point) * scale``.

    Attributes:
        scale: One value for the whole tensor, or one for each slice along ``axis``. Finite and not negative.
        zero_point: As many as ``scale``.
        axis: The dimension that the scales run along; 0 and without meaning when there is one scale.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int = 0

    @property
    def per_channel(self) -> bool:
        """Whether slices have scales of their own."""
        return len(self.scale) > 1


@dataclass(frozen=True)
class Tensor:
    """A value that flows between nodes, or a constant.

    Attributes:
        index: Its place in ``Graph.tensors``.
        name: As the converter wrote it; for people only.
        shape: Sizes that the converter inferred, all >= 0; ``()`` is a scalar.
        shape_signature: As ``shape``, with -1 where a dimension was not known, most often the batch.
        dtype: ``int8``, ``float32``, ... (the keys of ``DTYPE_BITS``), or ``string``, ``resource``, ``variant``.
        quant: Scale and zero point; None for a tensor that has none.
        data: The bytes of a constant, row-major and little-endian; None for a value computed at run time.
        is_variable: The value is state that outlives an inference.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    dtype: str
    quant: Quant | None = None
    data: bytes | None = field(default=None, repr=False)
    is_variable: bool = False

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements, sub-byte types packed; 0 for a type without a fixed width."""
        return (self.size * DTYPE_BITS.get(self.dtype, 0) + 7) // 8

    @property
    def is_constant(self) -> bool:
        """Whether the value is known before the network runs."""
        return self.data is not None

    def __str__(self) -> str:
        """``t4 int8[1,49,10,64]``."""
        return f"t{self.index} {self.dtype}[{','.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        index: Its place in ``Graph.nodes``.
        op: TFLite's builtin name, such as ``CONV_2D``, or the custom code of a custom operation.
        version: The version of the operation that the converter asked for.
        inputs: Tensor indices; ``ABSENT`` where an optional one is left out.
        outputs: Tensor indices.
        options: Attributes under the schema's names, such as ``stride_w``; enumerations as names (``SAME``, ``RELU6``).
        custom: ``op`` is a custom code, not a builtin.
    """

    index: int
    op: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    custom: bool = False


@dataclass(frozen=True)
class Graph:
    """A whole network.

    Attributes:
        name: What messages call it, most often the file's name.
        description: The converter's own remark.
        tensors: All tensors, constants among them.
        nodes: All operations, in executable order.
        inputs: Indices of the tensors that the caller fills.
        outputs: Indices of the tensors that the caller reads.
        metadata: Named blobs that travel in the file.
    """

    name: str
    description: str
    tensors: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    metadata: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def node_label(self, node: Node) -> str:
        """How a message names a node: ``node 7 CONV_2D 'block2/conv'``, after the tensor that it writes."""
        name = short_name(self.tensors[node.outputs[0]].name) if node.outputs else ""
        return f"node {node.index} {node.op} {name!r}" if name else f"node {node.index} {node.op}"

    def present(self, indices: Iterable[int]) -> tuple[Tensor, ...]:
        """The tensors at ``indices``, absent ones left out."""
        return tuple(self.tensors[index] for index in indices if index != ABSENT)

    def __str__(self) -> str:
        """One line a node: what it reads, what it writes, its options."""
        lines = [
            f"{self.name}: {len(self.nodes)} nodes, {len(self.tensors)} tensors",
            f"  inputs   {_listed(self.present(self.inputs))}",
        ]
        width = max((len(node.op) for node in self.nodes), default=0)
        for node in self.nodes:
            values = [tensor for tensor in self.present(node.inputs) if not tensor.is_constant]
            constants = [tensor for tensor in self.present(node.inputs) if tensor.is_constant]
            operands = _listed(values) + (f" ({_listed(constants)})" if constants else "")
            options = " ".join(f"{key}={_option(value)}" for key, value in node.options.items())
            results = _listed(self.present(node.outputs))
            lines.append(f"  {node.index:>3}  {node.op:<{width}}  {operands} -> {results}  {options}".rstrip())
        lines.append(f"  outputs  {_listed(self.present(self.outputs))}")
        return "\n".join(lines)


def verify(graph: Graph) -> None:
    """Check that the nodes can run in the order in which they stand, each value being written once before it is read.

    Constants, graph inputs, variables and tensors without elements are there from the start.

    Raises:
        ModelError: A node reads a value that nothing wrote, or writes one that is there already.
    """
    ready = set(graph.inputs)
    ready.update(tensor.index for tensor in graph.tensors if tensor.is_constant or tensor.is_variable)
    ready.update(tensor.index for tensor in graph.tensors if tensor.size == 0)
    for node in graph.nodes:
        for tensor in graph.present(node.inputs):
            if tensor.index not in ready:
                raise ModelError(f"{graph.name}: {graph.node_label(node)} reads {tensor} before any node writes it.")
        for tensor in graph.present(node.outputs):
            if tensor.index in ready and not tensor.is_variable and tensor.size:
                raise ModelError(f"{graph.name}: {graph.node_label(node)} writes {tensor}, which was set before.")
            ready.add(tensor.index)
    for tensor in graph.present(graph.outputs):
        if tensor.index not in ready:
            raise ModelError(f"{graph.name}: no node writes the output {tensor}.")


def printable(text: str) -> str:
    """``text`` with everything that could move a terminal's cursor replaced, for names out of a file."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def short_name(text: str, limit: int = 48) -> str:
    """A tensor's name as people call it: the first of those that the converter joined by ``;``, its end kept."""
    name = printable(text.split(";", 1)[0])
    return name if len(name) <= limit else "…" + name[1 - limit :]


def _listed(tensors: Iterable[Tensor]) -> str:
    return ", ".join(str(tensor) for tensor in tensors)


def _option(value: OptionValue) -> str:
    return f"({','.join(map(str, value))})" if isinstance(value, tuple) else str(value)
