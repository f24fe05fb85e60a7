"""DEPTHWISE_CONV_2D: int8 or int16 with int8 weights, per channel or not, any multiplier, stride, padding, dilation.

Arithmetic: TFLite Micro ``reference_integer_ops::DepthwiseConvPerChannel``. Its output channel ``i * multiplier + m``
sees input channel i only: with a multiplier above one that is a CONV_2D in as many groups as there are input channels,
and lowered to that kernel; so are the rare int16 ones whose sums leave int32. (TFLite Micro dies of a bias that is
listed but absent; here it is no bias, as in TFLite. With int16 it reads an int32 bias as int64, which is refused.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import Array, FieldValue
from firmware_export.ops import requantize_int16
from firmware_export.ops.base import Inputs, Lowering, Op, constant, option_int, output_tensor, refuse
from firmware_export.ops.conv_2d import check_tensors, lower_grouped, window_layer
from firmware_export.ops.packing import interleaved
from firmware_export.ops.requantize import bias_of, channel_scales, check_bias, check_sums, fused_range
from firmware_export.ops.window import Axis, axes, padded, windows

CHANNELS = 3
"""The dimension of the weights that the channels run along."""

BLOCKS = (8, 1)
"""Channels that the kernel works on at once."""


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8 or int16, not batch 1, or without constant int8 weights."""
    image, weights = check_tensors(graph, node)
    channels = weights.shape[CHANNELS]
    multiplier = option_int(node, "depth_multiplier")
    if weights.shape[0] != 1 or not image.shape[3] or multiplier < 1 or channels != image.shape[3] * multiplier:
        found = f"a filter of {list(weights.shape)} on {image.shape[3]} channels with multiplier {multiplier}"
        refuse(graph, node, found, "[1, height, width, channels * multiplier]", "The file is damaged.")
    check_bias(graph, node, 2, channels, "int64" if image.dtype == "int16" else "int32")
    scales = channel_scales(graph, node, channels, axis=CHANNELS)
    fused_range(graph, node)
    vertical, horizontal = axes(graph, node, image.shape, weights.shape[1:3])
    expected = (1, vertical.out, horizontal.out, channels)
    if output_tensor(graph, node).shape != expected:
        found = f"an output of {list(output_tensor(graph, node).shape)}"
        refuse(graph, node, found, f"{list(expected)} here", "The file is damaged.")
    magnitudes = np.abs(constant(weights).astype(np.int64)).sum(axis=(0, 1, 2))
    check_sums(graph, node, magnitudes, bias_of(graph, node, 2, channels), scales)


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The convolution of ``[1, H, W, I]`` with ``[1, kh, kw, I * multiplier]`` int8."""
    image, weights = inputs[0], inputs[1]
    assert image is not None and weights is not None
    vertical, horizontal = axes(graph, node, image.shape, weights.shape[1:3])
    channels = weights.shape[CHANNELS]
    scales = channel_scales(graph, node, channels, axis=CHANNELS)
    pixels = padded(image[0].astype(np.int64) - scales.in_zero_point, vertical, horizontal)
    pixels = np.repeat(pixels, channels // image.shape[3], axis=2)
    sums = np.zeros((vertical.out, horizontal.out, channels), np.int64)
    for (ky, kx), taps in windows(pixels, vertical, horizontal):
        sums += taps * weights[0, ky, kx].astype(np.int64)
    sums += bias_of(graph, node, 2, channels)
    return (scales.requantized(sums, *fused_range(graph, node))[np.newaxis],)


def lower(lowering: Lowering, node: Node) -> None:
    """A row of the output from ``kernel_h`` rows of the input; a single row also by adding up."""
    graph = lowering.graph
    image = graph.tensors[node.inputs[0]]
    weights = constant(graph.tensors[node.inputs[1]])
    vertical, horizontal = axes(graph, node, image.shape, weights.shape[1:3])
    channels = weights.shape[CHANNELS]
    fields = _fields(graph, node, weights, horizontal)
    if channels != image.shape[3] or fields.get("rounding") == requantize_int16.WIDE:
        filters = weights.transpose(3, 1, 2, 0)
        lower_grouped(lowering, node, filters, (vertical, horizontal), macs(graph, node), CHANNELS)
        return
    kernel = "depthwise_conv_2d" if image.dtype == "int8" else "depthwise_conv_2d_int16"
    lowering.add(window_layer(lowering, node, kernel, fields, vertical, channels * horizontal.out, macs(graph, node)))


def _fields(graph: Graph, node: Node, weights: NDArray[np.int8], horizontal: Axis) -> dict[str, FieldValue]:
    """The fields of ``struct ec_depthwise_conv_2d``, or of ``struct ec_depthwise_conv_2d_int16``.

    The bias takes back what the input's zero point adds, which for int16 is nothing.
    """
    _, kernel_h, kernel_w, channels = weights.shape
    scales = channel_scales(graph, node, channels, axis=CHANNELS)
    bias = bias_of(graph, node, 2, channels) - scales.in_zero_point * weights.astype(np.int64).sum(axis=(0, 1, 2))
    magnitudes = np.abs(weights.astype(np.int64)).sum(axis=(0, 1, 2))
    low, high = fused_range(graph, node)
    is_int8 = scales.dtype == "int8"
    packed = interleaved(weights[0].transpose(2, 0, 1), BLOCKS)
    return {
        "weights": Array(packed, "[channels / 8][kernel_h][kernel_w][8], the rest channel by channel"),
        **(scales.tables(bias) if is_int8 else requantize_int16.fields(scales, magnitudes, bias)),
        "in_width": horizontal.size,
        "channels": channels,
        "out_width": horizontal.out,
        "kernel_h": kernel_h,
        "kernel_w": kernel_w,
        "stride_w": horizontal.stride,
        "dilation_w": horizontal.dilation,
        "pad_left": horizontal.before,
        **({"in_zero_point": scales.in_zero_point, "out_offset": scales.out_zero_point} if is_int8 else {}),
        "low": low,
        "high": high,
        **({"large_factors": int(scales.large_factors)} if is_int8 else {}),
    }


def macs(graph: Graph, node: Node) -> int:
    """Each output element sums over the window, padding included."""
    _, kernel_h, kernel_w, _ = graph.tensors[node.inputs[1]].shape
    return output_tensor(graph, node).size * kernel_h * kernel_w


OP = Op("DEPTHWISE_CONV_2D", check, reference, lower, macs)
