"""CONV_2D: ``kernels/neon/conv_2d_quads.h``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from firmware_export.graph import Node
from firmware_export.instruction_sets import quads
from firmware_export.layer import FieldValue, Layer
from firmware_export.ops import conv_2d
from firmware_export.ops.base import Lowering, constant
from firmware_export.ops.requantize import bias_of, channel_scales, fused_range
from firmware_export.ops.window import axes

KERNEL = "conv_2d_quads"


def lower(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """A convolution in one group without dilation along the row; none where the portable kernel has to do it."""
    graph = lowering.graph
    image, filters = graph.tensors[node.inputs[0]], constant(graph.tensors[node.inputs[1]])
    vertical, horizontal = axes(graph, node, image.shape, filters.shape[1:3])
    channels, kernel_h, kernel_w, depth = filters.shape
    if image.dtype != "int8" or depth != image.shape[3] or (horizontal.dilation > 1 and kernel_w > 1):
        return
    scales = channel_scales(graph, node, channels)
    if not quads.fit(filters, scales):
        return
    low, high = fused_range(graph, node)
    runs = filters.transpose(0, 2, 1, 3).reshape(channels, -1)
    run, column = quads.filled(runs.shape[1]), kernel_h * depth
    before, in_size = horizontal.before * column, horizontal.size * column
    reach = (horizontal.out - 1) * horizontal.stride * column + run
    size = max(before + in_size, reach)    # weights of zero read on into what is there
    fields: dict[str, FieldValue] = {
        "weights": quads.weight_table(runs),
        "channels": quads.channel_table(runs, bias_of(graph, node, 2, channels), scales, scales.in_zero_point),
        "in_width": horizontal.size,
        "depth": depth,
        "kernel_h": kernel_h,
        "before": before,
        "after": size - before - in_size,
        "run": run,
        "step": horizontal.stride * column,
        "out_width": horizontal.out,
        "out_channels": channels,
        "in_zero_point": scales.in_zero_point,
        "out_zero_point": scales.out_zero_point,
        "low": low,
        "high": high,
    }
    row_size, macs = channels * horizontal.out, conv_2d.macs(graph, node)
    every_row = all(0 <= start < vertical.size for start in vertical.starts)
    if column == depth and kernel_w == 1 and every_row and not before and reach <= in_size:
        layer = conv_2d.window_layer(lowering, node, KERNEL, fields, vertical, row_size, macs)
        yield replace(layer, function=f"{KERNEL}_in_place")
    else:
        yield conv_2d.window_layer(lowering, node, KERNEL, fields, vertical, row_size, macs, scratch_bytes=size)
