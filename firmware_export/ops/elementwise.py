"""What operators on two tensors share: broadcasting, the layer that walks both operands, and when a table does it all.

Shapes are aligned at their last dimension; a dimension of 1 is repeated (as NumPy does it, and TFLite Micro for any
rank). The layer makes rows of the output's shape. An operand that lacks the rows' dimensions gives the same row again;
within a row, dimensions that both operands walk through alike are merged, and at most three remain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node, Tensor
from firmware_export.layer import FieldValue, Layer, Read, rows_of
from firmware_export.ops.base import Inputs, Lowering, constant, need_input, output_tensor, refuse
from firmware_export.ops.movement import element_bytes
from firmware_export.ops.unary import EVERY_INT8, lower_table, need_arity, need_elements

ROW_DIMENSIONS = 3
"""Loops that the kernels have within a row."""

BinaryFunction = Callable[[Graph, Node, NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]
"""An operator on quantized values, held in int64, that broadcast against each other."""


@dataclass(frozen=True)
class Operand:
    """How the output's rows walk through an operand.

    Attributes:
        row_size: Elements of one of its rows.
        rows: The row that each output row reads.
        strides: From one position to the next along each dimension of ``Broadcast.sizes``; 0 where it is repeated.
    """

    row_size: int
    rows: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class Broadcast:
    """Two operands and the output that they make.

    Attributes:
        rows: Of the output.
        sizes: The dimensions of one of its rows after merging, outermost first, ``ROW_DIMENSIONS`` of them or more.
        operands: Both, in the node's order.
    """

    rows: int
    sizes: tuple[int, ...]
    operands: tuple[Operand, Operand]

    @property
    def row_size(self) -> int:
        """Elements of an output row."""
        return prod(self.sizes)


def check_binary(graph: Graph, node: Node) -> None:
    """Refuse shapes that do not broadcast to the output's, or that need more loops than the kernels have."""
    need_arity(graph, node, 2)
    left, right = need_input(graph, node, 0, "operand"), need_input(graph, node, 1, "operand")
    output = output_tensor(graph, node)
    for tensor in (left, right, output):
        need_elements(graph, node, tensor)
    shapes = f"operands of {list(left.shape)} and {list(right.shape)}"
    try:
        shape = np.broadcast_shapes(left.shape, right.shape)
    except ValueError:
        refuse(graph, node, shapes, "shapes that are equal, or 1 where they are not")
    if output.shape != shape:
        refuse(graph, node, f"an output of {list(output.shape)}", f"{list(shape)} here", "The file is damaged.")
    if len(_walk(left, right, output)[0]) > ROW_DIMENSIONS:
        refuse(graph, node, shapes, "broadcasting up to 5 dimensions", "Reshape them to fewer dimensions.")


def broadcast(left: Tensor, right: Tensor, output: Tensor) -> Broadcast:
    """The walk through two operands whose shapes were checked."""
    rows, _ = rows_of(output.shape)
    outside = _outside(output)
    sizes, *strides = _walk(left, right, output)
    operands = []
    for tensor, steps in zip((left, right), strides, strict=True):
        shape = _aligned(tensor, output)
        own = np.arange(prod(shape[:outside])).reshape(shape[:outside])
        wanted = np.broadcast_to(own, output.shape[:outside]).reshape(-1)
        operands.append(Operand(prod(shape[outside:]), tuple(int(row) for row in wanted), steps))
    return Broadcast(rows, sizes, (operands[0], operands[1]))


def _outside(output: Tensor) -> int:
    """How many dimensions ``rows_of`` makes rows of."""
    return min(2, max(0, len(output.shape) - 1))


def _aligned(tensor: Tensor, output: Tensor) -> tuple[int, ...]:
    return (1,) * (len(output.shape) - len(tensor.shape)) + tensor.shape


