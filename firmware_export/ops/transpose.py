"""TRANSPOSE: the dimensions in another order. int8, int16, int32 and float32 (TFLite Micro: no int32), 1 to 5
dimensions.

Dimensions of size 1 do not count, and those that stay together count as one. Where the first of what remains stays in
front, each output row comes from one input row; any other permutation needs the whole input, and one that only moves
dimensions of size 1 moves nothing.
"""

from __future__ import annotations

from math import prod
from typing import Any

from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Inputs, Lowering, Op, need_rank, refuse
from firmware_export.ops.movement import (
    DAMAGED,
    DTYPES_AND_INT16,
    need_data,
    need_numbers,
    need_operands,
    need_output,
    row_dimensions,
    strides_of,
)
from firmware_export.ops.strided_copy import Walk, lower_walk


def permutation(graph: Graph, node: Node, rank: int) -> tuple[int, ...]:
    """The input dimension of each output dimension.

    Raises:
        ModelError: It is not known before the network runs, or no permutation.
    """
    order = need_numbers(graph, node, 1, "permutation", rank)
    if sorted(order) != list(range(rank)):
        refuse(graph, node, f"the permutation {list(order)} of {rank} dimensions", "each of them once", DAMAGED)
    return order


def check(graph: Graph, node: Node) -> None:
    """Refuse other types and ranks, and a permutation that is none."""
    need_operands(graph, node, 2)
    source = need_data(graph, node, dtypes=DTYPES_AND_INT16)
    need_rank(graph, node, source, "an input", 1, 2, 3, 4, 5)
    order = permutation(graph, node, len(source.shape))
    need_output(graph, node, source, [source.shape[axis] for axis in order])


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The transposed input."""
    values = inputs[0]
    assert values is not None
    return (values.transpose(permutation(graph, node, values.ndim)),)


def groups(shape: tuple[int, ...], order: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The same transposition with as few dimensions as possible.

    Returns:
        The input's dimensions, none of size 1 and none that stay together, and their order in the output.
    """
    chains: list[list[int]] = []
    for axis in (axis for axis in order if shape[axis] > 1):
        # A dimension belongs to the one before it when nothing but dimensions of size 1 lies between them in the input.
        if chains and axis > chains[-1][-1] and all(shape[between] == 1 for between in range(chains[-1][-1] + 1, axis)):
            chains[-1].append(axis)
        else:
            chains.append([axis])
    by_input = sorted(chains)
    sizes = tuple(prod(shape[axis] for axis in chain) for chain in by_input)
    return sizes, tuple(by_input.index(chain) for chain in chains)


def transposed(shape: tuple[int, ...], order: tuple[int, ...]) -> tuple[Walk, int]:
    """The walk of a transposition, and the elements of an input row."""
    sizes, places = groups(shape, order)
    steps = strides_of(sizes)
    if places[:1] == (0,):
        cut = min(1, len(sizes) - 1)
        walk = Walk(tuple(sizes[axis] for axis in places), tuple(steps[axis] for axis in places), 0, cut)
        return walk, steps[0] if cut else sizes[0]
    natural = strides_of(shape)
    counts = tuple(shape[axis] for axis in order)
    return Walk(counts, tuple(natural[axis] for axis in order), 0, row_dimensions(len(shape))), prod(shape)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer, or none."""
    shape = lowering.graph.tensors[node.inputs[0]].shape
    walk, row = transposed(shape, permutation(lowering.graph, node, len(shape)))
    lower_walk(lowering, node, node.inputs[0], node.outputs[0], walk, row)


OP = Op("TRANSPOSE", check, reference, lower)
