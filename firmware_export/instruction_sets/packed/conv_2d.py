"""CONV_2D: ``kernels/packed/conv_2d_packed.h``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Node
from firmware_export.instruction_sets.packed.packing import channel_table, is_exact, offset_bias
from firmware_export.layer import Array, FieldValue, Layer
from firmware_export.ops import conv_2d
from firmware_export.ops.base import Lowering, constant
from firmware_export.ops.requantize import ChannelScales, bias_of, channel_scales, fused_range
from firmware_export.ops.window import Axis, axes

COLUMN_BYTES = 2
"""Of a pixel, for a term."""


def lower(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """A convolution in one group."""
    graph = lowering.graph
    image, filters = graph.tensors[node.inputs[0]], constant(graph.tensors[node.inputs[1]])
    vertical, horizontal = axes(graph, node, image.shape, filters.shape[1:3])
    channels = len(filters)
    if image.dtype != "int8" or filters.shape[3] != image.shape[3]:
        return
    scales = channel_scales(graph, node, channels)
    bias = offset_bias(filters, bias_of(graph, node, 2, channels), scales)
    if not is_exact(filters, bias, scales):
        return
    low, high = fused_range(graph, node)
    fields = {**_fields(filters, bias, scales, horizontal), "low": low, "high": high}
    for together in (4, 2):
        yield conv_2d.window_layer(
            lowering,
            node,
            "conv_2d_packed",
            {**fields, "together": together},
            vertical,
            channels * horizontal.out,
            conv_2d.macs(graph, node),
            scratch_bytes=COLUMN_BYTES * together * _terms(filters) + filters.shape[3],
        )


def _terms(filters: NDArray[np.int8]) -> int:
    """What a filter sees, and one more where that is odd."""
    size = int(filters[0].size)
    return size + size % 2


def _fields(
    filters: NDArray[np.int8], bias: NDArray[np.int64], scales: ChannelScales, horizontal: Axis
) -> dict[str, FieldValue]:
    """The fields of ``struct ec_conv_2d_packed`` but for the activation's."""
    channels, kernel_h, kernel_w, depth = filters.shape
    terms = _terms(filters)
    rows = np.pad(filters.reshape(channels, -1), ((0, 0), (0, terms - filters[0].size)))
    return {
        "weights": Array(rows.reshape(-1), "[out_channels][kernel_h][kernel_w][in_channels], a zero if odd"),
        "channels": channel_table(bias, scales),
        "in_width": horizontal.size,
        "depth": depth,
        "kernel_h": kernel_h,
        "kernel_w": kernel_w,
        "stride_w": horizontal.stride,
        "dilation_w": horizontal.dilation,
        "pad_left": horizontal.before,
        "terms": terms,
        "out_width": horizontal.out,
        "out_channels": channels,
        "in_zero_point": scales.in_zero_point,
    }
