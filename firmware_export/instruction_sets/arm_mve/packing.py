"""What the kernels for Helium share: vectors of 16 weights for four channels, and what scales their sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_export.layer import Array
from firmware_export.ops.requantize import ChannelScales

VECTOR = 16
"""Numbers of int8 in one."""

TOGETHER = 4
"""Channels that are computed together: 32-bit numbers in a vector."""


def scales_fit(scales: ChannelScales) -> bool:
    """Whether every factor shifts right after the multiplication: the kernels round as if one did."""
    return bool((scales.shift <= -1).all())


def offset_bias(filters: NDArray[np.int8], bias: NDArray[np.int64], scales: ChannelScales) -> NDArray[np.int32]:
    """The bias with the products of the input's zero point in it, which the kernels do not subtract.

    It may leave 32 bits, and so may what is added to it: whole sums do not, and all is counted modulo 2^32.

    Args:
        filters: ``[channels, …]``.
        bias: ``[channels]``.
        scales: Of the node.
    """
    whole = bias - scales.in_zero_point * filters.astype(np.int64).reshape(len(filters), -1).sum(axis=1)
    biases: NDArray[np.int32] = (whole & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    return biases


def scale_rows(biases: NDArray[np.int32], scales: ChannelScales) -> NDArray[np.int32]:
    """``[channels / 4][3][4]``: what is added to sums, multiplier, minus the right shift."""
    table = np.stack([biases.astype(np.int64), scales.multiplier, scales.shift])
    rows: NDArray[np.int32] = table.reshape(3, -1, TOGETHER).transpose(1, 0, 2).astype(np.int32)
    return rows


def dots(runs: NDArray[np.int8], biases: NDArray[np.int32], scales: ChannelScales) -> dict[str, Array | int]:
    """The tables of ``kernels/arm_mve/conv_2d_dots.h``, for ``[channels, run]``."""
    filled = np.pad(runs, ((0, 0), (0, -runs.shape[1] % VECTOR)))
    vectors = filled.shape[1] // VECTOR
    weights = filled.reshape(-1, TOGETHER, vectors, VECTOR).transpose(0, 2, 1, 3)
    return {
        "weights": Array(np.ascontiguousarray(weights).reshape(-1), "[out_channels / 4][vectors][4][16]"),
        "channels": Array(
            scale_rows(biases, scales).reshape(-1), "[out_channels / 4][3][4]: bias, multiplier, minus right shift"
        ),
        "vectors": vectors,
    }
