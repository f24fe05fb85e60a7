"""SLICE: a block out of a tensor, along any dimensions. int8, int16, int32 and float32, up to 5 dimensions."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Inputs, Lowering, Op, need_rank, refuse
from firmware_export.ops.movement import DAMAGED, DTYPES_AND_INT16, need_data, need_numbers, need_operands, need_output
from firmware_export.ops.strided_copy import lower_block

ALL = -1
"""As a size: everything from the beginning of the block on."""


def block(graph: Graph, node: Node) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Where the block begins, and its size.

    Raises:
        ModelError: They are not known before the network runs, or lie outside the input.
    """
    shape = graph.tensors[node.inputs[0]].shape
    begins = need_numbers(graph, node, 1, "begin tensor", len(shape), "int32", "int64")
    wanted = need_numbers(graph, node, 2, "size tensor", len(shape), "int32", "int64")
    sizes = tuple(
        size - begin if count == ALL else count for size, begin, count in zip(shape, begins, wanted, strict=True)
    )
    inside = all(
        begin >= 0 and 0 < count <= size - begin for size, begin, count in zip(shape, begins, sizes, strict=True)
    )
    if not inside:
        found = f"a block of {list(wanted)} from {list(begins)} on in {list(shape)}"
        refuse(graph, node, found, "blocks with elements that lie inside the input", DAMAGED)
    return begins, sizes


def check(graph: Graph, node: Node) -> None:
    """Refuse other types and ranks, and a block that does not lie inside the input."""
    need_operands(graph, node, 3)
    source = need_data(graph, node, dtypes=DTYPES_AND_INT16)
    need_rank(graph, node, source, "an input", 1, 2, 3, 4, 5)
    need_output(graph, node, source, block(graph, node)[1])


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The block."""
    values = inputs[0]
    assert values is not None
    begins, sizes = block(graph, node)
    return (values[tuple(slice(begin, begin + size) for begin, size in zip(begins, sizes, strict=True))],)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer: each output row is part of an input row."""
    begins, sizes = block(lowering.graph, node)
    lower_block(lowering, node, node.inputs[0], node.outputs[0], begins, sizes)


OP = Op("SLICE", check, reference, lower)
