"""CONV_2D: ``kernels/arm_dsp/conv_2d_pairs.h``, for speed ``conv_2d_winograd.h``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Node
from firmware_export.instruction_sets.arm_dsp.packing import (
    WIDENED,
    channel_table,
    paired,
    pairs_are_exact,
    sums_are_exact,
)
from firmware_export.layer import Array, FieldValue, Layer
from firmware_export.ops import conv_2d
from firmware_export.ops.base import Lowering, constant
from firmware_export.ops.requantize import ChannelScales, bias_of, channel_scales, fused_range
from firmware_export.ops.window import Axis, axes


def lower(lowering: Lowering, node: Node) -> Layer | None:
    """A convolution in one group without dilation along the row, or None where the portable kernel has to do it."""
    graph = lowering.graph
    image, filters = graph.tensors[node.inputs[0]], constant(graph.tensors[node.inputs[1]])
    vertical, horizontal = axes(graph, node, image.shape, filters.shape[1:3])
    channels = filters.shape[0]
    scales, bias = channel_scales(graph, node, channels), bias_of(graph, node, 2, channels)
    if image.dtype != "int8" or filters.shape[3] != image.shape[3]:
        return None
    if horizontal.dilation > 1 and horizontal.kernel > 1:
        return None
    if vertical.is_single_window and vertical.kernel > 1:
        return None    # one that adds up row after row needs less memory
    if not sums_are_exact(filters, bias, scales):
        return None
    if lowering.optimize == "speed" and _winograd_fits(filters, scales, horizontal):
        kernel, (fields, elements) = "conv_2d_winograd", _winograd_fields(filters, bias, scales, horizontal)
    elif pairs_are_exact(filters, scales):
        kernel, (fields, elements) = "conv_2d_pairs", _fields(filters, bias, scales, horizontal)
    else:
        return None
    low, high = fused_range(graph, node)
    return conv_2d.window_layer(
        lowering,
        node,
        kernel,
        {**fields, "low": low, "high": high},
        vertical,
        channels * horizontal.out,
        conv_2d.macs(graph, node),
        scratch_bytes=2 * elements,
    )


def _winograd_fits(filters: NDArray[np.int8], scales: ChannelScales, horizontal: Axis) -> bool:
    """Whether F(2, 3) along the row can do it, without a sum that leaves the word on the way."""
    if filters.shape[2] != 3 or horizontal.stride != 1 or horizontal.out < 4:
        return False
    sums = np.abs(_winograd_weights(filters).astype(np.int64)).sum(axis=(1, 2))
    return bool((sums * 2 * scales.largest_input < 1 << 31).all())


def _winograd_weights(filters: NDArray[np.int8]) -> NDArray[np.int16]:
    """``[channels][m1, m2, m0, m3][column]``, a column being ``kernel_h * depth`` numbers, zeros to a multiple of 4."""
    columns = filters.transpose(2, 0, 1, 3).reshape(3, len(filters), -1).astype(np.int16)
    g0, g1, g2 = np.pad(columns, ((0, 0), (0, 0), (0, -columns.shape[2] % 4)))
    return np.stack([g0 + g1 + g2, g0 - g1 + g2, 2 * g0, 2 * g2], axis=1)


def _winograd_fields(
    filters: NDArray[np.int8], bias: NDArray[np.int64], scales: ChannelScales, horizontal: Axis
) -> tuple[dict[str, FieldValue], int]:
    """The fields of ``struct ec_conv_2d_winograd`` but for the activation's, and elements of its scratch."""
    channels, kernel_h, _, depth = filters.shape
    products = _winograd_weights(filters)
    column = products.shape[2]
    if channels % 2:
        products = np.concatenate([products, np.zeros_like(products[:1])])
    by_four = products.reshape(-1, 2, 4, column // 4, 4)[..., WIDENED if depth % 4 == 0 else (0, 1, 2, 3)]
    words = np.ascontiguousarray(by_four.transpose(0, 2, 3, 1, 4), "<i2").reshape(-1).view("<i4").astype(np.int32)
    before, in_size = horizontal.before * column, horizontal.size * column
    size = max((horizontal.out + 2) * column, before + in_size)
    fields: dict[str, FieldValue] = {
        "weights": Array(words, "[out_channels / 2][m1, m2, m0, m3][column / 4][2][4] of 16 bits"),
        "channels": channel_table(bias, scales),
        "in_width": horizontal.size,
        "depth": depth,
        "kernel_h": kernel_h,
        "column": column,
        "sixteens": column // 16,
        "fours": column // 4 % 4,
        "before": before,
        "after": size - before - in_size,
        "out_width": horizontal.out,
        "out_channels": channels,
        "in_offset": -scales.in_zero_point,
    }
    return fields, size + 8 * column


def _fields(
    filters: NDArray[np.int8], bias: NDArray[np.int64], scales: ChannelScales, horizontal: Axis
) -> tuple[dict[str, FieldValue], int]:
    """The fields of ``struct ec_conv_2d_pairs`` but for the activation's, and elements of the columns."""
    channels, kernel_h, kernel_w, depth = filters.shape
    column = kernel_h * depth
    step, taps = horizontal.stride * column, kernel_w * column
    run = -(-taps // 4) * 4
    by_column = np.zeros((channels, run), np.int8)
    by_column[:, :taps] = filters.transpose(0, 2, 1, 3).reshape(channels, -1)
    if depth % 4 == 0:
        by_column = by_column.reshape(channels, -1, 4)[..., WIDENED].reshape(channels, run)
    before, in_size = horizontal.before * column, horizontal.size * column
    last = (horizontal.out - 1) * step + run    # behind what any pixel reads
    size = max(last, before + in_size)
    size += size % 2
    shifted = step % 2 == 1 and horizontal.out > 1
    fields: dict[str, FieldValue] = {
        "weights": Array(paired(by_column), "[out_channels / 2][kernel_w][kernel_h][depth]: 256 * odd + even"),
        "channels": channel_table(bias, scales),
        "in_width": horizontal.size,
        "depth": depth,
        "kernel_h": kernel_h,
        "before": before,
        "after": size - before - in_size,
        "shifted": int(shifted),
        "sixteens": run // 16,
        "fours": run // 4 % 4,
        "points": int(kernel_h == kernel_w == 1 and depth % 4 == 0 and before == 0),
        "step": step,
        "out_width": horizontal.out,
        "out_channels": channels,
        "in_offset": -scales.in_zero_point,
    }
    return fields, (2 * size + 2 if shifted else size)
