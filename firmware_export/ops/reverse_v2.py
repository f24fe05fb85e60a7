"""REVERSE_V2: neighbouring dimensions backwards. int8, int32 and float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Inputs, Lowering, Op, refuse
from firmware_export.ops.movement import (
    DAMAGED,
    need_axis,
    need_data,
    need_dimensions,
    need_numbers,
    need_operands,
    need_output,
)
from firmware_export.ops.strided_copy import lower_block

MAX_RANK = 8
"""TFLite's arrays end there."""


def reversed_axes(graph: Graph, node: Node) -> tuple[int, ...]:
    """The dimensions, counted from the front, ascending.

    Raises:
        ModelError: They are not known before the network runs, do not exist, or are not neighbours.
    """
    rank = len(graph.tensors[node.inputs[0]].shape)
    axes = sorted(need_axis(graph, node, axis, rank) for axis in need_numbers(graph, node, 1, "axes tensor"))
    if not axes or axes != list(range(axes[0], axes[0] + len(axes))):
        refuse(graph, node, f"reversing the axes {axes}", "neighbouring axes, each once", "Reverse in two steps.")
    return tuple(axes)


def check(graph: Graph, node: Node) -> None:
    """Refuse other types and ranks, and axes that are not neighbours."""
    need_operands(graph, node, 2)
    source = need_data(graph, node)
    need_dimensions(graph, node, source)
    if len(source.shape) > MAX_RANK:
        refuse(graph, node, f"an input of {len(source.shape)} dimensions", f"1 to {MAX_RANK} dimensions")
    reversed_axes(graph, node)
    if len(graph.tensors[node.inputs[1]].shape) != 1:
        refuse(graph, node, "an axes tensor that is no list", "a list of axes", DAMAGED)
    need_output(graph, node, source, source.shape)


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The reversed tensor."""
    values = inputs[0]
    assert values is not None
    return (np.flip(values, reversed_axes(graph, node)),)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer: each output row is an input row, backwards or another one or both."""
    shape, axes = lowering.graph.tensors[node.inputs[0]].shape, reversed_axes(lowering.graph, node)
    begins = [size - 1 if axis in axes else 0 for axis, size in enumerate(shape)]
    strides = [-1 if axis in axes else 1 for axis in range(len(shape))]
    lower_block(lowering, node, node.inputs[0], node.outputs[0], begins, shape, strides)


OP = Op("REVERSE_V2", check, reference, lower)
