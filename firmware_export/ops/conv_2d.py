"""CONV_2D: int8 or int16 with int8 weights, per channel or per tensor, any stride, padding, dilation, number of groups.

Arithmetic: TFLite Micro ``reference_integer_ops::ConvPerChannel``; the quantization specification of LiteRT says that
weights are symmetric (zero point 0) and that the bias has the scale ``input * weights``. What int16 has of its own is
in ``requantize``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node, Tensor
from firmware_export.layer import Array, FieldValue, Layer, Read, rows_of
from firmware_export.ops import requantize_int16
from firmware_export.ops.base import (
    Inputs,
    Lowering,
    Op,
    constant,
    need_batch_1,
    need_constant,
    need_dtype,
    need_input,
    need_quantized,
    need_rank,
    output_tensor,
    refuse,
)
from firmware_export.ops.movement import element_bytes
from firmware_export.ops.packing import interleaved
from firmware_export.ops.requantize import (
    INT16_BIASES,
    bias_of,
    channel_scales,
    check_bias,
    check_sums,
    fused_range,
)
from firmware_export.ops.window import Axis, axes, padded, windows


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8 or int16, not batch 1, or without constant int8 weights."""
    image, weights = check_tensors(graph, node)
    channels, depth = weights.shape[0], weights.shape[3]
    if not (channels and depth and image.shape[3]) or image.shape[3] % depth or channels % (image.shape[3] // depth):
        found = f"{channels} filters of {depth} channels on {image.shape[3]} channels"
        refuse(graph, node, found, "groups of equal size", "The file is damaged.")
    check_bias(graph, node, 2, channels, *(INT16_BIASES if image.dtype == "int16" else ()))
    scales = channel_scales(graph, node, channels)
    fused_range(graph, node)
    vertical, horizontal = axes(graph, node, image.shape, weights.shape[1:3])
    expected = (1, vertical.out, horizontal.out, channels)
    if output_tensor(graph, node).shape != expected:
        found = f"an output of {list(output_tensor(graph, node).shape)}"
        refuse(graph, node, found, f"{list(expected)} here", "The file is damaged.")
    magnitudes = np.abs(constant(weights).astype(np.int64)).sum(axis=(1, 2, 3))
    check_sums(graph, node, magnitudes, bias_of(graph, node, 2, channels), scales)


def check_tensors(graph: Graph, node: Node, image_at: int = 0) -> tuple[Tensor, Tensor]:
    """The input and the filter of a convolution, of four dimensions, the filter constant int8 and the batch 1.

    Args:
        graph: The network.
        node: A convolution with its filter as input 1.
        image_at: Position of the image among the inputs.

    Raises:
        ModelError: They, or the output, are not.
    """
    image = need_input(graph, node, image_at, "input")
    weights = need_input(graph, node, 1, "filter")
    output = output_tensor(graph, node)
    need_quantized(graph, node, image, "an input")
    need_quantized(graph, node, output, "an output", image)
    need_dtype(graph, node, weights, "a filter", "int8")
    need_constant(graph, node, weights, "filter")
    for tensor, what in ((image, "an input"), (weights, "a filter"), (output, "an output")):
        need_rank(graph, node, tensor, what, 4)
    need_batch_1(graph, node, image, "an input")
    return image, weights


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The convolution of ``[1, H, W, I]`` with ``[O, kh, kw, I / groups]`` int8."""
    image, weights = inputs[0], inputs[1]
    assert image is not None and weights is not None
    channels, kernel_h, kernel_w, depth = weights.shape
    vertical, horizontal = axes(graph, node, image.shape, (kernel_h, kernel_w))
    scales = channel_scales(graph, node, channels)
    groups = image.shape[3] // depth
    pixels = padded(image[0].astype(np.float64) - scales.in_zero_point, vertical, horizontal)
    sums = np.zeros((vertical.out, horizontal.out, channels), np.float64)
    for group, filters in enumerate(np.split(weights.astype(np.float64), groups)):
        of_group = slice(group * len(filters), (group + 1) * len(filters))
        for (ky, kx), taps in windows(pixels[..., group * depth : (group + 1) * depth], vertical, horizontal):
            sums[..., of_group] += taps @ filters[:, ky, kx].T    # exact: below 2**53
    total = sums.astype(np.int64) + bias_of(graph, node, 2, channels)
    return (scales.requantized(total, *fused_range(graph, node))[np.newaxis],)


def lower(lowering: Lowering, node: Node) -> None:
    """A row of the output from ``kernel_h`` rows of the input; a single row also by adding up."""
    graph = lowering.graph
    image = graph.tensors[node.inputs[0]]
    weights = constant(graph.tensors[node.inputs[1]])
    vertical, horizontal = axes(graph, node, image.shape, weights.shape[1:3])
    lower_grouped(lowering, node, weights, (vertical, horizontal), macs(graph, node))


def lower_grouped(
    lowering: Lowering,
    node: Node,
    filters: NDArray[np.int8],
    window: tuple[Axis, Axis],
    macs: int,
    weights_axis: int = 0,
) -> None:
    """Add the layer of a convolution in groups.

    Args:
        lowering: The program so far.
        node: The node.
        filters: ``[O, kh, kw, I / groups]``.
        window: The vertical and the horizontal axis.
        macs: Of the node.
        weights_axis: The dimension of the node's own weights that the output channels run along.
    """
    graph = lowering.graph
    vertical, horizontal = window
    image = graph.tensors[node.inputs[0]]
    kernel = "conv_2d" if image.dtype == "int8" else "conv_2d_int16"
    fields = grouped_fields(graph, node, filters, horizontal, image.shape[3], weights_axis)
    lowering.add(window_layer(lowering, node, kernel, fields, vertical, len(filters) * horizontal.out, macs))


def grouped_fields(
    graph: Graph, node: Node, filters: NDArray[np.int8], horizontal: Axis, in_channels: int, weights_axis: int = 0
) -> dict[str, FieldValue]:
    """The fields of ``struct ec_conv_2d``, or of ``struct ec_conv_2d_int16``.

    Args:
        graph: The network.
        node: A convolution.
        filters: ``[O, kh, kw, I / groups]``.
        horizontal: The horizontal axis.
        in_channels: I.
        weights_axis: The dimension of the node's own weights that the output channels run along.
    """
    channels, kernel_h, kernel_w, depth = filters.shape
    groups = in_channels // depth
    scales = channel_scales(graph, node, channels, axis=weights_axis)
    low, high = fused_range(graph, node)
    packed = np.concatenate([interleaved(of_group) for of_group in np.split(filters, groups)])
    layout = "[out_channels / 8][kernel_h][kernel_w][in_channels][8], the rest by 4 and by 1"
    bias = bias_of(graph, node, 2, channels)
    magnitudes = np.abs(filters.astype(np.int64)).sum(axis=(1, 2, 3))
    is_int8 = scales.dtype == "int8"
    return {
        "weights": Array(packed, layout if groups == 1 else f"for each of {groups} groups {layout}"),
        **(scales.tables(bias) if is_int8 else requantize_int16.fields(scales, magnitudes, bias)),
        "in_width": horizontal.size,
        "in_channels": in_channels,
        "groups": groups,
        "group_channels": channels // groups,
        "depth": depth,
        "out_width": horizontal.out,
        "kernel_h": kernel_h,
        "kernel_w": kernel_w,
        "stride_w": horizontal.stride,
        "dilation_w": horizontal.dilation,
        "pad_left": horizontal.before,
        **(scales.offsets if is_int8 else {}),
        "low": low,
        "high": high,
        **({"large_factors": int(scales.large_factors)} if is_int8 else {}),
    }


def window_layer(
    lowering: Lowering,
    node: Node,
    kernel: str,
    fields: dict[str, FieldValue],
    vertical: Axis,
    row_size: int,
    macs: int,
    scratch_bytes: int = 0,
) -> Layer:
    """The layer of a convolution, with its accumulating form where there is one.

    Args:
        lowering: The program so far.
        node: The node.
        kernel: Stem of the kernel; ``<kernel>_accumulate`` is its function for a single output row.
        fields: Of the kernel's struct.
        vertical: The vertical axis.
        row_size: Elements of an output row.
        macs: Of the node.
        scratch_bytes: What a step of it needs; such a kernel has no accumulating form.
    """
    image = lowering.graph.tensors[node.inputs[0]]
    value = lowering.value(image.index).index
    element = element_bytes(image)
    in_bytes, row_bytes = rows_of(image.shape)[1] * element, row_size * element
    layer = Layer(
        op=node.op,
        node=node.index,
        kernel=kernel,
        function=kernel,
        reads=(vertical.read(value, in_bytes),),
        output=lowering.output(node.outputs[0], vertical.out, row_bytes).index,
        rows=vertical.out,
        row_bytes=row_bytes,
        steps=vertical.out,
        fields=fields,
        macs=macs,
        one_list=True,
        scratch_bytes=scratch_bytes,
    )
    if not vertical.is_single_window or vertical.kernel == 1 or scratch_bytes:
        return layer
    accumulating = replace(
        layer,
        function=f"{kernel}_accumulate",
        reads=(Read(value, in_bytes, tuple(range(0, vertical.extent, vertical.dilation))),),
        steps=vertical.kernel,
        sums_bytes=requantize_int16.sum_bytes(fields) * row_size,
        takes_row=True,
        one_list=False,
    )
    return replace(layer, accumulating=accumulating)


def macs(graph: Graph, node: Node) -> int:
    """Each output element sums over the whole filter, padding included."""
    return output_tensor(graph, node).size * int(np.prod(graph.tensors[node.inputs[1]].shape[1:]))


OP = Op("CONV_2D", check, reference, lower, macs)
