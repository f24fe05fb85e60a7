"""What operators share that compute nothing and only move elements: which tensors they take, and how those lie.

Elements are moved as bytes, so that other types go the same ways as int8.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from firmware_export.graph import DTYPE_BITS, Graph, Node, Tensor
from firmware_export.ops.base import (
    constant,
    need_constant,
    need_dtype,
    need_input,
    option_int,
    output_tensor,
    refuse,
)

DTYPES = ("int8", "int32", "float32")
"""Element types that are moved."""

DTYPES_AND_INT16 = ("int8", "int16", "int32", "float32")
"""Those of the operators that int16 networks use."""

MAX_BYTES = (1 << 31) - 1
"""Of a tensor: the kernels count in int32."""

NO_ROW = -1
"""In ``Read.start``: this step reads nothing."""

DAMAGED = "The file is damaged."


def need_data(graph: Graph, node: Node, position: int = 0, dtypes: Sequence[str] = DTYPES) -> Tensor:
    """An input whose elements are moved.

    Raises:
        ModelError: It is missing, of another type, empty or enormous.
    """
    tensor = need_input(graph, node, position, "input")
    need_dtype(graph, node, tensor, "an input", *dtypes)
    need_elements(graph, node, tensor, "an input")
    return tensor


def need_output(graph: Graph, node: Node, like: Tensor, shape: Sequence[int], position: int = 0) -> Tensor:
    """The output, which has the input's type and the shape that follows from it.

    Raises:
        ModelError: It has not.
    """
    output = output_tensor(graph, node, position)
    need_dtype(graph, node, output, "an output", like.dtype)
    if output.shape != tuple(shape):
        refuse(graph, node, f"an output of {list(output.shape)}", f"{list(shape)} here", DAMAGED)
    need_elements(graph, node, output, "an output")
    return output


def need_elements(graph: Graph, node: Node, tensor: Tensor, what: str) -> None:
    """Refuse a tensor without elements, or with too many to count."""
    if not 0 < tensor.nbytes <= MAX_BYTES:
        refuse(graph, node, f"{what} of shape {list(tensor.shape)}", f"1 to {MAX_BYTES} bytes")


def need_dimensions(graph: Graph, node: Node, tensor: Tensor) -> None:
    """Refuse a scalar where an axis of it is meant."""
    if not tensor.shape:
        refuse(graph, node, "an input without dimensions", "at least 1 dimension", DAMAGED)


def need_operands(graph: Graph, node: Node, inputs: int, outputs: int = 1) -> None:
    """Refuse another number of inputs or outputs."""
    if len(node.inputs) != inputs or len(node.outputs) != outputs:
        found = f"{len(node.inputs)} inputs and {len(node.outputs)} outputs"
        refuse(graph, node, found, f"{inputs} and {outputs}", DAMAGED)


def need_numbers(
    graph: Graph, node: Node, position: int, what: str, count: int | None = None, *dtypes: str
) -> tuple[int, ...]:
    """The values of a constant that holds sizes, axes or positions.

    Args:
        graph: The network.
        node: The node.
        position: Among the inputs.
        what: Its name in messages: ``paddings tensor``.
        count: How many values it must have; None for any number.
        dtypes: Its type; int32 if none is named.

    Raises:
        ModelError: It is missing, computed at run time, or of another type or size.
    """
    tensor = need_input(graph, node, position, what)
    article = "an" if what[0] in "aeiou" else "a"
    need_dtype(graph, node, tensor, f"{article} {what}", *(dtypes or ("int32",)))
    need_constant(graph, node, tensor, what)
    if count is not None and tensor.size != count:
        refuse(graph, node, f"{article} {what} of {tensor.size} values", f"{count} here", DAMAGED)
    return tuple(int(value) for value in constant(tensor).reshape(-1))


def need_axis(graph: Graph, node: Node, axis: int, rank: int) -> int:
    """An axis counted from the front.

    Raises:
        ModelError: There is no such axis.
    """
    if not -rank <= axis < rank:
        refuse(graph, node, f"axis {axis} of {rank} dimensions", f"{-rank} to {rank - 1}", DAMAGED)
    return axis % rank


def option_axis(graph: Graph, node: Node) -> int:
    """The attribute ``axis``, a dimension of the first input, counted from the front.

    Raises:
        ModelError: There is no such dimension.
    """
    return need_axis(graph, node, option_int(node, "axis"), len(graph.tensors[node.inputs[0]].shape))


def first_quant(tensor: Tensor) -> tuple[float, int]:
    """The scale and zero point that TFLite Micro compares: the first ones, 0 and 0 where there are none."""
    quant = tensor.quant
    return (quant.scale[0], quant.zero_point[0]) if quant and quant.scale and quant.zero_point else (0.0, 0)


def strides_of(shape: Sequence[int]) -> tuple[int, ...]:
    """Elements from one position to the next along each dimension of a row-major tensor."""
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


def row_dimensions(rank: int) -> int:
    """How many leading dimensions ``rows_of`` makes rows of."""
    return min(2, max(rank - 1, 0))


def element_bytes(tensor: Tensor) -> int:
    """Bytes of an element."""
    return DTYPE_BITS[tensor.dtype] // 8
