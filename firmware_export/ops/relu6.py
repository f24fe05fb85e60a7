"""RELU6: int8 or int16. TFLite Micro clips the values between what stands for 0 and for 6 at the **input's** scale.

It never looks at the output's (``activations_common.cc``, ``Relu6Prepare``); converters write the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import FieldValue
from firmware_export.ops.base import RANGES, need_dtype, need_input, need_quantized, output_tensor, refuse
from firmware_export.ops.rescale_int16 import rescaling
from firmware_export.ops.unary import check_shapes, unary_op

UPPER = 6.0


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8 or int16, or an input scale at which 6 is no int32."""
    check_shapes(graph, node)
    source = need_input(graph, node, 0, "input")
    quant = need_quantized(graph, node, source, "an input")
    need_dtype(graph, node, output_tensor(graph, node), "an output", source.dtype)
    if source.dtype == "int16":
        need_quantized(graph, node, output_tensor(graph, node), "an output")
    with np.errstate(over="ignore"):
        steps = np.float32(UPPER) / np.float32(quant.scale[0])
    if not steps < (1 << 31) - 256:
        refuse(graph, node, f"an input with the scale {quant.scale[0]:g}", "scales at which 6 fits into 32 bits")


def relu6(graph: Graph, node: Node, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """``min(6, max(0, x))`` at the input's scale."""
    return np.clip(values, *bounds(graph, node))


def bounds(graph: Graph, node: Node) -> tuple[int, int]:
    """What stands for 0 and for 6."""
    source = graph.tensors[node.inputs[0]]
    quant = need_quantized(graph, node, source, "an input")
    steps = float(np.float32(UPPER) / np.float32(quant.scale[0]))
    upper = quant.zero_point[0] + int(steps + 0.5)    # half away from zero, exact in float64
    return quant.zero_point[0], min(RANGES[source.dtype][1], upper)


def int16_form(graph: Graph, node: Node) -> tuple[str, str, Mapping[str, FieldValue]]:
    """Clipped, and not rescaled."""
    return rescaling(graph, node, *bounds(graph, node), same=True)


OP = unary_op("RELU6", check, relu6, int16_form)
