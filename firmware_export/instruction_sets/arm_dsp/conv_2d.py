"""CONV_2D: ``kernels/arm_dsp/conv_2d_pairs.h``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Node
from firmware_export.instruction_sets.arm_dsp.packing import WIDENED, channel_table, paired, pairs_are_exact
from firmware_export.layer import Array, FieldValue, Layer
from firmware_export.ops import conv_2d
from firmware_export.ops.base import Lowering, constant
from firmware_export.ops.requantize import ChannelScales, bias_of, channel_scales, fused_range
from firmware_export.ops.window import Axis, axes


def lower(lowering: Lowering, node: Node) -> Layer | None:
    """A convolution in one group without dilation along the row, or None where the portable kernel has to do it."""
    graph = lowering.graph
    image, filters = graph.tensors[node.inputs[0]], constant(graph.tensors[node.inputs[1]])
    vertical, horizontal = axes(graph, node, image.shape, filters.shape[1:3])
    channels, depth = filters.shape[0], filters.shape[3]
    scales = channel_scales(graph, node, channels)
    if image.dtype != "int8" or depth != image.shape[3] or (horizontal.dilation > 1 and horizontal.kernel > 1):
        return None
    if not pairs_are_exact(filters, bias_of(graph, node, 2, channels), scales):
        return None
    fields, elements = _fields(filters, bias_of(graph, node, 2, channels), scales, horizontal)
    if vertical.is_single_window and vertical.kernel > 1:
        return None    # one that adds up row after row needs less memory
    low, high = fused_range(graph, node)
    return conv_2d.window_layer(
        lowering,
        node,
        "conv_2d_pairs",
        {**fields, "low": low, "high": high},
        vertical,
        channels * horizontal.out,
        conv_2d.macs(graph, node),
        scratch_bytes=2 * elements,
    )


def _fields(
    filters: NDArray[np.int8], bias: NDArray[np.int64], scales: ChannelScales, horizontal: Axis
) -> tuple[dict[str, FieldValue], int]:
    """The fields of ``struct ec_conv_2d_pairs`` but for the activation's, and elements of the columns."""
    channels, kernel_h, kernel_w, depth = filters.shape
    column = kernel_h * depth
    step, taps = horizontal.stride * column, kernel_w * column
    run = -(-taps // 4) * 4
    by_column = np.zeros((channels, run), np.int8)
    by_column[:, :taps] = filters.transpose(0, 2, 1, 3).reshape(channels, -1)
    if depth % 4 == 0:
        by_column = by_column.reshape(channels, -1, 4)[..., WIDENED].reshape(channels, run)
    before, in_size = horizontal.before * column, horizontal.size * column
    last = (horizontal.out - 1) * step + run    # behind what any pixel reads
    size = max(last, before + in_size)
    size += size % 2
    shifted = step % 2 == 1 and horizontal.out > 1
    fields: dict[str, FieldValue] = {
        "weights": Array(paired(by_column), "[out_channels / 2][kernel_w][kernel_h][depth]: 256 * odd + even"),
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
    return fields, (2 * size + 2 if shifted else size)
