"""Fixed-point arithmetic as TFLite Micro does it: a real factor is ``multiplier * 2**(shift - 31)``.

The rounding is gemmlowp's *double rounding*: a rounding doubling high multiplication, then a rounding right shift (B.
Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018,
section 2.2; TFLite Micro builds without ``TFLITE_SINGLE_ROUNDING``). ``kernels/portable/fixed_point.h`` is the same
in C.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

INT32_MIN = -(1 << 31)
INT32_MAX = (1 << 31) - 1

INT8_RANGE = (-128, 127)

REDUCED_BITS = 16
"""How many bits of a multiplier are left out where a 64-bit sum is multiplied."""

LARGEST_REDUCED = (1 << 15) - 1


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Split a factor into ``(multiplier, shift)``, ``real`` being about ``multiplier * 2**(shift - 31)``.

    Args:
        real: Finite.

    Returns:
        ``multiplier`` in ``[2**30, 2**31)``, for a negative factor in ``[-2**31, -2**30]``; ``shift`` in [-31, 31).
        ``(0, 0)`` for a factor of zero or below 2**-32, ``(2**31 - 1, 30)`` for one that is too large, as TFLite's
        ``QuantizeMultiplier``.
    """
    if real == 0.0:
        return 0, 0
    mantissa, shift = math.frexp(real)
    scaled = mantissa * (1 << 31)
    fixed = math.floor(abs(scaled) + 0.5) * (1 if scaled > 0 else -1)    # std::round: half away from zero
    if fixed == 1 << 31:
        fixed, shift = 1 << 30, shift + 1
    if shift < -31:
        return 0, 0
    if shift > 30:
        return INT32_MAX, 30
    return fixed, shift


def wrap_int32(values: NDArray[Any]) -> NDArray[np.int64]:
    """``values`` modulo 2**32 in the range of int32, held in int64."""
    return ((values.astype(np.int64) + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


def doubling_high_mul(a: NDArray[Any], b: NDArray[Any] | int) -> NDArray[np.int64]:
    """gemmlowp's ``SaturatingRoundingDoublingHighMul`` on int32 values: ``round(a * b / 2**31)``, half up."""
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    rounded: NDArray[np.int64] = (product + (1 << 30)) >> 31
    return np.minimum(rounded, INT32_MAX)    # the only overflow: both are -2**31


def rounding_shift_right(values: NDArray[Any], exponent: NDArray[Any] | int) -> NDArray[np.int64]:
    """gemmlowp's ``RoundingDivideByPOT``: ``values / 2**exponent``, half away from zero."""
    values = np.asarray(values, np.int64)
    exponents = np.asarray(exponent, np.int64)
    mask = (np.int64(1) << exponents) - 1
    threshold = (mask >> 1) + (values < 0)
    rounded: NDArray[np.int64] = (values >> exponents) + ((values & mask) > threshold)
    return rounded


def multiply(values: NDArray[Any], multiplier: NDArray[Any] | int, shift: NDArray[Any] | int) -> NDArray[np.int64]:
    """TFLite's ``MultiplyByQuantizedMultiplier`` on int32 values, per element or per channel (the last axis)."""
    shifts = np.asarray(shift, np.int64)
    left, right = np.maximum(shifts, 0), np.maximum(-shifts, 0)
    shifted = wrap_int32(np.asarray(values, np.int64) << left)
    return rounding_shift_right(doubling_high_mul(shifted, multiplier), right)


def reduced(multiplier: NDArray[Any] | int) -> NDArray[np.int64]:
    """A multiplier of 31 bits, not negative, as one of 15: rounded, half up."""
    rounded: NDArray[np.int64] = (np.asarray(multiplier, np.int64) + (1 << (REDUCED_BITS - 1))) >> REDUCED_BITS
    return np.minimum(rounded, LARGEST_REDUCED)


def multiply_wide(values: NDArray[Any], multiplier: NDArray[Any] | int, shift: NDArray[Any] | int) -> NDArray[np.int64]:
    """TFLite's ``MultiplyByQuantizedMultiplier`` on int64 values below 2**47: one rounding, half up.

    ``shift`` is below 8; results have to fit into int32.
    """
    down = 15 - np.asarray(shift, np.int64)
    product: NDArray[np.int64] = np.asarray(values, np.int64) * reduced(multiplier) + (np.int64(1) << (down - 1))
    return product >> down


def activation_range(
    activation: str, scale: float, zero_point: int, whole: tuple[int, int] = INT8_RANGE
) -> tuple[int, int]:
    """The range of ``whole``, the type's, that a fused activation leaves.

    The arithmetic is that of TFLite's ``CalculateActivationRangeQuantized``.

    Raises:
        ValueError: The activation is not one that TFLite fuses into quantized operators.
    """

    def quantized(real: float) -> int:
        value = np.float32(real) / np.float32(scale)
        return zero_point + math.floor(abs(float(value)) + 0.5) * (1 if value >= 0 else -1)

    low, high = whole
    if activation == "RELU":
        low = max(low, quantized(0.0))
    elif activation == "RELU6":
        low, high = max(low, quantized(0.0)), min(high, quantized(6.0))
    elif activation == "RELU_N1_TO_1":
        low, high = max(low, quantized(-1.0)), min(high, quantized(1.0))
    elif activation != "NONE":
        raise ValueError(activation)
    return low, high
