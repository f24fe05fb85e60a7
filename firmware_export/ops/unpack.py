"""UNPACK: the slices of a tensor along one dimension, each without it. int8, int16, int32 and float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Inputs, Lowering, Op, option_int, refuse
from firmware_export.ops.movement import DAMAGED, DTYPES_AND_INT16, need_data, need_dimensions, need_output, option_axis
from firmware_export.ops.strided_copy import lower_block


def check(graph: Graph, node: Node) -> None:
    """Refuse other types, and another number of outputs than slices."""
    source = need_data(graph, node, dtypes=DTYPES_AND_INT16)
    need_dimensions(graph, node, source)
    axis = option_axis(graph, node)
    count = option_int(node, "num", len(node.outputs))
    if len(node.inputs) != 1 or not count == len(node.outputs) == source.shape[axis]:
        found = f"{len(node.outputs)} outputs, {count} slices said and {source.shape[axis]} there"
        refuse(graph, node, found, "one output for each slice", DAMAGED)
    for position in range(count):
        need_output(graph, node, source, source.shape[:axis] + source.shape[axis + 1 :], position)


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The slices."""
    values = inputs[0]
    assert values is not None
    return tuple(np.moveaxis(values, option_axis(graph, node), 0))


def lower(lowering: Lowering, node: Node) -> None:
    """A layer for each slice."""
    shape, axis = lowering.graph.tensors[node.inputs[0]].shape, option_axis(lowering.graph, node)
    for position, target in enumerate(node.outputs):
        begins = tuple(position if dimension == axis else 0 for dimension in range(len(shape)))
        sizes = (*shape[:axis], 1, *shape[axis + 1 :])
        lower_block(lowering, node, node.inputs[0], target, begins, sizes)


OP = Op("UNPACK", check, reference, lower)
