"""Exponential, logistic and tanh in fixed point, bit for bit as gemmlowp computes them for TFLite Micro.

Numbers are int32 with some integer bits, held in int64 arrays: with ``b`` integer bits ``raw`` means
``raw * 2**(b - 31)``. The method (gemmlowp's ``fixedpoint.h``): exp is a Taylor series on [-1/4, 0), times a constant
for each further bit of the argument; quotients are three Newton-Raphson steps from 48/17 - 32/17 * d.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.fixedpoint import INT32_MAX, INT32_MIN, doubling_high_mul, rounding_shift_right

Raw = NDArray[np.int64]

ONE = INT32_MAX
"""1.0 with no integer bits, as near as it comes."""

_ONE_Q2 = 1 << 29    # 1.0 with two integer bits


def _fixed(real: float, integer_bits: int = 0) -> int:
    return round(real * (1 << (31 - integer_bits)))


_EXP_OF_POWERS = tuple((exponent, _fixed(math.exp(-(2.0**exponent)))) for exponent in range(-2, 5))
_THIRD, _EXP_MINUS_EIGHTH = _fixed(1 / 3), _fixed(math.exp(-1 / 8))
_NEWTON_START, _NEWTON_SLOPE = _fixed(48 / 17, 2), _fixed(-32 / 17, 2)


def exp_of_negative(raw: NDArray[Any], integer_bits: int) -> Raw:
    """``exp(x)`` for x <= 0.

    Args:
        raw: With ``integer_bits`` integer bits, at most 0.
        integer_bits: At most 5.

    Returns:
        With no integer bits; ``ONE`` for 0.
    """
    raw = np.asarray(raw, np.int64)
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    within = (raw & (quarter - 1)) - quarter    # in [-1/4, 0), the rest is a sum of powers of two
    x = (within << integer_bits) + (1 << 28)    # around -1/8
    x2 = doubling_high_mul(x, x)
    x3, x4 = doubling_high_mul(x2, x), doubling_high_mul(x2, x2)
    tail = rounding_shift_right(doubling_high_mul(rounding_shift_right(x4, 2) + x3, _THIRD) + x2, 1)
    result = _EXP_MINUS_EIGHTH + doubling_high_mul(x + tail, _EXP_MINUS_EIGHTH)
    rest = within - raw
    for exponent, factor in _EXP_OF_POWERS:
        if integer_bits > exponent:
            bit = rest & (1 << (fraction_bits + exponent))
            result = np.where(bit != 0, doubling_high_mul(result, factor), result)
    return np.where(raw == 0, ONE, result)


def _shift_left(raw: Raw, bits: int) -> Raw:
    shifted: Raw = np.clip(raw << bits, INT32_MIN, INT32_MAX)
    return shifted


def _inverse_of_mean_with_one(raw: Raw) -> Raw:
    """``2 / (1 + x)`` for x in [0, 1] with no integer bits; the result has two."""
    half = (raw + ONE + 1) >> 1
    x = _NEWTON_START + doubling_high_mul(half, _NEWTON_SLOPE)
    for _ in range(3):
        error = _ONE_Q2 - doubling_high_mul(half, x)
        x = x + _shift_left(doubling_high_mul(x, error), 2)
    return x


def inverse_of_one_plus(raw: NDArray[Any]) -> Raw:
    """``1 / (1 + x)`` for x in [0, 1]; no integer bits, as the result."""
    return _shift_left(_inverse_of_mean_with_one(np.asarray(raw, np.int64)), 1)


def logistic(raw: NDArray[Any], integer_bits: int) -> Raw:
    """``1 / (1 + exp(-x))``; the result has no integer bits."""
    raw = np.asarray(raw, np.int64)
    positive = inverse_of_one_plus(exp_of_negative(-np.abs(raw), integer_bits))
    result: Raw = np.where(raw == 0, 1 << 30, np.where(raw > 0, positive, ONE - positive))
    return result


def tanh(raw: NDArray[Any], integer_bits: int) -> Raw:
    """``tanh(x)``; ``integer_bits`` at most 4, the result has none."""
    raw = np.asarray(raw, np.int64)
    inverse = _inverse_of_mean_with_one(exp_of_negative(-np.abs(raw), integer_bits + 1))    # exp(-2 |x|)
    positive = _shift_left(inverse - _ONE_Q2, 2)
    result: Raw = np.where(raw == 0, 0, np.where(raw > 0, positive, -positive))
    return result
