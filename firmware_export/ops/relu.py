"""RELU: int8 or int16, rescaled where input and output have scales of their own; int8 by a table, or a clip.

Arithmetic: TFLite Micro ``activations_common.cc``. RELU fused into another operator is a range there, not this.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import FieldValue
from firmware_export.ops.base import RANGES, output_tensor
from firmware_export.ops.rescale import requantized
from firmware_export.ops.rescale_int16 import rescaling
from firmware_export.ops.unary import check_unary, unary_op


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8 or int16, or a factor between the scales beyond int32."""
    check_unary(graph, node, int16=True)
    requantized(graph, node, np.zeros(1, np.int64))


def relu(graph: Graph, node: Node, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """``max(0, x)``, quantized."""
    rescaled, zero_point = requantized(graph, node, values)
    return np.clip(rescaled, zero_point, RANGES[output_tensor(graph, node).dtype][1])


def int16_form(graph: Graph, node: Node) -> tuple[str, str, Mapping[str, FieldValue]]:
    """What is negative is cut off behind the factor."""
    return rescaling(graph, node, 0, RANGES["int16"][1])


OP = unary_op("RELU", check, relu, int16_form)
