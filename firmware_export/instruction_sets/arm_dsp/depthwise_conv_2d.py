"""DEPTHWISE_CONV_2D: ``kernels/arm_dsp/depthwise_3x3.h``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Node
from firmware_export.instruction_sets.arm_dsp.packing import COMMON_SHIFT, LARGEST_SHIFT, SUM_LIMIT
from firmware_export.layer import Array, FieldValue, Layer
from firmware_export.ops import conv_2d, depthwise_conv_2d
from firmware_export.ops.base import Lowering, constant
from firmware_export.ops.requantize import ChannelScales, bias_of, channel_scales, fused_range
from firmware_export.ops.window import Axis, axes

TOGETHER = 4
"""Channels that are widened together."""

LARGEST_ROUNDS = (1 << 14) - 1
"""Of the loop, where the last tap counts them."""

COLUMN_BYTES = 8 * TOGETHER


@dataclass(frozen=True)
class _Form:
    """One of the kernel's functions.

    Attributes:
        is_rectified: The activation cuts off what lies below the zero point.
        growth: Bits that taps and bias gain beside that of doubling, ``[channels]``.
    """

    is_rectified: bool
    growth: NDArray[np.int64]


def lower(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """A 3x3 of multiplier 1, stride 1 or 2."""
    graph = lowering.graph
    image, weights = graph.tensors[node.inputs[0]], constant(graph.tensors[node.inputs[1]])
    vertical, horizontal = axes(graph, node, image.shape, weights.shape[1:3])
    channels = weights.shape[3]
    if image.dtype != "int8" or channels != image.shape[3] or channels < TOGETHER:
        return
    if weights.shape[1:3] != (3, 3) or horizontal.dilation > 1 or horizontal.stride > 2 or vertical.is_single_window:
        return
    scales = channel_scales(graph, node, channels, axis=depthwise_conv_2d.CHANNELS)
    taps = weights[0].astype(np.int64).transpose(2, 0, 1)
    bias = bias_of(graph, node, 2, channels) - scales.in_zero_point * taps.sum(axis=(1, 2))
    low, high = fused_range(graph, node)
    form = _form(taps, bias, scales, low, horizontal)
    if form is None:
        return
    fields, scratch_bytes = _fields(taps, bias, scales, horizontal, form)
    if vertical.before > 0 or vertical.starts[-1] + vertical.extent > vertical.size:
        scratch_bytes += horizontal.size * channels    # a row of padding
    layer = conv_2d.window_layer(
        lowering,
        node,
        "depthwise_3x3",
        {**fields, "low": low, "high": high},
        vertical,
        channels * horizontal.out,
        depthwise_conv_2d.macs(graph, node),
        scratch_bytes=scratch_bytes,
    )
    stride = "_stride_2" if horizontal.stride == 2 else ""
    yield replace(layer, function=f"depthwise_3x3{stride}_{'rectified' if form.is_rectified else 'signed'}")


def _form(
    taps: NDArray[np.int64], bias: NDArray[np.int64], scales: ChannelScales, low: int, horizontal: Axis
) -> _Form | None:
    """The fastest function that is exact; None if there is none."""
    used = scales.multiplier != 0
    growth = np.where(used, COMMON_SHIFT + scales.shift, 1)
    largest = 128 * np.abs(taps).sum(axis=(1, 2)) + np.abs(bias)    # the input is widened with its zero point
    if (
        low >= scales.out_zero_point
        and (growth >= 1).all()
        and (growth <= 7).all()
        and (largest << growth < SUM_LIMIT).all()
        and (np.abs(taps).max(axis=(1, 2)) << growth + 1 < 1 << 15).all()
        and horizontal.out // 2 <= LARGEST_ROUNDS
    ):
        return _Form(True, growth)
    shifts = scales.shift[used]
    if (shifts <= -1).all() and (shifts >= -LARGEST_SHIFT).all() and (largest < SUM_LIMIT).all():
        return _Form(False, np.zeros_like(growth))
    return None


def _fields(
    taps: NDArray[np.int64], bias: NDArray[np.int64], scales: ChannelScales, horizontal: Axis, form: _Form
) -> tuple[dict[str, FieldValue], int]:
    """The fields of ``struct ec_depthwise_3x3`` but for the activation's, and bytes of columns and results."""
    walk = _Walk(horizontal)
    channels, size = len(taps), horizontal.size
    after = max(0, walk.reach - walk.before - size)
    fields: dict[str, FieldValue] = {
        "taps": _table(taps, bias, scales, form, walk),
        "in_width": size,
        "out_width": horizontal.out,
        "channels": channels,
        "before": walk.before,
        "after": after,
        "in_zero_point": scales.in_zero_point,
        "results": walk.results,
        "dropped": walk.dropped,
        "reach": walk.reach,
        "rounds": walk.rounds,
    }
    return fields, (walk.before + size + after) * COLUMN_BYTES + TOGETHER * walk.results


