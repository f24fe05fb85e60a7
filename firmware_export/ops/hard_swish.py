"""HARD_SWISH: int8, ``x * clamp(x + 3, 0, 6) / 6``; a table.

Arithmetic: TFLite Micro ``reference_ops::HardSwish`` on int16 values with seven more bits than the input: one factor
brings them to the output's scale, another one [-3, 3] to the whole range of int16. Only the input's finer scale
is rounded to float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_export.fixedpoint import quantize_multiplier, rounding_shift_right
from firmware_export.graph import Graph, Node
from firmware_export.ops.base import need_int8, refuse
from firmware_export.ops.unary import check_unary, unary_op

EXTRA_BITS = 7
INT16_MIN, INT16_MAX = -(1 << 15), (1 << 15) - 1
LEAST_SHIFT, MOST_SLOPE_SHIFT = -15, 29
"""A right shift by more than 15 empties int16, and gemmlowp's rounding has no mask for it there."""


@dataclass(frozen=True)
class Factors:
    """``multiplier * 2**(shift - 15)`` with an int16 multiplier, to the output's scale and to [-1, 1]."""

    out_multiplier: int
    out_shift: int
    slope_multiplier: int
    slope_shift: int


def factors(graph: Graph, node: Node) -> Factors:
    """The factors of a node.

    Raises:
        ModelError: The scales are so far apart that TFLite Micro gives up, or that nothing would be left.
    """
    given, wanted = (need_int8(graph, node, graph.tensors[index], "it") for index in (node.inputs[0], node.outputs[0]))
    fine = float(np.float32(given.scale[0]) * np.float32(1 / (1 << EXTRA_BITS)))
    pairs = [quantize_multiplier(fine / scale) for scale in (wanted.scale[0], 3 / (1 << 15))]
    shifts = [shift for _, shift in pairs]
    if not LEAST_SHIFT <= shifts[0] <= 0 or not LEAST_SHIFT <= shifts[1] <= MOST_SLOPE_SHIFT:
        found = f"scales of {given.scale[0]:g} and {wanted.scale[0]:g}"
        refuse(graph, node, found, "an input scale of 1/512 to 128 times the output's, from 2e-7 to 6e6")
    high = [INT16_MAX if fixed >= (1 << 31) - (1 << 16) else (fixed + (1 << 15)) >> 16 for fixed, _ in pairs]
    return Factors(high[0], shifts[0], high[1], shifts[1])


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8, or scales that are too far apart."""
    check_unary(graph, node)
    factors(graph, node)


def hard_swish(graph: Graph, node: Node, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """``x * clamp(x + 3, 0, 6) / 6``, quantized."""
    form = factors(graph, node)
    given, wanted = (need_int8(graph, node, graph.tensors[index], "it") for index in (node.inputs[0], node.outputs[0]))
    fine = (values - given.zero_point[0]) << EXTRA_BITS
    at_output_scale = _doubling_high_mul(fine, form.out_multiplier)
    slope = fine
    if form.slope_shift > 0:
        slope = np.clip(slope << (form.slope_shift - 1), INT16_MIN, INT16_MAX)
    slope = _doubling_high_mul(slope, form.slope_multiplier)
    if form.slope_shift > 0:
        slope = np.clip(slope << 1, INT16_MIN, INT16_MAX)
    elif form.slope_shift < 0:
        slope = rounding_shift_right(slope, -form.slope_shift)
    slope = (slope + (1 << 15)) >> 1    # [-1, 1] to [0, 1]
    products = slope * at_output_scale
    towards_zero = np.sign(products) * (np.abs(products) >> 15)
    return np.clip(rounding_shift_right(towards_zero, -form.out_shift) + wanted.zero_point[0], -128, 127)


def _doubling_high_mul(values: NDArray[np.int64], multiplier: int) -> NDArray[np.int64]:
    """gemmlowp's ``SaturatingRoundingDoublingHighMul`` on int16, the multiplier not negative: half up."""
    return (values * multiplier + (1 << 14)) >> 15


OP = unary_op("HARD_SWISH", check, hard_swish)
