"""MEAN: the average over any axes, int8 or int16; over height and width it is global average pooling.

Arithmetic: TFLite Micro ``QuantizedMeanOrSum``, for every set of axes alike: the sum of ``q - zero_point`` in int32
times one factor that holds the scales and the division by the number of elements. That factor loses bits twice, in
the quantization of ``input scale / output scale`` and in an integer division, both downwards here as there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.fixedpoint import multiply, quantize_multiplier
from firmware_export.graph import Graph, Node
from firmware_export.layer import FieldValue
from firmware_export.ops.base import RANGES, Inputs, Lowering, Op, need_quantized, refuse
from firmware_export.ops.reduction import (
    INT32_LIMIT,
    axes_of,
    check_reduction,
    keeps_dims,
    lower_reduction,
    window_size,
)

SUM_BYTES = 4


def factor(graph: Graph, node: Node) -> tuple[int, int]:
    """The multiplier and shift that make an output of a sum; for MEAN with the division by the number of elements."""
    source = need_quantized(graph, node, graph.tensors[node.inputs[0]], "an input")
    target = need_quantized(graph, node, graph.tensors[node.outputs[0]], "an output")
    multiplier, shift = quantize_multiplier(source.scale[0] / target.scale[0])
    if node.op == "MEAN":
        count = window_size(graph, node)
        down = min(count.bit_length() - 1, 32, 31 + shift)
        multiplier, shift = (multiplier << down) // count, shift - down
    return multiplier, shift


def check(graph: Graph, node: Node) -> None:
    """Refuse what is no int8 or int16 reduction, or so large that sums could leave int32."""
    image, _ = check_reduction(graph, node, int16=True)
    low, high = RANGES[image.dtype]
    count = window_size(graph, node)
    _, shift = factor(graph, node)
    if ((high - low) * count << max(shift, 0)) + high - low >= INT32_LIMIT:
        refuse(graph, node, f"a sum of {count} elements with a factor near 2^{shift}", "sums that fit into int32")


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The mean, or for SUM the sum, of a tensor over its axes."""
    values = inputs[0]
    assert values is not None
    source = need_quantized(graph, node, graph.tensors[node.inputs[0]], "an input")
    target = need_quantized(graph, node, graph.tensors[node.outputs[0]], "an output")
    total = values.astype(np.int64).sum(axis=axes_of(graph, node), keepdims=keeps_dims(node))
    multiplier, shift = factor(graph, node)
    out = multiply(total - window_size(graph, node) * source.zero_point[0], multiplier, shift) + target.zero_point[0]
    return (np.clip(out, *RANGES[graph.tensors[node.outputs[0]].dtype]).astype(values.dtype),)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer, see ``reduction``; none over axes of size 1 to the same scale, where the factor 1 is exact."""
    graph = lowering.graph
    source = need_quantized(graph, node, graph.tensors[node.inputs[0]], "an input")
    target = need_quantized(graph, node, graph.tensors[node.outputs[0]], "an output")
    if window_size(graph, node) == 1 and source == target:
        lowering.alias(node.inputs[0], node.outputs[0])
        return
    multiplier, shift = factor(graph, node)
    rescaling: dict[str, FieldValue] = {"multiplier": multiplier, "shift": shift}
    if graph.tensors[node.outputs[0]].dtype == "int16":
        lower_reduction(lowering, node, "mean_int16", rescaling, SUM_BYTES)
        return
    offsets = {"in_offset": -source.zero_point[0] * window_size(graph, node), "out_offset": target.zero_point[0]}
    lower_reduction(lowering, node, "mean", {**offsets, **rescaling}, SUM_BYTES)


OP = Op("MEAN", check, reference, lower)
