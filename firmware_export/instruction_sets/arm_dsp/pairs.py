"""CONV_2D by two pixels and two channels at a time, with weights of 8 bits: ``kernels/arm_dsp/conv_2d_pairs.h``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_export.instruction_sets.arm_dsp.packing import by_column, channel_table, paired
from firmware_export.layer import Array, FieldValue
from firmware_export.ops.requantize import ChannelScales
from firmware_export.ops.window import Axis


def pairs_fields(
    filters: NDArray[np.int8], bias: NDArray[np.int64], scales: ChannelScales, horizontal: Axis
) -> tuple[dict[str, FieldValue], int]:
    """The fields of ``struct ec_conv_2d_pairs`` but for the activation's, and bytes of its scratch.

    Args:
        filters: ``[channels, kernel_h, kernel_w, depth]``.
        bias: ``[channels]``.
        scales: Of the node.
        horizontal: The horizontal axis.
    """
    channels, kernel_h, _, depth = filters.shape
    column = kernel_h * depth
    step = horizontal.stride * column
    weights = by_column(filters, 4)
    run = weights.shape[1]
    before, in_size = horizontal.before * column, horizontal.size * column
    last = (horizontal.out - 1) * step + run    # behind what any pixel reads
    size = max(last, before + in_size)
    size += size % 2
    shifted = step % 2 == 1 and horizontal.out > 1
    fields: dict[str, FieldValue] = {
        "weights": Array(paired(weights), "[out_channels / 2][kernel_w][kernel_h][depth]: 256 * odd + even"),
        "channels": channel_table(bias, scales),
        "in_width": horizontal.size,
        "depth": depth,
        "kernel_h": kernel_h,
        "before": before,
        "after": size - before - in_size,
        "shifted": int(shifted),
        "sixteens": run // 16,
        "fours": run // 4 % 4,
        "step": step,
        "out_width": horizontal.out,
        "out_channels": channels,
        "in_offset": -scales.in_zero_point,
    }
    return fields, 2 * (2 * size + 2 if shifted else size)
