"""DEPTHWISE_CONV_2D: ``kernels/packed/depthwise_fours.h``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Node
from firmware_export.instruction_sets.packed.packing import channel_table, is_exact, offset_bias
from firmware_export.layer import Array, FieldValue, Layer
from firmware_export.ops import conv_2d, depthwise_conv_2d
from firmware_export.ops.base import Lowering, constant
from firmware_export.ops.requantize import ChannelScales, bias_of, channel_scales, fused_range
from firmware_export.ops.window import Axis, axes

TAPS = 3
"""In a row of the kernel."""


def lower(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """Three taps in a row, multiplier 1, stride 1 or 2."""
    graph = lowering.graph
    image, weights = graph.tensors[node.inputs[0]], constant(graph.tensors[node.inputs[1]])
    vertical, horizontal = axes(graph, node, image.shape, weights.shape[1:3])
    channels = weights.shape[depthwise_conv_2d.CHANNELS]
    if image.dtype != "int8" or channels != image.shape[3]:
        return
    if horizontal.kernel != TAPS or horizontal.dilation > 1 or horizontal.stride > 2:
        return
    filters = weights[0].transpose(2, 0, 1)
    scales = channel_scales(graph, node, channels, axis=depthwise_conv_2d.CHANNELS)
    bias = offset_bias(filters, bias_of(graph, node, 2, channels), scales)
    if not is_exact(filters, bias, scales):
        return
    low, high = fused_range(graph, node)
    fields, scratch_bytes = _fields(filters, bias, scales, horizontal)
    yield conv_2d.window_layer(
        lowering,
        node,
        "depthwise_fours",
        {**fields, "low": low, "high": high},
        vertical,
        channels * horizontal.out,
        depthwise_conv_2d.macs(graph, node),
        scratch_bytes=scratch_bytes,
    )


def _fields(
    filters: NDArray[np.int8], bias: NDArray[np.int64], scales: ChannelScales, horizontal: Axis
) -> tuple[dict[str, FieldValue], int]:
    """The fields of ``struct ec_depthwise_fours`` but for the activation's, and bytes of the rows with padding."""
    channels, kernel_h, _ = filters.shape
    reach = (horizontal.out - 1) * horizontal.stride + TAPS
    after = max(0, reach - horizontal.before - horizontal.size)
    fields: dict[str, FieldValue] = {
        "weights": Array(filters.reshape(-1), "[channels][kernel_h][3]"),
        "channels": channel_table(bias, scales),
        "in_bytes": horizontal.size * channels,
        "depth": channels,
        "out_width": horizontal.out,
        "kernel_h": kernel_h,
        "stride_w": horizontal.stride,
        "before": horizontal.before * channels,
        "after": after * channels,
        "in_zero_point": scales.in_zero_point,
    }
    return fields, kernel_h * channels * (horizontal.before + horizontal.size + after)