def _walk(left: Tensor, right: Tensor, output: Tensor) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The dimensions of a row after merging, and the strides of both operands."""
    outside = _outside(output)
    first, second = _aligned(left, output), _aligned(right, output)
    return _merged(output.shape[outside:], first[outside:], second[outside:])


def _merged(
    sizes: tuple[int, ...], first: tuple[int, ...], second: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Dimensions that lie together in both operands as one; ones in front until there are ``ROW_DIMENSIONS``."""
    merged: list[tuple[int, int, int]] = []    # size, strides; innermost first
    steps = [1, 1]
    for size, a, b in zip(reversed(sizes), reversed(first), reversed(second), strict=True):
        strides = [step if own > 1 else 0 for step, own in zip(steps, (a, b), strict=True)]
        steps = [steps[0] * a, steps[1] * b]
        if size == 1:
            continue
        if merged:
            below, *inner = merged[-1]
            if all(stride == below * under for stride, under in zip(strides, inner, strict=True)):
                merged[-1] = (below * size, inner[0], inner[1])
                continue
        merged.append((size, strides[0], strides[1]))
    merged += [(1, 0, 0)] * (ROW_DIMENSIONS - len(merged))
    outermost_first = list(zip(*reversed(merged), strict=True))
    return outermost_first[0], outermost_first[1], outermost_first[2]


def binary_reference(
    function: BinaryFunction, graph: Graph, node: Node, inputs: Inputs
) -> tuple[NDArray[Any], ...]:
    """The operator on whole tensors, ``Op.reference`` when the function is bound."""
    left, right = inputs[0], inputs[1]
    assert left is not None and right is not None
    values = function(graph, node, left.astype(np.int64), right.astype(np.int64))
    return (values.astype(np.dtype(output_tensor(graph, node).dtype)),)


def lower_uniform(function: BinaryFunction, lowering: Lowering, node: Node) -> bool:
    """Make the layer of an int8 node that is a function of one byte, as one operand is the same constant everywhere.

    Returns:
        Whether it was one.
    """
    graph = lowering.graph
    tensors = [graph.tensors[index] for index in node.inputs]
    output = output_tensor(graph, node)
    if output.dtype != "int8":
        return False
    for position, tensor in enumerate(tensors):
        other = tensors[1 - position]
        if not tensor.is_constant or other.is_constant or other.size != output.size:
            continue
        values = np.unique(constant(tensor))
        if values.size == 1:
            same = np.full(EVERY_INT8.shape, values[0], np.int64)
            operands = (same, EVERY_INT8) if position == 0 else (EVERY_INT8, same)
            lower_table(lowering, node, function(graph, node, *operands), position=1 - position)
            return True
    return False


def lower_binary(
    lowering: Lowering,
    node: Node,
    kernel: str,
    function: str,
    names: tuple[str, str],
    fields: Mapping[str, FieldValue],
    swapped: bool = False,
) -> None:
    """One layer: a row of the output from a row of each operand.

    Args:
        lowering: The program in the making.
        node: A checked node.
        kernel: Stem of the kernel's file.
        function: The kernel's function.
        names: What the kernel calls its operands; their strides are ``<name>_outer``, ``_middle`` and ``_inner``.
        fields: The struct's fields after the geometry.
        swapped: The kernel's first operand is the node's second.
    """
    graph = lowering.graph
    tensors = [graph.tensors[index] for index in node.inputs]
    walk = broadcast(tensors[0], tensors[1], output_tensor(graph, node))
    order = (1, 0) if swapped else (0, 1)
    values = [lowering.value(tensors[position].index) for position in order]
    operands = [walk.operands[position] for position in order]
    geometry = dict(zip(("outer", "middle", "inner"), walk.sizes, strict=True))
    for name, operand in zip(names, operands, strict=True):
        geometry.update(zip((f"{name}_outer", f"{name}_middle", f"{name}_inner"), operand.strides, strict=True))
    element = element_bytes(output_tensor(graph, node))
    row_bytes = walk.row_size * element
    output = lowering.output(node.outputs[0], walk.rows, row_bytes)
    every_row = tuple(range(walk.rows))
    lowering.add(
        Layer(
            op=node.op,
            node=node.index,
            kernel=kernel,
            function=function,
            reads=tuple(
                Read(value.index, operand.row_size * element, operand.rows)
                for value, operand in zip(values, operands, strict=True)
            ),
            output=output.index,
            rows=walk.rows,
            row_bytes=row_bytes,
            steps=walk.rows,
            fields={**geometry, **fields},
            in_place=tuple(
                position
                for position, operand in enumerate(operands)
                if values[position].data is None and operand.row_size == walk.row_size and operand.rows == every_row
            ),
        )
    )
