"""DEPTHWISE_CONV_2D: ``kernels/neon/depthwise_quads.h``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from firmware_export.graph import Node
from firmware_export.instruction_sets import quads
from firmware_export.layer import Array, FieldValue, Layer
from firmware_export.ops import conv_2d, depthwise_conv_2d
from firmware_export.ops.base import Lowering, constant
from firmware_export.ops.requantize import bias_of, channel_scales, fused_range
from firmware_export.ops.window import axes


def lower(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """A convolution of multiplier 1, of any window, stride and dilation."""
    graph = lowering.graph
    image, weights = graph.tensors[node.inputs[0]], constant(graph.tensors[node.inputs[1]])
    vertical, horizontal = axes(graph, node, image.shape, weights.shape[1:3])
    _, kernel_h, kernel_w, channels = weights.shape
    if image.dtype != "int8" or channels != image.shape[3]:
        return
    scales = channel_scales(graph, node, channels, axis=depthwise_conv_2d.CHANNELS)
    if not quads.fit(weights, scales):
        return
    low, high = fused_range(graph, node)
    in_column = -(-kernel_h // 4)
    taps = np.pad(weights[0], ((0, 4 * in_column - kernel_h), (0, 0), (0, 0))).transpose(2, 1, 0)
    order = _blocks(channels)
    by_block = taps[order].reshape(-1, quads.BLOCK, kernel_w * in_column, 4).transpose(0, 2, 1, 3)
    biases = bias_of(graph, node, 2, channels)
    columns = max(horizontal.before + horizontal.size, (horizontal.out - 1) * horizontal.stride + horizontal.extent)
    spread = 4 * horizontal.size * quads.BLOCK if channels < quads.BLOCK else 0
    fields: dict[str, FieldValue] = {
        "weights": Array(
            np.ascontiguousarray(by_block).reshape(-1), "[channels / 16][kernel_w][kernel_h / 4][16][4 rows]"
        ),
        "params": quads.channel_table(taps, biases, scales, scales.in_zero_point, order),
        "in_width": horizontal.size,
        "channels": channels,
        "kernel_h": kernel_h,
        "kernel_w": kernel_w,
        "before": horizontal.before,
        "columns": columns,
        "stride_w": horizontal.stride,
        "dilation_w": horizontal.dilation,
        "out_width": horizontal.out,
        "in_zero_point": scales.in_zero_point,
        "out_zero_point": scales.out_zero_point,
        "low": low,
        "high": high,
    }
    yield conv_2d.window_layer(
        lowering,
        node,
        "depthwise_quads",
        fields,
        vertical,
        channels * horizontal.out,
        depthwise_conv_2d.macs(graph, node),
        scratch_bytes=columns * in_column * 4 * quads.BLOCK + spread,
    )


def _blocks(channels: int) -> list[int]:
    """The channel at each place of the tables: the last 16 overlap those before them, fewer than 16 are repeated."""
    if channels < quads.BLOCK:
        return [place % channels for place in range(quads.BLOCK)]
    whole = list(range(channels // quads.BLOCK * quads.BLOCK))
    return whole if len(whole) == channels else whole + list(range(channels - quads.BLOCK, channels))
