"""What the kernels of the set share: when two pixels fit into a word, and how sums are rounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_export.layer import Array
from firmware_export.ops.requantize import ChannelScales

LARGEST_SHIFT = 16
"""To the right, of what is rounded: the zero point, shifted as far to the left, has 24 bits."""

SUM_LIMIT = 1 << 28
"""What sums must stay below: twice one times a multiplier is added up from halfwords."""


def is_exact(filters: NDArray[np.int8], bias: NDArray[np.int64], scales: ChannelScales) -> bool:
    """Whether sums of two products fit into 16 bits, and those of all into what rounds them.

    Args:
        filters: ``[channels, …]``.
        bias: ``[channels]``, with what the input's zero point adds.
        scales: Of the node.
    """
    magnitudes = np.abs(filters.astype(np.int64)).reshape(len(filters), -1).sum(axis=1)
    shifts = scales.shift[scales.multiplier != 0]
    return bool(
        filters.min() > -128
        and (128 * magnitudes + np.abs(bias) < SUM_LIMIT).all()
        and (shifts <= -1).all()
        and (shifts >= -LARGEST_SHIFT).all()
    )


def offset_bias(filters: NDArray[np.int8], bias: NDArray[np.int64], scales: ChannelScales) -> NDArray[np.int64]:
    """The bias with the products of the input's zero point in it, which the kernels do not subtract.

    Args:
        filters: ``[channels, …]``.
        bias: ``[channels]``.
        scales: Of the node.
    """
    sums: NDArray[np.int64] = filters.astype(np.int64).reshape(len(filters), -1).sum(axis=1)
    return bias - scales.in_zero_point * sums


def channel_table(bias: NDArray[np.int64], scales: ChannelScales) -> Array:
    """``struct ec_packed_channel`` for each channel: ``[channels][3]``."""
    shift = np.where(scales.multiplier == 0, 1, -scales.shift)
    carry = (2 * scales.out_zero_point + 1) << (shift - 1)
    table = np.stack([2 * bias, scales.multiplier, (carry << 8) + shift], axis=1).astype(np.int32)
    return Array(table, "[out_channels][3]: twice the bias, multiplier, carry and right shift")
