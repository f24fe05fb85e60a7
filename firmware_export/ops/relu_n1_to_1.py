"""RELU_N1_TO_1: int8. TFLite Micro lacks it as an operator of its own, so this is TFLite's kernel (``activations.cc``).

The input is rescaled to the output, then clipped between what stands for -1 and for 1 there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_export.fixedpoint import activation_range
from firmware_export.graph import Graph, Node
from firmware_export.ops.base import need_int8, output_tensor, refuse
from firmware_export.ops.rescale import requantized
from firmware_export.ops.unary import check_unary, unary_op


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8, a factor between the scales beyond int32, or an output scale at which 1 is no int32."""
    check_unary(graph, node)
    requantized(graph, node, np.zeros(1, np.int64))
    output = need_int8(graph, node, output_tensor(graph, node), "an output")
    if not 1.0 / output.scale[0] < (1 << 31) - 256:
        refuse(graph, node, f"an output with the scale {output.scale[0]:g}", "scales at which 1 fits into 32 bits")


def relu_n1_to_1(graph: Graph, node: Node, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """``min(1, max(-1, x))``, quantized."""
    rescaled, zero_point = requantized(graph, node, values)
    scale = need_int8(graph, node, output_tensor(graph, node), "an output").scale[0]
    return np.clip(rescaled, *activation_range("RELU_N1_TO_1", scale, zero_point))


OP = unary_op("RELU_N1_TO_1", check, relu_n1_to_1)
