"""RELU: int8, rescaled where input and output have scales of their own; a table, or a clip where they are equal.

Arithmetic: TFLite Micro ``activations_common.cc``. RELU fused into another operator is a range there, not this.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.rescale import requantized
from firmware_export.ops.unary import check_unary, unary_op


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8, or a factor between the scales beyond int32."""
    check_unary(graph, node)
    requantized(graph, node, np.zeros(1, np.int64))


def relu(graph: Graph, node: Node, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """``max(0, x)``, quantized."""
    rescaled, zero_point = requantized(graph, node, values)
    return np.clip(rescaled, zero_point, 127)


OP = unary_op("RELU", check, relu)
