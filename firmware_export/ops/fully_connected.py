"""FULLY_CONNECTED: int8 or int16 with int8 weights, per tensor or per channel, with or without bias.

Arithmetic: TFLite Micro ``reference_integer_ops::FullyConnected``, with double rounding as in CONV_2D (TFLite's own
reference rounds once). It takes weights with a zero point where they have one scale, and ignores their zero points
where they have several (refused here, as any with int16). A bias whose scale is not that of the products makes it
refuse weights with one scale.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import Array, FieldValue, Layer, Read
from firmware_export.ops import requantize_int16
from firmware_export.ops.base import (
    Inputs,
    Lowering,
    Op,
    constant,
    input_tensor,
    need_constant,
    need_dtype,
    need_input,
    need_quantized,
    need_rank,
    option_text,
    output_tensor,
    refuse,
)
from firmware_export.ops.movement import element_bytes
from firmware_export.ops.packing import interleaved
from firmware_export.ops.requantize import (
    INT16_BIASES,
    ChannelScales,
    bias_of,
    channel_scales,
    check_bias,
    check_sums,
    fused_range,
)

LARGEST_BIAS_SCALE_ERROR = 0.02
"""Of the output's scale, that the bias's scale may be off (TFLite ``GetQuantizedConvolutionMultipler``)."""


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8 or int16, or without constant int8 weights."""
    vector = need_input(graph, node, 0, "input")
    weights = need_input(graph, node, 1, "filter")
    output = output_tensor(graph, node)
    need_quantized(graph, node, vector, "an input")
    need_quantized(graph, node, output, "an output", vector)
    need_dtype(graph, node, weights, "a filter", "int8")
    need_constant(graph, node, weights, "filter")
    need_rank(graph, node, weights, "a filter", 2)
    if option_text(node, "weights_format", "DEFAULT") != "DEFAULT":
        refuse(graph, node, f"the weights format {option_text(node, 'weights_format')}", "DEFAULT")
    out_size, in_size = weights.shape
    if not weights.size or not vector.size or vector.size % in_size:
        found = f"a filter of {list(weights.shape)} on an input of {list(vector.shape)}"
        refuse(graph, node, found, "inputs that are a multiple of the filter's", "The file is damaged.")
    rows = vector.size // in_size
    if not output.shape or output.shape[-1] != out_size or output.size != rows * out_size:
        found = f"an output of {list(output.shape)}"
        refuse(graph, node, found, f"{rows} rows of {out_size} here", "The file is damaged.")
    check_bias(graph, node, 2, out_size, *(INT16_BIASES if vector.dtype == "int16" else ()))
    scales = _scales(graph, node)
    zero_point = weights_zero_point(graph, node)
    if not -128 <= zero_point <= 127:
        refuse(graph, node, f"a filter with the zero point {zero_point}", "-128 to 127")
    if vector.dtype == "int16" and zero_point:
        refuse(graph, node, f"a filter with the zero point {zero_point} on int16", "symmetric int8 weights")
    _check_bias_scale(graph, node)
    fused_range(graph, node)
    magnitudes = np.abs(constant(weights).astype(np.int64)).sum(axis=1) + abs(zero_point) * in_size
    check_sums(graph, node, magnitudes, bias_of(graph, node, 2, out_size), scales)


def _check_bias_scale(graph: Graph, node: Node) -> None:
    bias = input_tensor(graph, node, 2)
    weights = need_input(graph, node, 1, "filter").quant
    if bias is None or weights is None or weights.per_channel:
        return
    scale = bias.quant.scale[0] if bias.quant is not None and bias.quant.scale else 0.0
    products = need_quantized(graph, node, need_input(graph, node, 0, "input"), "an input").scale[0] * weights.scale[0]
    output = need_quantized(graph, node, output_tensor(graph, node), "an output").scale[0]
    if abs(products - scale) / output > LARGEST_BIAS_SCALE_ERROR:
        refuse(graph, node, f"a bias with the scale {scale:g}", f"the scale of input times weights, {products:g}")


