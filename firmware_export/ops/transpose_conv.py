"""TRANSPOSE_CONV: int8, per channel or per tensor, any stride, SAME and VALID.

Input pixel ``(y, x)`` adds to the output pixels ``(y * stride - pad + ky, x * stride - pad + kx)``, the padding being
that of the convolution which leads back from output to input. TFLite Micro (``reference_integer_ops::TransposeConv``)
spreads into an int32 image as scratch; here each output row gathers from the input rows that reach it, without scratch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import Array, Layer, Read, rows_of
from firmware_export.ops.base import (
    Inputs,
    Lowering,
    Op,
    constant,
    need_dtype,
    need_input,
    need_int8,
    option_int,
    option_text,
    output_tensor,
    refuse,
)
from firmware_export.ops.conv_2d import check_tensors
from firmware_export.ops.packing import interleaved
from firmware_export.ops.requantize import bias_of, channel_scales, check_bias, check_sums, fused_range
from firmware_export.ops.window import LARGEST_WINDOW, Axis

IMAGE, BIAS = 2, 3
"""Positions among the inputs: the first is the output's shape, the second the filter."""


def axes(graph: Graph, node: Node) -> tuple[Axis, Axis]:
    """The axes of the convolution that leads back: from the output, as ``size``, to the input.

    Its ``out`` may differ from the input's size where the output was made larger or smaller than the input reaches.
    """
    weights, output = graph.tensors[node.inputs[1]], output_tensor(graph, node)
    found = []
    for number, letter in enumerate("hw"):
        size, kernel = output.shape[1 + number], weights.shape[1 + number]
        stride = option_int(node, f"stride_{letter}")
        out = -(-size // stride)
        same = option_text(node, "padding", "SAME") == "SAME"
        before = max(0, (out - 1) * stride + kernel - size) // 2 if same else 0
        found.append(Axis(size, out, kernel, stride, 1, before))
    return found[0], found[1]


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8, not batch 1, or without constant weights."""
    shape = need_input(graph, node, 0, "output shape")
    need_int8(graph, node, need_input(graph, node, IMAGE, "input"), "an input")
    image, weights = check_tensors(graph, node, IMAGE)
    output = output_tensor(graph, node)
    need_dtype(graph, node, shape, "an output shape", "int32")
    if shape.is_constant and constant(shape).reshape(-1).tolist() != list(output.shape):
        found = f"an output of {list(output.shape)} that should be {constant(shape).reshape(-1).tolist()}"
        refuse(graph, node, found, "the shape that input 0 names", "The file is damaged.")
    channels = weights.shape[0]
    if 0 in image.shape + weights.shape + output.shape or weights.shape[3] != image.shape[3]:
        found = f"a filter of {list(weights.shape)} on an input of {list(image.shape)}"
        refuse(graph, node, found, "filters over all input channels", "The file is damaged.")
    if output.shape[0] != 1 or output.shape[3] != channels:
        found = f"an output of {list(output.shape)}"
        refuse(graph, node, found, f"[1, height, width, {channels}]", "The file is damaged.")
    strides = [option_int(node, f"stride_{letter}") for letter in "hw"]
    if min(strides) < 1 or max(*strides, *weights.shape[1:3]) > LARGEST_WINDOW:
        refuse(graph, node, f"stride {strides} with a kernel of {list(weights.shape[1:3])}", f"1 to {LARGEST_WINDOW}")
    check_bias(graph, node, BIAS, channels)
    scales = channel_scales(graph, node, channels, IMAGE)
    fused_range(graph, node)
    magnitudes = np.abs(constant(weights).astype(np.int64)).sum(axis=(1, 2, 3))
    check_sums(graph, node, magnitudes, bias_of(graph, node, BIAS, channels), scales)


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """``[1, H, W, I]`` int8 spread by ``[O, kh, kw, I]`` int8."""
    weights, image = inputs[1], inputs[IMAGE]
    assert image is not None and weights is not None
    channels, kernel_h, kernel_w, _ = weights.shape
    scales = channel_scales(graph, node, channels, IMAGE)
    vertical, horizontal = axes(graph, node)
    pixels = image[0].astype(np.float64) - scales.in_zero_point
    height, width = pixels.shape[:2]
    room = [
        max(axis.before + axis.size, (size - 1) * axis.stride + axis.kernel)
        for axis, size in ((vertical, height), (horizontal, width))
    ]
    spread = np.zeros((*room, channels), np.float64)
    for ky in range(kernel_h):
        rows = spread[ky : ky + (height - 1) * vertical.stride + 1 : vertical.stride]
        for kx in range(kernel_w):
            taps = rows[:, kx : kx + (width - 1) * horizontal.stride + 1 : horizontal.stride]
            taps += pixels @ weights[:, ky, kx].astype(np.float64).T    # exact: below 2**53
    sums = spread[
        vertical.before : vertical.before + vertical.size, horizontal.before : horizontal.before + horizontal.size
    ].astype(np.int64)
    sums += bias_of(graph, node, BIAS, channels)
    return (scales.requantized(sums, *fused_range(graph, node))[np.newaxis],)


def lower(lowering: Lowering, node: Node) -> None:
    """A row of the output from the ``ceil(kernel_h / stride_h)`` rows of the input that reach it."""
    graph = lowering.graph
    image = graph.tensors[node.inputs[IMAGE]]
    weights = constant(graph.tensors[node.inputs[1]])
    vertical, horizontal = axes(graph, node)
    channels, kernel_h, kernel_w, in_channels = weights.shape
    scales = channel_scales(graph, node, channels, IMAGE)
    low, high = fused_range(graph, node)
    count = -(-kernel_h // vertical.stride)
    # The first row whose last tap reaches output row y: the smallest i >= 0 with i * stride - pad + kernel > y.
    starts = tuple(max(0, (y + vertical.before - kernel_h) // vertical.stride + 1) for y in range(vertical.size))
    fields = {
        "weights": Array(
            interleaved(weights), "[out_channels / 8][kernel_h][kernel_w][in_channels][8], the rest by 4 and by 1"
        ),
        **scales.tables(bias_of(graph, node, BIAS, channels)),
        "in_width": image.shape[2],
        "in_channels": in_channels,
        "out_width": horizontal.size,
        "out_channels": channels,
        "kernel_h": kernel_h,
        "kernel_w": kernel_w,
        "stride_h": vertical.stride,
        "stride_w": horizontal.stride,
        "pad_top": vertical.before,
        "pad_left": horizontal.before,
        "rows": count,
        "in_offset": -scales.in_zero_point,
        "out_offset": scales.out_zero_point,
        "low": low,
        "high": high,
        "large_factors": int(scales.large_factors),
    }
    row_bytes = horizontal.size * channels
    lowering.add(
        Layer(
            op=node.op,
            node=node.index,
            kernel="transpose_conv",
            function="transpose_conv",
            reads=(Read(lowering.value(image.index).index, rows_of(image.shape)[1], starts, count),),
            output=lowering.output(node.outputs[0], vertical.size, row_bytes).index,
            rows=vertical.size,
            row_bytes=row_bytes,
            steps=vertical.size,
            fields=fields,
            macs=macs(graph, node),
            takes_row=True,
            one_list=True,
        )
    )


def macs(graph: Graph, node: Node) -> int:
    """Each input element is multiplied with its channel's weights, those that fall outside the output included."""
    channels, kernel_h, kernel_w, _ = graph.tensors[node.inputs[1]].shape
    return graph.tensors[node.inputs[IMAGE]].size * channels * kernel_h * kernel_w


OP = Op("TRANSPOSE_CONV", check, reference, lower, macs)
