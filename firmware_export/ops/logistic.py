"""LOGISTIC: ``1 / (1 + exp(-x))``; int8 by a table, int16 as in ``sigmoid_int16``.

Arithmetic: TFLite Micro ``reference_integer_ops::Logistic``. It wants the output's zero point at -128 and
takes its scale to be 1/256, whatever the file says. (Of int16 it wants 1/32768.)
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops import sigmoid_int16, sigmoid_range, transcendental
from firmware_export.ops.base import need_int8, output_tensor, refuse
from firmware_export.ops.unary import unary_op

ZERO_POINT = -128


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8 or int16, an int8 output zero point other than -128, or scales beyond TFLite Micro's."""
    sigmoid_range.check(graph, node)
    if output_tensor(graph, node).dtype == "int16":
        return
    zero_point = need_int8(graph, node, output_tensor(graph, node), "an output").zero_point[0]
    if zero_point != ZERO_POINT:
        refuse(graph, node, f"an output with the zero point {zero_point}", f"{ZERO_POINT}, scale 1/256")


def logistic(graph: Graph, node: Node, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """``1 / (1 + exp(-x))`` in steps of 1/256, or of 1/32768."""
    if output_tensor(graph, node).dtype == "int16":
        return sigmoid_int16.values_of(graph, node, values, sigmoid_int16.LOGISTIC)
    return sigmoid_range.saturating(graph, node, values, transcendental.logistic, bits=8, offset=ZERO_POINT)


OP = unary_op("LOGISTIC", check, logistic, partial(sigmoid_int16.form, curve=sigmoid_int16.LOGISTIC))
