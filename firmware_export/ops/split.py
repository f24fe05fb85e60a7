"""SPLIT: equal parts of a tensor along one dimension. int8, int16, int32 and float32."""

from __future__ import annotations

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import refuse
from firmware_export.ops.movement import DAMAGED, DTYPES_AND_INT16, need_data, need_dimensions
from firmware_export.ops.parts import check_parts, need_split_axis, splitting

AXIS, DATA = 0, 1
"""Positions of the inputs."""


def check(graph: Graph, node: Node) -> None:
    """Refuse other types, and parts that are not equal."""
    source = need_data(graph, node, DATA, DTYPES_AND_INT16)
    need_dimensions(graph, node, source)
    axis, parts = need_split_axis(graph, node, DATA, AXIS), len(node.outputs)
    if len(node.inputs) != 2 or not parts or source.shape[axis] % parts:
        found = f"{len(node.inputs)} inputs and {parts} parts of {source.shape[axis]}"
        refuse(graph, node, found, "2 inputs and equal parts", DAMAGED)
    check_parts(graph, node, DATA, axis, [source.shape[axis] // parts] * parts)


OP = splitting("SPLIT", check, DATA, AXIS)
