"""What the kernels for Arm's DSP extension share: weights of two channels in one word, sums rounded by one product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_export.layer import Array
from firmware_export.ops.requantize import ChannelScales

LARGEST_SHIFT = 20
"""To the right, of what is rounded: beyond it the zero point would leave the word."""

SUM_LIMIT = 1 << 30
"""What sums must stay below to be doubled."""

PAIR_LIMIT = 1 << 23
"""What the sums of the odd channel of a pair must stay below: they are 256 times as large beside the even one's."""


COMMON_SHIFT = 10
"""What the sums of a rectified layer are shifted by, after the multiplication."""

WIDENED = (0, 2, 1, 3)
"""The order of four numbers that were widened together (``ec_widen``)."""


def sums_are_exact(filters: NDArray[np.int8], bias: NDArray[np.int64], scales: ChannelScales) -> bool:
    """Whether twice a sum, and what rounds it, fit into a word.

    Args:
        filters: ``[channels, …]``.
        bias: ``[channels]``.
        scales: Of the node.
    """
    shifts = scales.shift[scales.multiplier != 0]
    return bool(
        (scales.largest_sums(_magnitudes(filters), bias) < SUM_LIMIT).all()
        and (shifts <= -1).all()
        and (shifts >= -LARGEST_SHIFT).all()
    )


def pairs_are_exact(filters: NDArray[np.int8], scales: ChannelScales) -> bool:
    """Whether two channels fit into the products of one."""
    return bool(filters.min() > -128 and (_magnitudes(filters)[1::2] * scales.largest_input < PAIR_LIMIT).all())


def _magnitudes(filters: NDArray[np.int8]) -> NDArray[np.int64]:
    sums: NDArray[np.int64] = np.abs(filters.astype(np.int64)).reshape(len(filters), -1).sum(axis=1)
    return sums


@dataclass(frozen=True)
class Sums:
    """How sums of weights of 16 bits are rounded.

    Attributes:
        form: ``rectified``: the activation cuts off what lies below the zero point, so that it does not matter how a
            negative sum is rounded, and all channels have the same shift; or ``signed``.
        growth: Bits that weights and bias gain, ``[channels]``: one, and what leads to the same shift.
        bias: With that growth, ``[channels]``.
        rounding: What a channel's table ends with: multiplier, carry, and in the signed form the shift.
        in_zero_point: Of the input.
    """

    form: str
    growth: NDArray[np.int64]
    bias: NDArray[np.int64]
    rounding: tuple[NDArray[np.int64], ...]
    in_zero_point: int

    def layout(self, weights: str) -> str:
        """The comment of a table of bias, weights and rounding."""
        shift = ", shift" if len(self.rounding) > 2 else ""
        return f"[out_channels][bias, {weights}, multiplier, carry{shift}]"


def sums_of(
    largest: NDArray[np.int64], weights: NDArray[np.int64], bias: NDArray[np.int64], scales: ChannelScales, low: int
) -> Sums:
    """The fastest way that is exact, for sums that ``sums_are_exact`` accepts.

    Args:
        largest: What sums may reach, ``[channels]``.
        weights: The largest absolute weight, ``[channels]``.
        bias: ``[channels]``.
        scales: Of the node.
        low: Of the activation.
    """
    used = scales.multiplier != 0
    growth = np.where(used, COMMON_SHIFT + scales.shift, 1)
    shift = np.where(used, -scales.shift, 1)
    half = 2 * scales.out_zero_point + 1
    if (
        low >= scales.out_zero_point
        and (growth >= 1).all()
        and (largest << growth < SUM_LIMIT).all()
        and (weights << growth + 1 < 1 << 15).all()
    ):
        carry = (half << COMMON_SHIFT - 1) + (1 << growth - 1)
        return Sums("rectified", growth + 1, bias << growth + 1, (scales.multiplier, carry), scales.in_zero_point)
    rounding = (scales.multiplier, half << shift - 1, shift)
    return Sums("signed", np.ones_like(growth), 2 * bias, rounding, scales.in_zero_point)


def by_column(filters: NDArray[np.int8], multiple: int) -> NDArray[np.int8]:
    """``[channels, kernel_h, kernel_w, depth]`` as ``[channels, run]``: what a filter sees of a row's columns, in the
    order in which they are widened, with zeros to a multiple."""
    channels, depth = filters.shape[0], filters.shape[3]
    runs = filters.transpose(0, 2, 1, 3).reshape(channels, -1)
    if depth % 4 == 0:
        runs = runs.reshape(channels, -1, 4)[..., WIDENED].reshape(channels, -1)
    return np.pad(runs, ((0, 0), (0, -runs.shape[1] % multiple)))


def channel_table(bias: NDArray[np.int64], scales: ChannelScales) -> Array:
    """``struct ec_channel`` for each channel: ``[channels][4]``."""
    shift = np.where(scales.multiplier == 0, 1, -scales.shift)
    carry = (2 * scales.out_zero_point + 1) << (shift - 1)
    table = np.stack([2 * bias, scales.multiplier, carry, shift], axis=1).astype(np.int32)
    return Array(table, "[out_channels][4]: twice the bias, multiplier, carry, right shift")


def paired(filters: NDArray[np.int8]) -> NDArray[np.int32]:
    """``[channels, run]``, run a multiple of 4, as words of two halfwords ``256 * odd + even``; an odd channel at
    the end has zeros beside it."""
    if len(filters) % 2:
        filters = np.concatenate([filters, np.zeros_like(filters[:1])])
    wide = filters.astype(np.int64)
    halfwords = (256 * wide[1::2] + wide[0::2]).astype("<i2")
    return halfwords.reshape(-1).view("<i4").astype(np.int32)
