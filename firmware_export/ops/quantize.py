"""QUANTIZE: between scales of int8, uint8 and int8 (tables), int16, int16 and int8, and from float32 at the border.

Arithmetic: TFLite Micro ``quantize_common.cc``, ``reference_ops::Requantize`` and ``AffineQuantize``. A float is
divided by the scale in float32 and rounded half away from zero. TFLite Micro then converts to int32, which is undefined
beyond its range and for NaN; here everything beyond becomes the lowest or the highest value, and NaN what stands for 0
(as on a Cortex-M, whose conversion saturates and turns NaN to 0).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import FieldValue
from firmware_export.ops.base import (
    RANGES,
    Inputs,
    Lowering,
    Op,
    need_dtype,
    need_input,
    need_quant,
    need_quantized,
    output_tensor,
    refuse,
)
from firmware_export.ops.rescale import requantized
from firmware_export.ops.rescale_int16 import FUNCTIONS, rescaling
from firmware_export.ops.unary import LOOKUPS, check_shapes, lower_rows, unary_op

FAR = {"int8": 512.0, "int16": float(1 << 17)}
"""In steps: as good as infinity."""


def check(graph: Graph, node: Node) -> None:
    """Refuse types that are none of the module's, several scales, or a factor beyond int32."""
    check_shapes(graph, node)
    source, output = need_input(graph, node, 0, "input"), output_tensor(graph, node)
    need_dtype(graph, node, source, "an input", "int8", "uint8", "int16", "float32")
    wanted = ("int8", "int16") if source.dtype == "float32" else ("int8", "uint8", "int16")
    need_dtype(graph, node, output, "an output", *wanted)
    zero_point = need_quant(graph, node, output, "an output").zero_point[0]
    if output.dtype == "uint8" and not 0 <= zero_point <= 255:
        refuse(graph, node, f"an output with the zero point {zero_point}", "0 to 255")
    if output.dtype == "int16":
        need_quantized(graph, node, output, "an output")
    if source.dtype == "float32":
        return
    if (source.dtype, output.dtype) not in {*LOOKUPS, *FUNCTIONS}:
        supported = "float32 to int8 or int16, int8 and uint8 with one int8 side, int16 and int8"
        refuse(graph, node, f"{source.dtype} to {output.dtype}", supported)
    if source.dtype == "int16":
        need_quantized(graph, node, source, "an input")
    given = need_quant(graph, node, source, "an input").zero_point[0]
    if source.dtype == "uint8" and not 0 <= given <= 255:
        refuse(graph, node, f"an input with the zero point {given}", "0 to 255")
    requantized(graph, node, np.zeros(1, np.int64))


def requantize(graph: Graph, node: Node, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The value at the output's scale."""
    return np.clip(requantized(graph, node, values)[0], *RANGES[graph.tensors[node.outputs[0]].dtype])


def int16_form(graph: Graph, node: Node) -> tuple[str, str, Mapping[str, FieldValue]]:
    """One factor between the two scales."""
    return rescaling(graph, node, *RANGES[output_tensor(graph, node).dtype])


_WHOLE_NUMBERS = unary_op("QUANTIZE", check, requantize, int16_form)


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[np.generic], ...]:
    """Quantize float32, or requantize."""
    values, output = inputs[0], graph.tensors[node.outputs[0]]
    assert values is not None
    if values.dtype != np.float32:
        return _WHOLE_NUMBERS.reference(graph, node, inputs)
    quant = need_quant(graph, node, output, "an output")
    far = FAR[output.dtype]
    with np.errstate(all="ignore"):
        steps = (values / np.float32(quant.scale[0])).astype(np.float64)
    steps = np.clip(np.nan_to_num(steps, nan=0.0, posinf=far, neginf=-far), -far, far)
    rounded = np.copysign(np.floor(np.abs(steps) + 0.5), steps).astype(np.int64)    # exact: float32 in float64
    return (np.clip(rounded + quant.zero_point[0], *RANGES[output.dtype]).astype(np.dtype(output.dtype)),)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer, row by row."""
    if lowering.graph.tensors[node.inputs[0]].dtype != "float32":
        assert _WHOLE_NUMBERS.lower is not None
        _WHOLE_NUMBERS.lower(lowering, node)
        return
    output = output_tensor(lowering.graph, node)
    quant = need_quant(lowering.graph, node, output, "an output")
    if output.dtype == "int16":
        lower_rows(lowering, node, "quantize_int16", "quantize_int16", {"scale": float(quant.scale[0])})
        return
    fields: dict[str, FieldValue] = {"zero_point": quant.zero_point[0], "scale": float(quant.scale[0])}
    lower_rows(lowering, node, "quantize", "quantize", fields)


OP = Op("QUANTIZE", check, reference, lower)
