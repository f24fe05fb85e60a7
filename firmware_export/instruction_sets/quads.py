"""Weights for kernels that add four products of int8 to each sum.

A *quad* is four neighbouring numbers of what a filter sees, or four of its weights. Channels are taken by 16, so that
the quads of 16 channels are 64 bytes in reading order; the channels that are left over are taken by 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from firmware_export.layer import Array
from firmware_export.ops.requantize import ChannelScales

VECTOR = 16
"""Numbers of int8 that are read at once: runs are filled up to a multiple of them with weights of zero."""

BLOCK, REST = 16, 4
"""Channels that are computed together."""

SMALLEST_WEIGHT = -127
"""Products of two of them fit into 16 bits together; TFLite's quantization gives no smaller one."""


def fit(weights: NDArray[np.int8], scales: ChannelScales) -> bool:
    """Whether kernels can take a layer: every factor shifts right after its multiplication, no weight is -128."""
    return bool((scales.shift <= -1).all() and (weights >= SMALLEST_WEIGHT).all())


def filled(run: int) -> int:
    """A run's length with the zeros behind it."""
    return -(-run // VECTOR) * VECTOR


def weight_table(runs: NDArray[np.int8]) -> Array:
    """Weights in reading order.

    Args:
        runs: ``[channels, run]``, what a filter sees in the order in which it lies in memory.
    """
    channels, run = runs.shape
    padded = np.pad(runs, ((0, -channels % REST), (0, filled(run) - run)))
    quads = padded.reshape(len(padded), -1, 4)
    parts = [quads[first : first + size].transpose(1, 0, 2).reshape(-1) for first, size in _blocks(channels)]
    return Array(
        np.concatenate(parts), "[out_channels / 16][run / 4][16][4], the rest of the channels [rest / 4][run / 4][4][4]"
    )


def channel_table(
    runs: NDArray[np.int8],
    bias: NDArray[np.int64],
    scales: ChannelScales,
    zero_point: int,
    order: Sequence[int] | None = None,
) -> Array:
    """What makes outputs of sums.

    Args:
        runs: ``[channels, …]``, the weights.
        bias: ``[channels]``.
        scales: Of the node.
        zero_point: What every number of the input has too much. Its products are taken off the bias, which may leave
            32 bits, and so may what is added to it: whole sums do not, and all is counted modulo 2^32.
        order: The channel at each place of the table; None for all in their order.
    """
    whole = bias - zero_point * runs.astype(np.int64).reshape(len(runs), -1).sum(axis=1)
    biases = (whole & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    rows = np.stack([biases, scales.multiplier, scales.shift])
    if order is not None:
        rows = rows[:, order]
    channels = rows.shape[1]
    rows = np.pad(rows, ((0, 0), (0, -channels % REST)))
    parts = [rows[:, first : first + size].reshape(-1) for first, size in _blocks(channels)]
    return Array(
        np.concatenate(parts).astype(np.int32),
        "[channels / 16][3][16], the rest [rest / 4][3][4]: bias with the zero point, multiplier, minus right shift",
    )


def _blocks(channels: int) -> list[tuple[int, int]]:
    """First channel and size of each block; the last may reach beyond the channels."""
    whole = channels // BLOCK * BLOCK
    rest = [(first, REST) for first in range(whole, channels, REST)]
    return [(first, BLOCK) for first in range(0, whole, BLOCK)] + rest
