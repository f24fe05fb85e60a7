"""SPLIT_V: parts of a tensor along one dimension, each of its own size. int8, int16, int32 and float32.

TFLite Micro takes the sizes from the outputs and never reads the tensor of sizes: a file where they differ is refused.
"""

from __future__ import annotations

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import refuse
from firmware_export.ops.movement import DAMAGED, DTYPES_AND_INT16, need_data, need_dimensions, need_numbers
from firmware_export.ops.parts import check_parts, need_split_axis, splitting

DATA, SIZES, AXIS = 0, 1, 2
"""Positions of the inputs."""

REST = -1
"""As a size: what the others leave."""


def check(graph: Graph, node: Node) -> None:
    """Refuse other types, and sizes that do not make up the input."""
    source = need_data(graph, node, DATA, DTYPES_AND_INT16)
    need_dimensions(graph, node, source)
    sizes = list(need_numbers(graph, node, SIZES, "sizes tensor", len(node.outputs), "int32", "int64"))
    axis = need_split_axis(graph, node, DATA, AXIS)
    total = source.shape[axis]
    if sizes.count(REST) == 1:
        sizes[sizes.index(REST)] = total - sum(sizes) - 1
    if len(node.inputs) != 3 or any(size < 1 for size in sizes) or sum(sizes) != total:
        refuse(graph, node, f"parts of {sizes} of {total}", "parts with elements that add up to the input", DAMAGED)
    check_parts(graph, node, DATA, axis, sizes)


OP = splitting("SPLIT_V", check, DATA, AXIS)
