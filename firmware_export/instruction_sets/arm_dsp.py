"""Arm's DSP extension (Cortex-M4, M7, M33): two products of 16 bits in an instruction, ``kernels/arm_dsp``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Node
from firmware_export.layer import Array, FieldValue, Layer
from firmware_export.ops import conv_2d
from firmware_export.ops.base import Lowering, constant
from firmware_export.ops.requantize import ChannelScales, bias_of, channel_scales, fused_range
from firmware_export.ops.window import Axis, axes

LARGEST_SHIFT = 20
"""To the right, of what is rounded: beyond it the zero point would leave the word."""

SUM_LIMIT = 1 << 30
"""What sums must stay below to be doubled."""

PAIR_LIMIT = 1 << 23
"""What the sums of the odd channel of a pair must stay below: they are 256 times as large beside the even one's."""


def conv_2d_pairs(lowering: Lowering, node: Node) -> Layer | None:
    """A convolution in one group without dilation along the row, or None where the portable kernel has to do it."""
    graph = lowering.graph
    image, filters = graph.tensors[node.inputs[0]], constant(graph.tensors[node.inputs[1]])
    vertical, horizontal = axes(graph, node, image.shape, filters.shape[1:3])
    channels, depth = filters.shape[0], filters.shape[3]
    scales = channel_scales(graph, node, channels)
    if image.dtype != "int8" or depth != image.shape[3] or (horizontal.dilation > 1 and horizontal.kernel > 1):
        return None
    if not pairs_are_exact(filters, bias_of(graph, node, 2, channels), scales):
        return None
    fields, elements = _fields(filters, bias_of(graph, node, 2, channels), scales, horizontal)
    if vertical.is_single_window and vertical.kernel > 1:
        return None    # one that adds up row after row needs less memory
    low, high = fused_range(graph, node)
    return conv_2d.window_layer(
        lowering,
        node,
        "conv_2d_pairs",
        {**fields, "low": low, "high": high},
        vertical,
        channels * horizontal.out,
        conv_2d.macs(graph, node),
        scratch_bytes=2 * elements,
    )


def pairs_are_exact(filters: NDArray[np.int8], bias: NDArray[np.int64], scales: ChannelScales) -> bool:
    """Whether two channels fit into the products of one, and the rounding into a word.

    Args:
        filters: ``[channels, …]``.
        bias: ``[channels]``.
        scales: Of the node.
    """
    magnitudes = np.abs(filters.astype(np.int64)).reshape(len(filters), -1).sum(axis=1)
    shifts = scales.shift[scales.multiplier != 0]
    return bool(
        filters.min() > -128
        and (magnitudes[1::2] * scales.largest_input < PAIR_LIMIT).all()
        and (scales.largest_sums(magnitudes, bias) < SUM_LIMIT).all()
        and (shifts <= -1).all()
        and (shifts >= -LARGEST_SHIFT).all()
    )


def channel_table(bias: NDArray[np.int64], scales: ChannelScales) -> Array:
    """``[channels][3]``: twice the bias, multiplier, right shift."""
    shift = np.where(scales.multiplier == 0, 1, -scales.shift)
    table = np.stack([2 * bias, scales.multiplier, shift], axis=1).astype(np.int32)
    return Array(table, "[out_channels][3]: twice the bias, multiplier, right shift")


def paired(filters: NDArray[np.int8]) -> NDArray[np.int32]:
    """``[channels, run]``, run a multiple of 4, as words of two halfwords ``256 * odd + even``; an odd channel at
    the end has zeros beside it."""
    if len(filters) % 2:
        filters = np.concatenate([filters, np.zeros_like(filters[:1])])
    wide = filters.astype(np.int64)
    halfwords = (256 * wide[1::2] + wide[0::2]).astype("<i2")
    return halfwords.reshape(-1).view("<i4").astype(np.int32)


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
    before, in_size = horizontal.before * column, horizontal.size * column
    last = (horizontal.out - 1) * step + run    # behind what any pixel reads
    size = max(last, before + in_size)
    size += size % 2
    shifted = step % 2 == 1 and horizontal.out > 1
    fields: dict[str, FieldValue] = {
        "weights": Array(paired(by_column), "[out_channels / 2][kernel_w][kernel_h][depth] of 256 * odd + even channel"),
        "channels": channel_table(bias, scales),
        "in_width": horizontal.size,
        "depth": depth,
        "kernel_h": kernel_h,
        "before": before,
        "after": size - before - in_size,
        "shifted": int(shifted),
        "fours": run // 4,
        "step": step,
        "out_width": horizontal.out,
        "out_channels": channels,
        "in_offset": -scales.in_zero_point,
        "out_half": 2 * scales.out_zero_point + 1,
    }
    return fields, (2 * size + 2 if shifted else size)


LOWERINGS: Mapping[str, Callable[[Lowering, Node], Layer | None]] = {"CONV_2D": conv_2d_pairs}
