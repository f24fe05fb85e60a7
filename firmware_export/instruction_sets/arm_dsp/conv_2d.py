"""CONV_2D in four forms, each of which needs less flash or memory than the one before it: ``kernels/arm_dsp/`` has
``conv_2d_tiles.h``, ``conv_2d_blocks.h``, ``conv_2d_pairs.h``, ``conv_2d_windows.h``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from firmware_export.graph import Node
from firmware_export.instruction_sets.arm_dsp.blocks import block_of, blocks_fields, bytes_fields
from firmware_export.instruction_sets.arm_dsp.packing import pairs_are_exact, sums_are_exact, sums_of
from firmware_export.instruction_sets.arm_dsp.pairs import pairs_fields
from firmware_export.instruction_sets.arm_dsp.tiles import tiles_fields, tiles_fit
from firmware_export.instruction_sets.arm_dsp.windows import windows_fields
from firmware_export.layer import FieldValue, Layer
from firmware_export.ops import conv_2d
from firmware_export.ops.base import Lowering, constant
from firmware_export.ops.requantize import bias_of, channel_scales, fused_range
from firmware_export.ops.window import axes


def lower(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """A convolution in one group without dilation along the row."""
    graph = lowering.graph
    image, filters = graph.tensors[node.inputs[0]], constant(graph.tensors[node.inputs[1]])
    vertical, horizontal = axes(graph, node, image.shape, filters.shape[1:3])
    channels = filters.shape[0]
    scales, bias = channel_scales(graph, node, channels), bias_of(graph, node, 2, channels)
    if image.dtype != "int8" or filters.shape[3] != image.shape[3]:
        return
    if horizontal.dilation > 1 and horizontal.kernel > 1:
        return
    if not sums_are_exact(filters, bias, scales):
        return
    low, high = fused_range(graph, node)

    def layer(kernel: str, function: str, fields: dict[str, FieldValue], scratch_bytes: int) -> Layer:
        made = conv_2d.window_layer(
            lowering,
            node,
            kernel,
            {**fields, "low": low, "high": high},
            vertical,
            channels * horizontal.out,
            conv_2d.macs(graph, node),
            scratch_bytes=scratch_bytes,
        )
        return replace(made, function=function, accumulating=None)

    magnitudes = np.abs(filters.astype(np.int64)).reshape(channels, -1)
    largest = magnitudes.sum(axis=1) * scales.largest_input + np.abs(bias)
    if tiles_fit(filters, largest, vertical, horizontal):
        made = layer("conv_2d_tiles", *tiles_fields(filters, bias, scales, low, horizontal))
        pairs = tuple(start - start_of_row % 2 for start_of_row, start in enumerate(vertical.starts))
        yield replace(
            made,
            reads=(replace(made.reads[0], start=pairs, count=4),),
            sums_bytes=made.row_bytes,
            takes_row=True,
        )
    pixels = block_of(horizontal.out)
    if pixels is not None:
        sums = sums_of(largest, magnitudes.max(axis=1), bias, scales, low)
        yield layer("conv_2d_blocks", *blocks_fields(filters, sums, horizontal, pixels))
        yield layer("conv_2d_bytes", *bytes_fields(filters, bias, scales, horizontal, pixels))
    if pairs_are_exact(filters, scales):
        yield layer("conv_2d_pairs", "conv_2d_pairs", *pairs_fields(filters, bias, scales, horizontal))
        yield layer("conv_2d_windows", "conv_2d_windows", windows_fields(filters, bias, scales, horizontal), 0)
