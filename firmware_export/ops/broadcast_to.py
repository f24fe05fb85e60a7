"""BROADCAST_TO: dimensions of size 1 repeated, up to 5 dimensions. int8, int32 and float32."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Inputs, Lowering, Op, need_rank, refuse
from firmware_export.ops.movement import (
    DAMAGED,
    need_data,
    need_numbers,
    need_operands,
    need_output,
    row_dimensions,
    strides_of,
)
from firmware_export.ops.strided_copy import Walk, lower_walk


def check(graph: Graph, node: Node) -> None:
    """Refuse other types and ranks, and a shape to which the input cannot be broadcast."""
    need_operands(graph, node, 2)
    source = need_data(graph, node)
    need_rank(graph, node, source, "an input", 0, 1, 2, 3, 4, 5)
    shape = need_numbers(graph, node, 1, "shape", None, "int32", "int64")
    fits = all(size in (1, wanted) for size, wanted in zip(reversed(source.shape), reversed(shape), strict=False))
    if not len(source.shape) <= len(shape) <= 5 or not fits:
        refuse(graph, node, f"{list(source.shape)} broadcast to {list(shape)}", "5 dimensions that fit", DAMAGED)
    need_output(graph, node, source, shape)


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The repeated tensor."""
    values = inputs[0]
    assert values is not None
    return (np.ascontiguousarray(np.broadcast_to(values, graph.tensors[node.outputs[0]].shape)),)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer: each output row comes from one input row."""
    graph = lowering.graph
    shape = graph.tensors[node.outputs[0]].shape
    source = graph.tensors[node.inputs[0]].shape
    source = (1,) * (len(shape) - len(source)) + source
    steps = tuple(0 if size == 1 else step for size, step in zip(source, strides_of(source), strict=True))
    cut = row_dimensions(len(shape))
    lower_walk(lowering, node, node.inputs[0], node.outputs[0], Walk(shape, steps, 0, cut), prod(source[cut:]))


OP = Op("BROADCAST_TO", check, reference, lower)
