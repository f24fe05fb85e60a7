"""Pools and MEAN: ``kernels/neon/*_sixteens.h``, which take what the portable kernels take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from firmware_export.graph import Node
from firmware_export.instruction_sets.arm_dsp.portable import portable_layer
from firmware_export.layer import Layer
from firmware_export.ops import average_pool_2d, max_pool_2d, mean
from firmware_export.ops.base import Lowering, output_tensor
from firmware_export.ops.reduction import axes_of

SUM_BYTES = 4


def lower_average_pool(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """AVERAGE_POOL_2D of int8."""
    channels = lowering.graph.tensors[node.inputs[0]].shape[3]
    yield from _in_sixteens(lowering, node, average_pool_2d.lower, SUM_BYTES * channels)


def lower_max_pool(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """MAX_POOL_2D of int8."""
    yield from _in_sixteens(lowering, node, max_pool_2d.lower, 0)


def lower_mean(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """MEAN of an image over height, width or both."""
    graph = lowering.graph
    image = graph.tensors[node.inputs[0]]
    axes = axes_of(graph, node)
    if len(image.shape) != 4 or 3 in axes or 0 in axes or not any(image.shape[axis] > 1 for axis in axes):
        return
    yield from _in_sixteens(lowering, node, mean.lower, SUM_BYTES * output_tensor(graph, node).size)


def _in_sixteens(
    lowering: Lowering, node: Node, lower: Callable[[Lowering, Node], None], scratch_bytes: int
) -> Iterator[Layer]:
    """The portable layer with the kernel for 16 channels, which needs scratch memory where it adds up no rows."""
    if output_tensor(lowering.graph, node).dtype != "int8":
        return
    layer = portable_layer(lowering, node, lower)
    accumulating = None if layer.accumulating is None else _renamed(layer.accumulating)
    yield replace(_renamed(layer), accumulating=accumulating, scratch_bytes=scratch_bytes)


def _renamed(layer: Layer) -> Layer:
    kernel = f"{layer.kernel}_sixteens"
    return replace(layer, kernel=kernel, function=layer.function.replace(layer.kernel, kernel))
