"""DEPTHWISE_CONV_2D: ``kernels/x86/depthwise_words.h``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from firmware_export.graph import Node
from firmware_export.instruction_sets.quads import BLOCK
from firmware_export.instruction_sets.x86.packing import FILL_BEYOND, scales_fit, tables
from firmware_export.layer import FieldValue, Layer
from firmware_export.ops import conv_2d, depthwise_conv_2d
from firmware_export.ops.base import Lowering, constant
from firmware_export.ops.requantize import bias_of, channel_scales, fused_range
from firmware_export.ops.window import axes

ROWS = 4
"""Rows of a column whose numbers make a word."""


def lower(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """Multiplier 1, without dilation along the row."""
    graph = lowering.graph
    image, weights = graph.tensors[node.inputs[0]], constant(graph.tensors[node.inputs[1]])
    _, kernel_h, kernel_w, channels = weights.shape
    vertical, horizontal = axes(graph, node, image.shape, (kernel_h, kernel_w))
    if image.dtype != "int8" or channels != image.shape[3]:
        return
    if horizontal.dilation > 1 and horizontal.kernel > 1:
        return
    scales = channel_scales(graph, node, channels, axis=depthwise_conv_2d.CHANNELS)
    if not scales_fit(scales):
        return
    low, high = fused_range(graph, node)
    filters = np.pad(weights[0].transpose(2, 1, 0), ((0, 0), (0, 0), (0, -kernel_h % ROWS)))
    groups = filters.shape[2] // ROWS
    columns = (horizontal.out - 1) * horizontal.stride + kernel_w    # what windows see
    before = min(horizontal.before, columns)
    fields: dict[str, FieldValue] = {
        **tables(filters.reshape(channels, -1), bias_of(graph, node, 2, channels), scales),
        "depth": channels,
        "kernel_h": kernel_h,
        "groups": groups,
        "kernel_w": kernel_w,
        "stride_w": horizontal.stride,
        "in_width": min(horizontal.size, columns - before),
        "before": before,
        "columns": columns,
        "out_width": horizontal.out,
        "in_zero_point": scales.in_zero_point,
        "out_zero_point": scales.out_zero_point,
        "low": low,
        "high": high,
    }
    yield conv_2d.window_layer(
        lowering,
        node,
        "depthwise_words",
        fields,
        vertical,
        channels * horizontal.out,
        depthwise_conv_2d.macs(graph, node),
        scratch_bytes=columns * groups * ROWS * BLOCK + FILL_BEYOND,
    )
