"""CONV_2D by Winograd's F(2x2, 3x3): ``kernels/arm_dsp/conv_2d_tiles.h``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_export.instruction_sets.arm_dsp.packing import WIDENED
from firmware_export.layer import Array, FieldValue
from firmware_export.ops.requantize import ChannelScales
from firmware_export.ops.window import Axis

TOGETHER = 8
"""Pixels of a row that are computed together, and numbers of each that a step takes."""

LARGEST_DEPTH = 64
"""What the kernel has steps for."""

SUM_LIMIT = 1 << 29
"""What sums must stay below: they are computed four times as large."""

ROWS, COLUMNS = (3, 2, 1, 0), (3, 0, 2, 1)
"""The order of the products."""

FACTORS = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]], np.int64)
"""Of weights along an axis, for the four products."""


def tiles_fit(filters: NDArray[np.int8], largest: NDArray[np.int64], vertical: Axis, horizontal: Axis) -> bool:
    """Whether the kernel does it.

    Args:
        filters: ``[channels, kernel_h, kernel_w, depth]``.
        largest: What sums may reach, ``[channels]``.
        vertical: The vertical axis.
        horizontal: The horizontal axis.
    """
    depth = filters.shape[3]
    return bool(
        filters.shape[1:3] == (3, 3)
        and all(axis.stride == axis.dilation == 1 for axis in (vertical, horizontal))
        and horizontal.out >= TOGETHER
        and depth % 8 == 0
        and depth <= LARGEST_DEPTH
        and (largest < SUM_LIMIT).all()
    )


def tiles_fields(
    filters: NDArray[np.int8], bias: NDArray[np.int64], scales: ChannelScales, low: int, horizontal: Axis
) -> tuple[str, dict[str, FieldValue], int]:
    """The function, the fields of ``struct ec_conv_2d_tiles`` but for the activation's, and bytes of its scratch.

    Args:
        filters: ``[channels, 3, 3, depth]``.
        bias: ``[channels]``.
        scales: Of the node.
        low: Of the activation.
        horizontal: The horizontal axis.
    """
    channels, depth = filters.shape[0], filters.shape[3]
    wide = filters.astype(np.int64)
    products = np.einsum("iy,jx,cyxd->cijd", FACTORS, FACTORS, wide)[:, ROWS][:, :, COLUMNS]
    by_four = products.reshape(channels, -1, 4)[..., WIDENED].reshape(channels, -1)
    words = np.ascontiguousarray(by_four, "<i2").view("<i4")
    shift = np.where(scales.multiplier == 0, 1, -scales.shift)
    carry = ((2 * scales.out_zero_point + 1) << shift) + 1
    offset = 4 * (bias - scales.in_zero_point * wide.sum(axis=(1, 2, 3)))
    ends = (offset, scales.multiplier, carry, shift + 1)
    table = np.concatenate([words, *(end[:, None] for end in ends)], axis=1).astype(np.int32)
    layout = "[out_channels][4: i = 3 to 0][4: j = 3, 0, 2, 1][depth / 2], bias, multiplier, carry, shift"
    fields: dict[str, FieldValue] = {
        "weights": Array(table, layout),
        "in_width": horizontal.size,
        "depth": depth,
        "before": horizontal.before,
        "out_width": horizontal.out,
        "out_channels": channels,
        "in_zero_point": scales.in_zero_point,
    }
    numbers, columns = 16 * (2 * depth + 5) + 5, 20 * depth
    form = "rectified" if low >= scales.out_zero_point else "signed"
    return f"conv_2d_tiles_{form}", fields, 4 * (numbers + 32 + columns) + horizontal.size * depth
