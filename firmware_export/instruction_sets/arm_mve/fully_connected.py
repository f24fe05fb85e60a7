"""FULLY_CONNECTED: ``kernels/arm_mve/conv_2d_dots.h``, as the convolution of one pixel."""

from __future__ import annotations

from collections.abc import Iterator

from firmware_export.graph import Node
from firmware_export.instruction_sets.arm_mve.packing import TOGETHER, VECTOR, dots, offset_bias, scales_fit
from firmware_export.layer import FieldValue, Layer, Read
from firmware_export.ops import fully_connected
from firmware_export.ops.base import Lowering, constant
from firmware_export.ops.requantize import bias_of, channel_scales, fused_range


def lower(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """Symmetric weights to outputs by four, whose input is in one piece."""
    graph = lowering.graph
    vector, weights = graph.tensors[node.inputs[0]], constant(graph.tensors[node.inputs[1]])
    out_size, in_size = weights.shape
    if vector.dtype != "int8" or out_size % TOGETHER or fully_connected.weights_zero_point(graph, node):
        return
    scales = channel_scales(graph, node, out_size)
    value = lowering.value(node.inputs[0])
    rows = value.nbytes // in_size
    if not scales_fit(scales):
        return
    in_place = in_size % VECTOR == 0
    low, high = fused_range(graph, node)
    tables = dots(weights, offset_bias(weights, bias_of(graph, node, 2, out_size), scales), scales)
    fields: dict[str, FieldValue] = {
        "weights": tables["weights"],
        "channels": tables["channels"],
        "in_width": 1,
        "depth": in_size,
        "kernel_h": 1,
        "before": 0,
        "after": 0,
        "vectors": tables["vectors"],
        "step": in_size,
        "out_width": 1,
        "out_channels": out_size,
        "in_zero_point": scales.in_zero_point,
        "out_zero_point": scales.out_zero_point,
        "low": low,
        "high": high,
    }
    yield Layer(
        op=node.op,
        node=node.index,
        kernel="conv_2d_dots",
        function="conv_2d_dots_in_place" if in_place else "conv_2d_dots",
        reads=(Read(value.index, in_size, tuple(range(rows))),),
        output=lowering.output(node.outputs[0], rows, out_size).index,
        rows=rows,
        row_bytes=out_size,
        steps=rows,
        fields=fields,
        macs=fully_connected.macs(graph, node),
        one_list=True,
        scratch_bytes=0 if in_place else -(-in_size // VECTOR) * VECTOR,
    )
