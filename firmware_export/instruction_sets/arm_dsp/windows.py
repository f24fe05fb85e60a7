"""CONV_2D straight from the rows, without memory for columns: ``kernels/arm_dsp/conv_2d_windows.h``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_export.instruction_sets.arm_dsp.packing import WIDENED, channel_table
from firmware_export.layer import Array, FieldValue
from firmware_export.ops.requantize import ChannelScales
from firmware_export.ops.window import Axis

TOGETHER = 4
"""Channels, and numbers of a row."""


def windows_fields(
    filters: NDArray[np.int8], bias: NDArray[np.int64], scales: ChannelScales, horizontal: Axis
) -> dict[str, FieldValue]:
    """The fields of ``struct ec_conv_2d_windows`` but for the activation's.

    Args:
        filters: ``[channels, kernel_h, kernel_w, depth]``.
        bias: ``[channels]``.
        scales: Of the node.
        horizontal: The horizontal axis.
    """
    channels, kernel_h, kernel_w, depth = filters.shape
    rows = filters.reshape(channels, kernel_h, kernel_w * depth).astype(np.int64)
    rows = np.pad(rows, ((0, -channels % TOGETHER), (0, 0), (0, -rows.shape[2] % TOGETHER)))
    run = rows.shape[2]
    fours = rows.reshape(-1, 2, 2, kernel_h, run // 4, 4)[..., WIDENED]    # [channels / 4][pair][even, odd]…
    halfwords = (256 * fours[:, :, 1] + fours[:, :, 0]).transpose(0, 2, 3, 1, 4)
    words = np.ascontiguousarray(halfwords, "<i2").reshape(-1).view("<i4").astype(np.int32)
    return {
        "weights": Array(words, "[out_channels / 4][kernel_h][run / 4][2][4: 0, 2, 1, 3] halfwords: 256 * odd + even"),
        "channels": channel_table(bias, scales),
        "in_width": horizontal.size,
        "depth": depth,
        "kernel_h": kernel_h,
        "kernel_w": kernel_w,
        "run": run,
        "stride": horizontal.stride,
        "before": horizontal.before,
        "out_width": horizontal.out,
        "out_channels": channels,
        "in_offset": -scales.in_zero_point,
    }
