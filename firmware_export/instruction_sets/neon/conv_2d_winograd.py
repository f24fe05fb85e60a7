"""CONV_2D without the dot product: ``kernels/neon/conv_2d_winograd.h``, and what ``conv_2d`` yields."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Node
from firmware_export.instruction_sets import quads
from firmware_export.instruction_sets.neon import conv_2d as direct
from firmware_export.layer import Array, FieldValue, Layer
from firmware_export.ops import conv_2d
from firmware_export.ops.base import Lowering, constant
from firmware_export.ops.requantize import ChannelScales, bias_of, channel_scales, fused_range
from firmware_export.ops.window import Axis, axes

GREATER = 24
"""Times what sums should be."""

FILTERS = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], np.int16)
"""``[6 products][3 weights]``, 24 times the matrix G of F(4, 3)."""

TILES, PRODUCTS, PIXELS = 4, 6, 4
"""Worked on at once; products and pixels of a tile."""

NARROWEST = 8
"""Pixels of a row, two tiles: the least that are worked on."""


def lower(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """By Winograd's F(4, 3) along the row where it fits."""
    graph = lowering.graph
    image, filters = graph.tensors[node.inputs[0]], constant(graph.tensors[node.inputs[1]])
    vertical, horizontal = axes(graph, node, image.shape, filters.shape[1:3])
    if image.dtype == "int8" and filters.shape[3] == image.shape[3]:
        scales = channel_scales(graph, node, len(filters))
        if _fits(filters, scales, horizontal):
            fields, scratch = _fields(filters, bias_of(graph, node, 2, len(filters)), scales, horizontal)
            low, high = fused_range(graph, node)
            yield conv_2d.window_layer(
                lowering,
                node,
                "conv_2d_winograd",
                {**fields, "low": low, "high": high},
                vertical,
                len(filters) * horizontal.out,
                conv_2d.macs(graph, node),
                scratch_bytes=scratch,
            )
    yield from direct.lower(lowering, node)


def _fits(filters: NDArray[np.int8], scales: ChannelScales, horizontal: Axis) -> bool:
    """Whether the kernel can do it, and sums times 24 stay within 32 bits."""
    channels, kernel_h, kernel_w, depth = filters.shape
    if kernel_w != 3 or horizontal.stride != 1 or horizontal.dilation != 1 or horizontal.out < NARROWEST:
        return False
    if channels % quads.BLOCK or kernel_h * depth % quads.VECTOR or not quads.fit(filters, scales):
        return False
    sums = np.abs(filters.astype(np.int64)).reshape(channels, -1).sum(axis=1) * 128
    return bool((sums * GREATER < 1 << 31).all())


def _fields(
    filters: NDArray[np.int8], bias: NDArray[np.int64], scales: ChannelScales, horizontal: Axis
) -> tuple[dict[str, FieldValue], int]:
    """The fields of ``struct ec_conv_2d_winograd`` but for the activation's, and bytes of its scratch."""
    channels, kernel_h, _, depth = filters.shape
    column = kernel_h * depth
    by_column = filters.transpose(0, 2, 1, 3).reshape(channels, 3, column).astype(np.int16)
    products = np.einsum("pk,okc->opc", FILTERS, by_column).reshape(-1, quads.BLOCK, PRODUCTS, column)
    before, in_size = horizontal.before * column, horizontal.size * column
    size = max((horizontal.out + 2) * column, before + in_size)
    fields: dict[str, FieldValue] = {
        "weights": Array(
            np.ascontiguousarray(products.transpose(0, 2, 3, 1)).reshape(-1), "[out_channels / 16][6][column][16]"
        ),
        "channels": quads.channel_table(filters, bias, scales, scales.in_zero_point),
        "in_width": horizontal.size,
        "depth": depth,
        "kernel_h": kernel_h,
        "column": column,
        "before": before,
        "after": size - before - in_size,
        "out_width": horizontal.out,
        "out_channels": channels,
        "in_zero_point": scales.in_zero_point,
        "out_zero_point": scales.out_zero_point,
    }
    numbers, sums = 2 * TILES * PRODUCTS * column, 4 * PRODUCTS * TILES * quads.BLOCK
    return fields, size + numbers + sums
