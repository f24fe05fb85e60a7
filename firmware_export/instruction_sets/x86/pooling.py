"""Pools and MEAN: ``kernels/x86/*_vectors.h``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from firmware_export.graph import Node
from firmware_export.instruction_sets.arm_dsp.portable import portable_layer
from firmware_export.instruction_sets.quads import BLOCK
from firmware_export.instruction_sets.x86.packing import LARGEST_SHIFT
from firmware_export.layer import Array, FieldValue, Layer
from firmware_export.ops import average_pool_2d, max_pool_2d, mean
from firmware_export.ops.base import Lowering, output_tensor
from firmware_export.ops.pooling import pool_axes
from firmware_export.ops.reduction import axes_of

LARGEST_AREA = 1 << 15
"""Of a window: its sum and half the area stay below 2^23, where quotients of floats are exact enough."""


def lower_average_pool(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """AVERAGE_POOL_2D of int8, in windows of any size but the largest."""
    graph = lowering.graph
    vertical, horizontal = pool_axes(graph, node, graph.tensors[node.inputs[0]])
    if vertical.kernel * horizontal.kernel <= LARGEST_AREA:
        yield from _in_vectors(lowering, node, average_pool_2d.lower)


def lower_max_pool(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """MAX_POOL_2D of int8."""
    yield from _in_vectors(lowering, node, max_pool_2d.lower)


def lower_mean(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """MEAN of an int8 image over height, width or both."""
    graph = lowering.graph
    image = graph.tensors[node.inputs[0]]
    axes = axes_of(graph, node)
    if len(image.shape) != 4 or 3 in axes or 0 in axes or not any(image.shape[axis] > 1 for axis in axes):
        return    # the kernel wants channels that lie together
    multiplier, shift = mean.factor(graph, node)
    if not -LARGEST_SHIFT <= shift <= -1:
        return
    scale: dict[str, FieldValue] = {
        "multiplier": Array(np.full(BLOCK, multiplier, np.int32), "[16]"),
        "shift": Array(np.full(BLOCK, shift, np.int32), "[16]"),
    }
    yield from _in_vectors(lowering, node, mean.lower, scale)


def _in_vectors(
    lowering: Lowering,
    node: Node,
    lower: Callable[[Lowering, Node], None],
    scale: Mapping[str, FieldValue] | None = None,
) -> Iterator[Layer]:
    """The portable layer with the kernel for vectors, which sees all of a window at once."""
    if output_tensor(lowering.graph, node).dtype != "int8":
        return
    layer = portable_layer(lowering, node, lower)
    scale = scale or {}
    fields = {name: value for name, value in layer.fields.items() if name not in ("steps", *scale)}
    kernel = f"{layer.kernel}_vectors"
    yield replace(layer, kernel=kernel, function=kernel, fields={**scale, **fields}, accumulating=None)
