"""DEPTHWISE_CONV_2D: ``kernels/arm_mve/depthwise_dots.h``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from firmware_export.graph import Node
from firmware_export.instruction_sets.arm_mve.packing import TOGETHER, VECTOR, offset_bias, scale_rows, scales_fit
from firmware_export.layer import Array, FieldValue, Layer
from firmware_export.ops import conv_2d, depthwise_conv_2d
from firmware_export.ops.base import Lowering, constant
from firmware_export.ops.requantize import bias_of, channel_scales, fused_range
from firmware_export.ops.window import axes

COLUMN_BYTES = 4 * VECTOR


def lower(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """A 3x3 of multiplier 1, stride 1 or 2, of channels by four."""
    graph = lowering.graph
    image, weights = graph.tensors[node.inputs[0]], constant(graph.tensors[node.inputs[1]])
    vertical, horizontal = axes(graph, node, image.shape, weights.shape[1:3])
    channels = weights.shape[3]
    if image.dtype != "int8" or channels != image.shape[3] or channels % TOGETHER:
        return
    if weights.shape[1:3] != (3, 3) or horizontal.dilation > 1 or horizontal.stride > 2 or vertical.is_single_window:
        return
    scales = channel_scales(graph, node, channels, axis=depthwise_conv_2d.CHANNELS)
    if not scales_fit(scales):
        return
    low, high = fused_range(graph, node)
    filters = weights[0].transpose(2, 1, 0)    # [channels][column][row]
    biases = offset_bias(filters, bias_of(graph, node, 2, channels), scales)
    taps = np.ascontiguousarray(np.pad(filters, ((0, 0), (0, 1), (0, 1)))).reshape(-1).view("<i4").astype(np.int32)
    table = np.concatenate(
        [scale_rows(biases, scales).reshape(channels // TOGETHER, -1), taps.reshape(channels // TOGETHER, -1)], axis=1
    )
    layout = "[channels / 4][28]: bias, multiplier, minus right shift [4] each, taps int8 [4][4 columns][4 rows]"
    reach = (horizontal.out - 1) * horizontal.stride + 4    # a window has a fourth column, of zero taps
    columns = max(reach, horizontal.before + horizontal.size)
    fields: dict[str, FieldValue] = {
        "channels": Array(table.reshape(-1), layout),
        "in_width": horizontal.size,
        "out_width": horizontal.out,
        "depth": channels,
        "before": horizontal.before,
        "columns": columns,
        "in_zero_point": scales.in_zero_point,
        "out_zero_point": scales.out_zero_point,
        "low": low,
        "high": high,
    }
    layer = conv_2d.window_layer(
        lowering,
        node,
        "depthwise_dots",
        fields,
        vertical,
        channels * horizontal.out,
        depthwise_conv_2d.macs(graph, node),
        scratch_bytes=columns * COLUMN_BYTES + VECTOR,
    )
    stride = "_stride_2" if horizontal.stride == 2 else ""
    form = "rectified" if low >= scales.out_zero_point else "signed"
    yield replace(layer, function=f"depthwise_dots{stride}_{form}")
