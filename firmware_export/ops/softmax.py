"""SOFTMAX over the last dimension, any ``beta``; int8 to steps of 1/256 with zero point -128, int16 to 1/32768.

Arithmetic: TFLite Micro ``reference_ops::Softmax``. The exponential of a difference to the largest value depends on
that difference alone, which is a byte: a table. It ends where entries are too small to reach the sum or the output.
int16 is another function there (``softmax_int16``).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.fixedpoint import doubling_high_mul, quantize_multiplier, rounding_shift_right
from firmware_export.graph import Graph, Node
from firmware_export.layer import Array
from firmware_export.ops import softmax_int16
from firmware_export.ops.base import Inputs, Lowering, Op, need_input, need_int8, output_tensor, refuse
from firmware_export.ops.transcendental import exp_of_negative, inverse_of_one_plus
from firmware_export.ops.unary import check_unary, lower_rows

DIFFERENCE_BITS = 5
"""Integer bits of a scaled difference."""

SUM_BITS = 12
"""Integer bits of the sum of exponentials: it holds less than 4096 of them."""

MAX_DEPTH = (1 << SUM_BITS) - 1

OUT_SCALE, OUT_ZERO_POINT = 1 / 256, -128


def real_multiplier(graph: Graph, node: Node) -> float:
    """From int8 differences to fixed point; capped where one step already leaves nothing of the exponential."""
    beta = node.options.get("beta", 0.0)
    scale = need_int8(graph, node, need_input(graph, node, 0, "input"), "an input").scale[0]
    product = (beta if isinstance(beta, (int, float)) else 0.0) * scale * (1 << (31 - DIFFERENCE_BITS))
    return min(product, (1 << 31) - 1.0)


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8 or int16, other output scales, a beta at which TFLite Micro gives up, or long rows."""
    check_unary(graph, node, int16=True)
    source = need_input(graph, node, 0, "input")
    if source.dtype == "int16":
        softmax_int16.check(graph, node)
        return
    output = need_int8(graph, node, output_tensor(graph, node), "an output")
    if output.zero_point[0] != OUT_ZERO_POINT or output.scale[0] != OUT_SCALE:
        found = f"an output with the scale {output.scale[0]:g} and the zero point {output.zero_point[0]}"
        refuse(graph, node, found, f"1/256 and {OUT_ZERO_POINT}")
    if not source.shape or source.shape[-1] > MAX_DEPTH:
        refuse(graph, node, f"an input of {list(source.shape)}", f"up to {MAX_DEPTH} values that share a sum")
    if not real_multiplier(graph, node) > 1.0:
        scale = need_int8(graph, node, source, "an input").scale[0]
        found = f"a beta of {node.options.get('beta', 0.0)} at the scale {scale:g}"
        refuse(graph, node, found, "their product above 2**-26")


def exponentials(graph: Graph, node: Node) -> NDArray[np.int64]:
    """``exp(-beta * scale * difference)`` for each difference from 0 on, without integer bits; later ones are 0.

    An entry below 2**11 rounds to 0 in the sum, and in the output.
    """
    real = real_multiplier(graph, node)
    multiplier, _ = quantize_multiplier(real)
    shift = math.frexp(real)[1]
    furthest = ((1 << DIFFERENCE_BITS) - 1 << (31 - DIFFERENCE_BITS)) >> shift
    differences = -np.arange(min(furthest, 255) + 1)
    # A shift by 31 leaves only the difference 0, which stays 0.
    table = exp_of_negative(doubling_high_mul(differences << min(shift, 30), multiplier), DIFFERENCE_BITS)
    reaching = np.flatnonzero(table >= 1 << (SUM_BITS - 1))
    return table[: reaching[-1] + 1]


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """Each last dimension by itself.

    TFLite Micro stops the program where a sum of exponentials reaches 512 (more than 511 values, nearly all equal).
    Each output is below half a step there, and becomes the lowest value.
    """
    assert inputs[0] is not None
    values = inputs[0].astype(np.int64)
    if inputs[0].dtype == np.int16:
        return (softmax_int16.values_of(graph, node, values),)
    table = exponentials(graph, node)
    padded = np.zeros(256, np.int64)
    padded[: table.size] = table
    powers = padded[values.max(axis=-1, keepdims=True) - values]
    total = rounding_shift_right(powers, SUM_BITS).sum(axis=-1, keepdims=True)
    integer_bits = np.floor(np.log2(total)).astype(np.int64) - (31 - SUM_BITS)    # exact: below 2**53
    mantissa = (total << (SUM_BITS - integer_bits)) - (1 << 31)
    inverse = inverse_of_one_plus(mantissa)
    exponent = integer_bits + 31 - 8
    result = rounding_shift_right(doubling_high_mul(powers, inverse), np.minimum(exponent, 31))
    shifted = np.where(exponent > 31, 0, result) + OUT_ZERO_POINT
    return (np.clip(shifted, -128, 127).astype(np.int8),)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer, row by row; a row holds one softmax or several."""
    depth = lowering.graph.tensors[node.inputs[0]].shape[-1]
    if lowering.graph.tensors[node.inputs[0]].dtype == "int16":
        softmax_int16.lower(lowering, node)
        return
    table = Array(exponentials(lowering.graph, node).astype(np.int32), "[largest - value]: exp, 1.0 is 2^31 - 1", False)
    lower_rows(lowering, node, "softmax", "softmax", {"depth": depth, "entries": table.data.size, "exp": table})


OP = Op("SOFTMAX", check, reference, lower)
