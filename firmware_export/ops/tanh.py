"""TANH: int8; a table.

Arithmetic: TFLite Micro ``reference_integer_ops::Tanh``. It takes the output's scale to be 1/128 and its zero point
to be 0, whatever the file says.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops import sigmoid_range, transcendental
from firmware_export.ops.unary import unary_op


def tanh(graph: Graph, node: Node, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """``tanh(x)`` in steps of 1/128."""
    return sigmoid_range.saturating(graph, node, values, transcendental.tanh, bits=7, offset=0)


OP = unary_op("TANH", sigmoid_range.check, tanh)
