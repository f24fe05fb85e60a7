"""DEQUANTIZE: int8, uint8 or int16 to float32, ``(q - zero_point) * scale``.

TFLite Micro multiplies in double and rounds to float32 (``reference_ops::Dequantize``). The product of a float32 scale
and an integer of so few bits is exact in double, so that one float32 multiplication gives the same bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import FieldValue
from firmware_export.ops.base import (
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
from firmware_export.ops.unary import check_shapes, lower_rows

FUNCTIONS = {
    "int8": ("dequantize", "dequantize"),
    "uint8": ("dequantize", "dequantize_uint8"),
    "int16": ("dequantize_int16", "dequantize_int16"),
}
"""The kernel and its function for each type."""


def check(graph: Graph, node: Node) -> None:
    """Refuse other types, or several scales."""
    check_shapes(graph, node)
    source = need_input(graph, node, 0, "input")
    need_dtype(graph, node, source, "an input", *FUNCTIONS)
    need_dtype(graph, node, output_tensor(graph, node), "an output", "float32")
    zero_point = need_quant(graph, node, source, "an input").zero_point[0]
    if source.dtype == "int16":
        need_quantized(graph, node, source, "an input")
    if source.dtype == "uint8" and not 0 <= zero_point <= 255:
        refuse(graph, node, f"an input with the zero point {zero_point}", "0 to 255")


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[np.float32], ...]:
    """The real numbers."""
    assert inputs[0] is not None
    quant = need_quant(graph, node, graph.tensors[node.inputs[0]], "an input")
    centred = (inputs[0].astype(np.int64) - quant.zero_point[0]).astype(np.float32)
    with np.errstate(over="ignore", under="ignore"):
        return (centred * np.float32(quant.scale[0]),)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer, row by row."""
    source = lowering.graph.tensors[node.inputs[0]]
    quant = need_quant(lowering.graph, node, source, "an input")
    fields: dict[str, FieldValue] = {"zero_point": quant.zero_point[0], "scale": float(quant.scale[0])}
    if source.dtype == "int16":
        del fields["zero_point"]
    lower_rows(lowering, node, *FUNCTIONS[source.dtype], fields)


OP = Op("DEQUANTIZE", check, reference, lower)
