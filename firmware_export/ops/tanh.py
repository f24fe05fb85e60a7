"""TANH: int8 by a table, int16 as in ``sigmoid_int16``.

Arithmetic: TFLite Micro ``reference_integer_ops::Tanh``. It takes the output's scale to be 1/128 and its zero point
to be 0, whatever the file says. (Of int16 it wants 1/32768.)
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops import sigmoid_int16, sigmoid_range, transcendental
from firmware_export.ops.base import output_tensor
from firmware_export.ops.unary import unary_op


def tanh(graph: Graph, node: Node, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """``tanh(x)`` in steps of 1/128, or of 1/32768."""
    if output_tensor(graph, node).dtype == "int16":
        return sigmoid_int16.values_of(graph, node, values, sigmoid_int16.TANH)
    return sigmoid_range.saturating(graph, node, values, transcendental.tanh, bits=7, offset=0)


OP = unary_op("TANH", sigmoid_range.check, tanh, partial(sigmoid_int16.form, curve=sigmoid_int16.TANH))
