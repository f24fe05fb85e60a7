"""What LOGISTIC and TANH of int8 share: the input in fixed point with four integer bits, beyond which they are flat."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.fixedpoint import multiply, quantize_multiplier, rounding_shift_right
from firmware_export.graph import Graph, Node
from firmware_export.ops import sigmoid_int16
from firmware_export.ops.base import need_int8, refuse
from firmware_export.ops.unary import check_unary

INTEGER_BITS = 4
LEAST_SCALE = 2.0**-28
"""Below it TFLite Micro shifts by a negative number of bits."""
MOST_SCALE = 2.0**34
"""Above it TFLite Micro shifts by 63 bits and more."""


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8 or int16, or an input scale beyond TFLite Micro's arithmetic."""
    check_unary(graph, node, int16=True)
    if graph.tensors[node.inputs[0]].dtype == "int16":
        sigmoid_int16.check(graph, node)
        return
    scale = need_int8(graph, node, graph.tensors[node.inputs[0]], "an input").scale[0]
    if not LEAST_SCALE <= scale <= MOST_SCALE:
        refuse(graph, node, f"an input with the scale {scale:g}", f"{LEAST_SCALE:g} to {MOST_SCALE:g}")


def saturating(
    graph: Graph,
    node: Node,
    values: NDArray[np.int64],
    function: Callable[[NDArray[Any], int], NDArray[np.int64]],
    bits: int,
    offset: int,
) -> NDArray[np.int64]:
    """A function of the input with ``bits`` of its result kept, as int8; flat where the input leaves [-15, 15].

    Args:
        graph: The network.
        node: A checked node.
        values: int8, held in int64.
        function: Of a fixed-point number and how many integer bits it has; the result has none.
        bits: 2**bits stands for 1 in the output.
        offset: What stands for 0.
    """
    quant = need_int8(graph, node, graph.tensors[node.inputs[0]], "an input")
    real = quant.scale[0] * (1 << (31 - INTEGER_BITS))
    multiplier, _ = quantize_multiplier(real)
    shift = math.frexp(real)[1]
    radius = ((1 << INTEGER_BITS) - 1 << (31 - INTEGER_BITS)) >> shift
    centred = values - quant.zero_point[0]
    inside = np.clip(centred, -max(radius - 1, 0), max(radius - 1, 0))
    fixed = multiply(inside, multiplier, min(shift, 30))    # beyond 30 there is nothing inside but 0
    result = np.clip(rounding_shift_right(function(fixed, INTEGER_BITS), 31 - bits) + offset, -128, 127)
    return np.where(centred <= -radius, -128, np.where(centred >= radius, 127, result))
