"""CONV_2D in blocks of five or four pixels: ``kernels/arm_dsp/conv_2d_blocks.h``, with weights of 16 bits, and
``conv_2d_bytes.h``, with weights of 8 bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_export.instruction_sets.arm_dsp.packing import WIDENED, Sums, by_column, channel_table
from firmware_export.layer import Array, FieldValue
from firmware_export.ops.requantize import ChannelScales
from firmware_export.ops.window import Axis

STEP = {5: 4, 4: 8}
"""Numbers of a pixel that a step of the loop takes, for each size of a block."""

NAMES = {5: "five", 4: "four"}

COST = {5: 0.65, 4: 0.66}
"""Instructions for a product."""

MOST_WORK = 1.2
"""Products that are computed for one that is wanted: beyond it pairs of pixels are faster."""


def block_of(out_width: int) -> int | None:
    """Pixels of a block that suit a row, whose last block may overlap the one before it; None if none does."""
    work = {pixels: -(-out_width // pixels) * pixels / out_width for pixels in STEP if pixels <= out_width}
    fitting = [pixels for pixels, share in work.items() if share <= MOST_WORK]
    return min(fitting, key=lambda pixels: work[pixels] * COST[pixels], default=None)


def blocks_fields(
    filters: NDArray[np.int8], sums: Sums, horizontal: Axis, pixels: int
) -> tuple[str, dict[str, FieldValue], int]:
    """The function, the fields of ``struct ec_conv_2d_blocks`` but for the activation's, and bytes of scratch.

    Args:
        filters: ``[channels, kernel_h, kernel_w, depth]``.
        sums: How they are rounded.
        horizontal: The horizontal axis.
        pixels: Of a block.
    """
    weights = by_column(filters, STEP[pixels]).astype(np.int64) << sums.growth[:, None]
    words = np.ascontiguousarray(weights, "<i2").view("<i4")
    table = np.concatenate([sums.bias[:, None], words, *(entry[:, None] for entry in sums.rounding)], axis=1)
    weights_field = Array(table.astype(np.int32), sums.layout("run / 2 words of weights"))
    fields, scratch_bytes = _fields(weights_field, filters, sums.in_zero_point, horizontal, pixels)
    return f"conv_2d_blocks_of_{NAMES[pixels]}_{sums.form}", fields, scratch_bytes


def bytes_fields(
    filters: NDArray[np.int8], bias: NDArray[np.int64], scales: ChannelScales, horizontal: Axis, pixels: int
) -> tuple[str, dict[str, FieldValue], int]:
    """The function, the fields of ``struct ec_conv_2d_bytes`` but for the activation's, and bytes of scratch.

    Args:
        filters: ``[channels, kernel_h, kernel_w, depth]``.
        bias: ``[channels]``.
        scales: Of the node.
        horizontal: The horizontal axis.
        pixels: Of a block.
    """
    by_four = by_column(filters, STEP[pixels]).reshape(len(filters), -1, 4)[..., WIDENED]
    words = np.ascontiguousarray(by_four).reshape(len(filters), -1).view("<i4")
    rounding = channel_table(bias, scales).data[:, 1:]
    table = np.concatenate([bias[:, None], words, rounding], axis=1).astype(np.int32)
    weights_field = Array(table, "[out_channels][bias, run / 4 words of weights, multiplier, carry, shift]")
    fields, scratch_bytes = _fields(weights_field, filters, scales.in_zero_point, horizontal, pixels)
    return f"conv_2d_bytes_of_{NAMES[pixels]}", fields, scratch_bytes


def _fields(
    weights: Array, filters: NDArray[np.int8], in_zero_point: int, horizontal: Axis, pixels: int
) -> tuple[dict[str, FieldValue], int]:
    channels, kernel_h, kernel_w, depth = filters.shape
    column = kernel_h * depth
    run = -(-kernel_w * column // STEP[pixels]) * STEP[pixels]
    step = horizontal.stride * column
    before, in_size = horizontal.before * column, horizontal.size * column
    size = max((horizontal.out - 1) * step + run, before + in_size)
    size += size % 2
    fields: dict[str, FieldValue] = {
        "weights": weights,
        "in_width": horizontal.size,
        "depth": depth,
        "kernel_h": kernel_h,
        "before": before,
        "after": size - before - in_size,
        "run": run,
        "step": step,
        "out_width": horizontal.out,
        "out_channels": channels,
        "in_offset": -in_zero_point,
    }
    return fields, 2 * (size + pixels * run)
