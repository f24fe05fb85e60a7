"""FULLY_CONNECTED: ``kernels/neon/conv_2d_quads.h``, as the convolution of one pixel."""

from __future__ import annotations

from collections.abc import Iterator

from firmware_export.graph import Node
from firmware_export.instruction_sets import quads
from firmware_export.instruction_sets.neon import conv_2d
from firmware_export.layer import FieldValue, Layer, Read
from firmware_export.ops import fully_connected
from firmware_export.ops.base import Lowering, constant
from firmware_export.ops.requantize import bias_of, channel_scales, fused_range


def lower(lowering: Lowering, node: Node) -> Iterator[Layer]:
    """Symmetric weights on int8."""
    graph = lowering.graph
    vector, weights = graph.tensors[node.inputs[0]], constant(graph.tensors[node.inputs[1]])
    out_size, in_size = weights.shape
    if vector.dtype != "int8" or fully_connected.weights_zero_point(graph, node):
        return
    scales = channel_scales(graph, node, out_size)
    if not quads.fit(weights, scales):
        return
    low, high = fused_range(graph, node)
    run = quads.filled(in_size)
    fields: dict[str, FieldValue] = {
        "weights": quads.weight_table(weights),
        "channels": quads.channel_table(weights, bias_of(graph, node, 2, out_size), scales, scales.in_zero_point),
        "in_width": 1,
        "depth": in_size,
        "kernel_h": 1,
        "before": 0,
        "after": run - in_size,
        "run": run,
        "step": in_size,
        "out_width": 1,
        "out_channels": out_size,
        "in_zero_point": scales.in_zero_point,
        "out_zero_point": scales.out_zero_point,
        "low": low,
        "high": high,
    }
    value = lowering.value(node.inputs[0])
    rows = value.nbytes // in_size
    yield Layer(
        op=node.op,
        node=node.index,
        kernel=conv_2d.KERNEL,
        function=f"{conv_2d.KERNEL}_in_place" if run == in_size else conv_2d.KERNEL,
        reads=(Read(value.index, in_size, tuple(range(rows))),),
        output=lowering.output(node.outputs[0], rows, out_size).index,
        rows=rows,
        row_bytes=out_size,
        steps=rows,
        fields=fields,
        macs=fully_connected.macs(graph, node),
        one_list=True,
        scratch_bytes=0 if run == in_size else run,
    )
