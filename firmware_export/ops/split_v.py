"""SPLIT_V: parts of a tensor along one dimension, each of its own size. int8, int32 and float32.

TFLite Micro takes the sizes from the outputs and never reads the tensor of sizes: a file where they differ is refused.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Inputs, Lowering, Op, refuse
from firmware_export.ops.movement import DAMAGED, need_axis, need_data, need_dimensions, need_numbers
from firmware_export.ops.split import check_parts, lower_parts, part_sizes, parts_of

DATA, SIZES, AXIS = 0, 1, 2
"""Positions of the inputs."""

REST = -1
"""As a size: what the others leave."""


def split_axis(graph: Graph, node: Node) -> int:
    """The dimension that is split."""
    rank = len(graph.tensors[node.inputs[DATA]].shape)
    return need_axis(graph, node, need_numbers(graph, node, AXIS, "axis", 1)[0], rank)


def check(graph: Graph, node: Node) -> None:
    """Refuse other types, and sizes that do not make up the input."""
    source = need_data(graph, node, DATA)
    need_dimensions(graph, node, source)
    sizes = list(need_numbers(graph, node, SIZES, "sizes tensor", len(node.outputs), "int32", "int64"))
    axis = split_axis(graph, node)
    total = source.shape[axis]
    if sizes.count(REST) == 1:
        sizes[sizes.index(REST)] = total - sum(sizes) - 1
    if len(node.inputs) != 3 or any(size < 1 for size in sizes) or sum(sizes) != total:
        refuse(graph, node, f"parts of {sizes} of {total}", "parts with elements that add up to the input", DAMAGED)
    check_parts(graph, node, DATA, axis, sizes)


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The parts."""
    values = inputs[DATA]
    assert values is not None
    axis = split_axis(graph, node)
    return parts_of(values, axis, part_sizes(graph, node, axis))


def lower(lowering: Lowering, node: Node) -> None:
    """A layer for each part."""
    lower_parts(lowering, node, DATA, split_axis(lowering.graph, node))


OP = Op("SPLIT_V", check, reference, lower)