@dataclass(frozen=True)
class _Walk:
    """How the kernel walks over the columns of a channel."""

    axis: Axis

    @property
    def dropped(self) -> int:
        """Results in front of the first: with stride 1 a column of padding stands in the table instead of in memory."""
        return int(self.axis.stride == 1 and self.axis.before == 0)

    @property
    def before(self) -> int:
        """Columns of padding in memory."""
        return self.axis.before + self.dropped - int(self.axis.stride == 1)

    @property
    def results(self) -> int:
        """All that are computed: the loop has a round at least, and one or two results lie behind it."""
        return max(self.axis.out + self.dropped, 4 - self.axis.stride)

    @property
    def rounds(self) -> int:
        """Of the loop: of two results with stride 1, of one with stride 2."""
        return (self.results - 1) // (3 - self.axis.stride)

    @property
    def reach(self) -> int:
        """Columns in memory that are loaded."""
        return (self.results - 1) * self.axis.stride + 3 - int(self.axis.stride == 1)


def _table(
    taps: NDArray[np.int64], bias: NDArray[np.int64], scales: ChannelScales, form: _Form, walk: _Walk
) -> Array:
    """What the kernel has in registers, for each channel in the order of the work."""
    channels = len(taps)
    starts = [*range(0, channels - TOGETHER, TOGETHER), channels - TOGETHER]
    order = np.array([start + i for start in starts for i in range(TOGETHER)])
    is_last = np.arange(order.size) % TOGETHER == TOGETHER - 1
    is_even = int(walk.results % 2 == 0)
    grown = taps << form.growth[:, None, None] + 1
    shift = np.where(scales.multiplier == 0, 1, -scales.shift)
    half = 2 * scales.out_zero_point + 1
    last_tap = grown[:, 2, 2]
    if form.is_rectified:
        carry = (half << COMMON_SHIFT - 1) + (1 << form.growth - 1)
        low, high = last_tap, np.full(channels, is_even + 4 * (walk.rounds - 1))
        flag = is_last * 2 << 16
    else:
        carry = half << shift - 1
        low, high = shift + (is_even << 8), last_tap
        flag = is_last * 2 << 8
    bias = bias << form.growth + 1
    words = [
        *([bias + scales.in_zero_point * grown[:, :, 0].sum(axis=1)] if walk.axis.stride == 1 else []),
        *(_word(grown[:, 0, x], grown[:, 1, x]) for x in range(3)),
        _word(grown[:, 2, 0], grown[:, 2, 1]),
        _word(low, high),
        bias,
        scales.multiplier,
        carry,
    ]
    table = np.stack(words, axis=1)[order]
    table[:, -4] += flag
    layout = "[channels, by 4][bias with padding, if stride 1; taps of rows 0 and 1, of row 2; bias, multiplier, carry]"
    return Array(table.astype(np.int32), layout)


def _word(low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.int64]:
    """Two halfwords as a word."""
    unsigned = (low & 0xFFFF) + ((high & 0xFFFF) << 16)
    signed: NDArray[np.int64] = unsigned - (unsigned >> 31 << 32)
    return signed
