"""CONV_2D: ``kernels/x86/conv_2d_words.h``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Node
from firmware_export.instruction_sets.x86.packing import FILL_BEYOND, scales_fit, tables
from firmware_export.layer import FieldValue, Layer
from firmware_export.ops import conv_2d
from firmware_export.ops.base import Lowering, constant
from firmware_export.ops.requantize import ChannelScales, bias_of, channel_scales, fused_range
from firmware_export.ops.window import Axis, axes

KERNEL = "conv_2d_words"


def lower(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """A convolution in one group, without dilation along the row."""
    graph = lowering.graph
    image, filters = graph.tensors[node.inputs[0]], constant(graph.tensors[node.inputs[1]])
    vertical, horizontal = axes(graph, node, image.shape, filters.shape[1:3])
    if image.dtype != "int8" or filters.shape[3] != image.shape[3]:
        return
    if horizontal.dilation > 1 and horizontal.kernel > 1:
        return
    scales = channel_scales(graph, node, len(filters))
    if not scales_fit(scales):
        return
    low, high = fused_range(graph, node)
    fields, scratch_bytes = words_fields(filters, bias_of(graph, node, 2, len(filters)), scales, horizontal)
    yield conv_2d.window_layer(
        lowering,
        node,
        KERNEL,
        {**fields, "low": low, "high": high},
        vertical,
        len(filters) * horizontal.out,
        conv_2d.macs(graph, node),
        scratch_bytes=scratch_bytes,
    )


def words_fields(
    filters: NDArray[np.int8], bias: NDArray[np.int64], scales: ChannelScales, horizontal: Axis
) -> tuple[dict[str, FieldValue], int]:
    """The fields of ``struct ec_conv_2d_words`` up to the activation's range, and the bytes of scratch memory.

    Args:
        filters: ``[channels, kernel_h, kernel_w, depth]``.
        bias: ``[channels]``.
        scales: Of the node.
        horizontal: The horizontal axis.
    """
    channels, kernel_h, kernel_w, depth = filters.shape
    run = kernel_w * depth
    runs = np.pad(filters.reshape(channels, kernel_h, run), ((0, 0), (0, 0), (0, -run % 4)))
    step = horizontal.stride * depth
    row = (horizontal.out - 1) * step + run    # what windows see of it
    before = min(horizontal.before * depth, row)
    in_bytes = min(horizontal.size * depth, row - before)
    fields: dict[str, FieldValue] = {
        **tables(runs.reshape(channels, -1), bias, scales),
        "kernel_h": kernel_h,
        "words": runs.shape[2] // 4,
        "in_bytes": in_bytes,
        "before": before,
        "row": row,
        "step": step,
        "out_width": horizontal.out,
        "out_channels": channels,
        "in_zero_point": scales.in_zero_point,
        "out_zero_point": scales.out_zero_point,
    }
    return fields, -(-(kernel_h * row + FILL_BEYOND) // 4) * 4
