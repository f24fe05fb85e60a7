"""What the kernels for Arm's DSP extension share: weights of two channels in one word, sums rounded by one product."""

from __future__ import annotations

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
