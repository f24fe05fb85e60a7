"""AVERAGE_POOL_2D: ``kernels/arm_mve/average_pool_2d_lanes.h``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from firmware_export.graph import Node
from firmware_export.instruction_sets.arm_dsp.portable import portable_layer
from firmware_export.instruction_sets.arm_mve.packing import TOGETHER
from firmware_export.layer import Layer
from firmware_export.ops import average_pool_2d
from firmware_export.ops.base import Lowering, output_tensor

SUM_BYTES = 4


def lower(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """Channels by four."""
    channels = lowering.graph.tensors[node.inputs[0]].shape[3]
    if output_tensor(lowering.graph, node).dtype != "int8" or channels % TOGETHER:
        return
    layer = portable_layer(lowering, node, average_pool_2d.lower)
    accumulating = None if layer.accumulating is None else _renamed(layer.accumulating)
    yield replace(_renamed(layer), accumulating=accumulating, scratch_bytes=SUM_BYTES * channels)


def _renamed(layer: Layer) -> Layer:
    kernel = f"{layer.kernel}_lanes"
    return replace(layer, kernel=kernel, function=layer.function.replace(layer.kernel, kernel))
