"""CONV_2D: ``kernels/arm_mve/conv_2d_dots.h``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from firmware_export.graph import Node
from firmware_export.instruction_sets.arm_mve.packing import TOGETHER, VECTOR, dots, offset_bias, scales_fit
from firmware_export.layer import FieldValue, Layer
from firmware_export.ops import conv_2d
from firmware_export.ops.base import Lowering, constant
from firmware_export.ops.requantize import bias_of, channel_scales, fused_range
from firmware_export.ops.window import axes

KERNEL = "conv_2d_dots"


def lower(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """A convolution in one group to channels by four, without dilation along the row."""
    graph = lowering.graph
    image, filters = graph.tensors[node.inputs[0]], constant(graph.tensors[node.inputs[1]])
    vertical, horizontal = axes(graph, node, image.shape, filters.shape[1:3])
    channels, kernel_h, kernel_w, depth = filters.shape
    if image.dtype != "int8" or depth != image.shape[3] or channels % TOGETHER:
        return
    if horizontal.dilation > 1 and horizontal.kernel > 1:
        return
    scales = channel_scales(graph, node, channels)
    if not scales_fit(scales):
        return
    low, high = fused_range(graph, node)
    column = kernel_h * depth
    tables = dots(
        filters.transpose(0, 2, 1, 3).reshape(channels, -1),
        offset_bias(filters, bias_of(graph, node, 2, channels), scales),
        scales,
    )
    run = kernel_w * column
    in_place = kernel_h == kernel_w == 1 and run % VECTOR == 0
    in_place = in_place and all(0 <= start < axis.size for axis in (vertical, horizontal) for start in axis.starts)
    before, in_size = horizontal.before * column, horizontal.size * column
    reach = (horizontal.out - 1) * horizontal.stride * column - before
    fields: dict[str, FieldValue] = {
        "weights": tables["weights"],
        "channels": tables["channels"],
        "in_width": horizontal.size,
        "depth": depth,
        "kernel_h": kernel_h,
        "before": before,
        "after": max(0, reach + run - in_size),
        "vectors": tables["vectors"],
        "step": horizontal.stride * column,
        "out_width": horizontal.out,
        "out_channels": channels,
        "in_zero_point": scales.in_zero_point,
        "out_zero_point": scales.out_zero_point,
        "low": low,
        "high": high,
    }
    behind = max(in_size, reach + -(-run // VECTOR) * VECTOR)    # zero weights read on into what is there
    layer = conv_2d.window_layer(
        lowering,
        node,
        KERNEL,
        fields,
        vertical,
        channels * horizontal.out,
        conv_2d.macs(graph, node),
        scratch_bytes=0 if in_place else before + behind,
    )
    yield replace(layer, function=f"{KERNEL}_in_place") if in_place else layer
