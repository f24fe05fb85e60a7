"""LOGISTIC: int8, ``1 / (1 + exp(-x))``; a table.

Arithmetic: TFLite Micro ``reference_integer_ops::Logistic``. It wants the output's zero point at -128 and
takes its scale to be 1/256, whatever the file says.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops import sigmoid_range, transcendental
from firmware_export.ops.base import need_int8, output_tensor, refuse
from firmware_export.ops.unary import unary_op

ZERO_POINT = -128


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8, an output zero point other than -128, or an input scale beyond TFLite Micro's."""
    sigmoid_range.check(graph, node)
    zero_point = need_int8(graph, node, output_tensor(graph, node), "an output").zero_point[0]
    if zero_point != ZERO_POINT:
        refuse(graph, node, f"an output with the zero point {zero_point}", f"{ZERO_POINT}, scale 1/256")


def logistic(graph: Graph, node: Node, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """``1 / (1 + exp(-x))`` in steps of 1/256."""
    return sigmoid_range.saturating(graph, node, values, transcendental.logistic, bits=8, offset=ZERO_POINT)


OP = unary_op("LOGISTIC", check, logistic)
