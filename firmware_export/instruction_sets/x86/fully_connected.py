"""FULLY_CONNECTED: ``kernels/x86/conv_2d_words.h``, as the convolution of one pixel."""

from __future__ import annotations

from collections.abc import Iterator

from firmware_export.graph import Node
from firmware_export.instruction_sets.x86 import conv_2d
from firmware_export.instruction_sets.x86.packing import scales_fit
from firmware_export.layer import Layer, Read
from firmware_export.ops import fully_connected
from firmware_export.ops.base import Lowering, constant
from firmware_export.ops.requantize import bias_of, channel_scales, fused_range
from firmware_export.ops.window import Axis

PIXEL = Axis(size=1, out=1, kernel=1, stride=1, dilation=1, before=0)


def lower(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """Symmetric weights."""
    graph = lowering.graph
    weights = constant(graph.tensors[node.inputs[1]])
    out_size, in_size = weights.shape
    if graph.tensors[node.inputs[0]].dtype != "int8" or fully_connected.weights_zero_point(graph, node):
        return
    scales = channel_scales(graph, node, out_size)
    if not scales_fit(scales):
        return
    low, high = fused_range(graph, node)
    bias = bias_of(graph, node, 2, out_size)
    fields, scratch_bytes = conv_2d.words_fields(weights.reshape(out_size, 1, 1, in_size), bias, scales, PIXEL)
    value = lowering.value(node.inputs[0])
    rows = value.nbytes // in_size
    yield Layer(
        op=node.op,
        node=node.index,
        kernel=conv_2d.KERNEL,
        function=conv_2d.KERNEL,
        reads=(Read(value.index, in_size, tuple(range(rows))),),
        output=lowering.output(node.outputs[0], rows, out_size).index,
        rows=rows,
        row_bytes=out_size,
        steps=rows,
        fields={**fields, "low": low, "high": high},
        macs=fully_connected.macs(graph, node),
        one_list=True,
        scratch_bytes=scratch_bytes,
    )
