"""FULLY_CONNECTED as a CONV_2D of one pixel: ``kernels/arm_dsp/conv_2d_pairs.h``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from firmware_export.graph import Node
from firmware_export.instruction_sets.arm_dsp.packing import pairs_are_exact, sums_are_exact
from firmware_export.instruction_sets.arm_dsp.pairs import pairs_fields
from firmware_export.instruction_sets.arm_dsp.portable import portable_layer
from firmware_export.layer import Layer
from firmware_export.ops import fully_connected
from firmware_export.ops.base import Lowering, constant
from firmware_export.ops.requantize import bias_of, channel_scales, fused_range
from firmware_export.ops.window import Axis

PIXEL = Axis(size=1, out=1, kernel=1, stride=1, dilation=1, before=0)


def lower(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """Symmetrical weights.

    Where the input comes in parts, adding them up is the portable kernel's too: it needs the least memory.
    """
    graph = lowering.graph
    weights = constant(graph.tensors[node.inputs[1]])
    out_size, in_size = weights.shape
    if graph.tensors[node.inputs[0]].dtype != "int8" or fully_connected.weights_zero_point(graph, node):
        return
    scales, bias = channel_scales(graph, node, out_size), bias_of(graph, node, 2, out_size)
    filters = weights.reshape(out_size, 1, 1, in_size)
    if not sums_are_exact(filters, bias, scales) or not pairs_are_exact(filters, scales):
        return
    fields, scratch_bytes = pairs_fields(filters, bias, scales, PIXEL)
    low, high = fused_range(graph, node)
    yield replace(
        portable_layer(lowering, node, fully_connected.lower),
        kernel="conv_2d_pairs",
        function="conv_2d_pairs",
        fields={**fields, "low": low, "high": high},
        one_list=True,
        scratch_bytes=scratch_bytes,
    )
