"""SPLIT: equal parts of a tensor along one dimension. int8, int32 and float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Inputs, Lowering, Op, refuse
from firmware_export.ops.movement import DAMAGED, need_axis, need_data, need_dimensions, need_numbers, need_output
from firmware_export.ops.strided_copy import lower_block

AXIS, DATA = 0, 1
"""Positions of the inputs."""


def split_axis(graph: Graph, node: Node) -> int:
    """The dimension that is split."""
    rank = len(graph.tensors[node.inputs[DATA]].shape)
    return need_axis(graph, node, need_numbers(graph, node, AXIS, "axis", 1)[0], rank)


def check(graph: Graph, node: Node) -> None:
    """Refuse other types, and parts that are not equal."""
    source = need_data(graph, node, DATA)
    need_dimensions(graph, node, source)
    axis, parts = split_axis(graph, node), len(node.outputs)
    if len(node.inputs) != 2 or not parts or source.shape[axis] % parts:
        found = f"{len(node.inputs)} inputs and {parts} parts of {source.shape[axis]}"
        refuse(graph, node, found, "2 inputs and equal parts", DAMAGED)
    check_parts(graph, node, DATA, axis, [source.shape[axis] // parts] * parts)


def check_parts(graph: Graph, node: Node, data: int, axis: int, sizes: Sequence[int]) -> None:
    """Refuse outputs that are not parts of these sizes."""
    source = graph.tensors[node.inputs[data]]
    for position, size in enumerate(sizes):
        need_output(graph, node, source, (*source.shape[:axis], size, *source.shape[axis + 1 :]), position)


def part_sizes(graph: Graph, node: Node, axis: int) -> list[int]:
    """The size of each part along the axis, in a node that was checked."""
    return [graph.tensors[index].shape[axis] for index in node.outputs]


def parts_of(values: NDArray[Any], axis: int, sizes: Sequence[int]) -> tuple[NDArray[Any], ...]:
    """The parts of an array."""
    return tuple(np.split(values, np.cumsum(sizes)[:-1], axis))


def lower_parts(lowering: Lowering, node: Node, data: int, axis: int) -> None:
    """A layer for each part."""
    source = lowering.graph.tensors[node.inputs[data]]
    begin = 0
    for target, size in zip(node.outputs, part_sizes(lowering.graph, node, axis), strict=True):
        begins = tuple(begin if dimension == axis else 0 for dimension in range(len(source.shape)))
        sizes = (*source.shape[:axis], size, *source.shape[axis + 1 :])
        lower_block(lowering, node, source.index, target, begins, sizes)
        begin += size


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The parts."""
    values = inputs[DATA]
    assert values is not None
    axis = split_axis(graph, node)
    return parts_of(values, axis, part_sizes(graph, node, axis))


def lower(lowering: Lowering, node: Node) -> None:
    """A layer for each part."""
    lower_parts(lowering, node, DATA, split_axis(lowering.graph, node))


OP = Op("SPLIT", check, reference, lower)
