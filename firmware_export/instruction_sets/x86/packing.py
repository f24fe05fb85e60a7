"""What the kernels for x86 share: words of four weights for 16 channels, and what scales their sums."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from firmware_export.instruction_sets.quads import BLOCK, channel_table, filled, weight_table
from firmware_export.layer import FieldValue
from firmware_export.ops.requantize import ChannelScales

UNSIGNED = 128
"""What the kernels add to inputs: VNNI multiplies bytes without sign by bytes with sign."""

LARGEST_SHIFT = 20
"""Up to which a zero point, shifted left with the rest of the rounding, is far from leaving 64 bits."""

FILL_BEYOND = 64
"""Bytes of scratch memory behind the last row: fills and words of zero weights reach into them."""


def scales_fit(scales: ChannelScales) -> bool:
    """Whether every factor other than 0 is below 1/2, and not so small that its rounding has no place in 64 bits."""
    shift = scales.shift[scales.multiplier != 0]
    return bool(((shift >= -LARGEST_SHIFT) & (shift <= -1)).all())


def tables(runs: NDArray[np.int8], bias: NDArray[np.int64], scales: ChannelScales) -> dict[str, FieldValue]:
    """Weights, constants of channels, and the bytes of a block of weights: the first fields of a kernel's struct.

    Args:
        runs: ``[channels, run]``, what a filter sees in the kernel's order, in words of 4.
        bias: ``[channels]``.
        scales: Of the node.
    """
    more = -len(runs) % BLOCK
    whole = np.pad(runs, ((0, more), (0, 0)))
    some_shift = np.where(scales.multiplier == 0, -1, scales.shift)
    padded = replace(scales, multiplier=np.pad(scales.multiplier, (0, more)), shift=np.pad(some_shift, (0, more)))
    zero_point = scales.in_zero_point + UNSIGNED
    return {
        "weights": weight_table(whole),
        "channels": channel_table(whole, np.pad(bias, (0, more)), padded, zero_point),
        "block": BLOCK * filled(runs.shape[1]),
    }