def weights_zero_point(graph: Graph, node: Node) -> int:
    """Of weights with one scale; 0 for others."""
    quant = need_input(graph, node, 1, "filter").quant
    return quant.zero_point[0] if quant is not None and len(quant.zero_point) == 1 else 0


def _scales(graph: Graph, node: Node) -> ChannelScales:
    out_size = need_input(graph, node, 1, "filter").shape[0]
    return channel_scales(graph, node, out_size, weights_zero_point=weights_zero_point(graph, node))


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """Rows times ``[out, in]`` int8."""
    vector, weights = inputs[0], inputs[1]
    assert vector is not None and weights is not None
    scales = _scales(graph, node)
    rows = vector.reshape(-1, weights.shape[1]).astype(np.float64) - scales.in_zero_point
    sums = rows @ (weights.astype(np.float64) - weights_zero_point(graph, node)).T    # exact: below 2**53
    total = sums.astype(np.int64) + bias_of(graph, node, 2, weights.shape[0])
    return (scales.requantized(total, *fused_range(graph, node)).reshape(output_tensor(graph, node).shape),)


def lower(lowering: Lowering, node: Node) -> None:
    """A row of the output from a row of the input; a single one also by adding up the rows that make up its input."""
    graph = lowering.graph
    weights = constant(graph.tensors[node.inputs[1]])
    out_size, in_size = weights.shape
    value = lowering.value(node.inputs[0])
    element = element_bytes(graph.tensors[node.inputs[0]])
    kernel = "fully_connected" if element == 1 else "fully_connected_int16"
    rows = value.nbytes // (in_size * element)
    fields = _fields(graph, node, weights, 1)
    layer = Layer(
        op=node.op,
        node=node.index,
        kernel=kernel,
        function=kernel,
        reads=(Read(value.index, in_size * element, tuple(range(rows))),),
        output=lowering.output(node.outputs[0], rows, out_size * element).index,
        rows=rows,
        row_bytes=out_size * element,
        steps=rows,
        fields=fields,
        macs=macs(graph, node),
    )
    if rows == 1 and value.rows > 1:
        accumulating = replace(
            layer,
            function=f"{kernel}_accumulate",
            reads=(Read(value.index, value.row_bytes, tuple(range(value.rows))),),
            steps=value.rows,
            fields=_fields(graph, node, weights, value.rows),
            sums_bytes=requantize_int16.sum_bytes(fields) * out_size,
            takes_row=True,
        )
        layer = replace(layer, accumulating=accumulating)
    lowering.add(layer)


def _fields(graph: Graph, node: Node, weights: NDArray[np.int8], steps: int) -> dict[str, FieldValue]:
    """The fields of ``struct ec_fully_connected``, or of ``struct ec_fully_connected_int16``.

    The input comes in ``steps`` equal parts.
    """
    scales = _scales(graph, node)
    low, high = fused_range(graph, node)
    packed = np.concatenate([interleaved(part) for part in np.split(weights, steps, axis=1)])
    layout = "[out_size / 8][in_size][8], the rest by 4 and by 1"
    bias = bias_of(graph, node, 2, weights.shape[0])
    magnitudes = np.abs(weights.astype(np.int64)).sum(axis=1)
    is_int8 = scales.dtype == "int8"
    offsets: dict[str, FieldValue] = {"weights_offset": -weights_zero_point(graph, node), **scales.offsets}
    return {
        "weights": Array(packed, layout if steps == 1 else f"[steps]{layout}"),
        **(scales.tables(bias) if is_int8 else requantize_int16.fields(scales, magnitudes, bias)),
        "in_size": weights.shape[1] // steps,
        "out_size": weights.shape[0],
        "steps": steps,
        **(offsets if is_int8 else {}),
        "low": low,
        "high": high,
        **({"large_factors": int(scales.large_factors)} if is_int8 else {}),
    }


def macs(graph: Graph, node: Node) -> int:
    """Each output element sums over a row of the input."""
    return output_tensor(graph, node).size * graph.tensors[node.inputs[1]].shape[1]


OP = Op("FULLY_CONNECTED", check, reference, lower, macs)
