"""Fixed-point arithmetic: Python against the definition in whole numbers, and C against Python."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firmware_export.emit.kernels import FOLDER
from firmware_export.fixedpoint import (
    INT32_MAX,
    INT32_MIN,
    activation_range,
    doubling_high_mul,
    multiply,
    multiply_wide,
    quantize_multiplier,
    rounding_shift_right,
    wrap_int32,
)
from tests.firmware_export.c_build import SANITIZED, STRICT

EDGES = [0, 1, -1, 2, -2, 127, -128, 1 << 30, -(1 << 30), (1 << 30) - 1, INT32_MAX, INT32_MAX - 1, INT32_MIN + 1]
INT32 = st.one_of(
    st.sampled_from([*EDGES, INT32_MIN]),
    st.integers(INT32_MIN, INT32_MAX),
    st.integers(-1000, 1000),
    st.builds(lambda n, d: max(INT32_MIN, min(INT32_MAX, (1 << n) + d)), st.integers(0, 31), st.integers(-2, 2)),
)
MULTIPLIERS = st.one_of(st.just(0), st.sampled_from([1 << 30, INT32_MAX]), st.integers(1 << 30, INT32_MAX))


def half_up(number: Fraction) -> int:
    """The nearest whole number, the upper one of two."""
    return (2 * number.numerator + number.denominator) // (2 * number.denominator)


def half_away(number: Fraction) -> int:
    """The nearest whole number, of two the one farther from zero."""
    return half_up(number) if number >= 0 else -half_up(-number)


@given(INT32, INT32)
def test_doubling_high_mul_is_the_rounded_product(a: int, b: int) -> None:
    expected = min(half_up(Fraction(a * b, 1 << 31)), INT32_MAX)
    assert int(doubling_high_mul(np.array(a), b)) == expected


@given(INT32, st.integers(0, 31))
def test_rounding_shift_right_is_the_rounded_quotient(value: int, exponent: int) -> None:
    assert int(rounding_shift_right(np.array(value), exponent)) == half_away(Fraction(value, 1 << exponent))


@given(st.integers(-(1 << 62), 1 << 62))
def test_wrap_int32_is_congruent(value: int) -> None:
    wrapped = int(wrap_int32(np.array(value)))
    assert INT32_MIN <= wrapped <= INT32_MAX and (wrapped - value) % (1 << 32) == 0


@given(INT32, MULTIPLIERS, st.integers(-31, 30))
def test_multiply_rounds_twice(value: int, multiplier: int, shift: int) -> None:
    left, right = max(shift, 0), max(-shift, 0)
    wrapped = ((value << left) + (1 << 31)) % (1 << 32) - (1 << 31)
    once = half_up(Fraction(wrapped * multiplier, 1 << 31))
    assert int(multiply(np.array(value), multiplier, shift)) == half_away(Fraction(once, 1 << right))


@given(st.integers(-(1 << 47) + 1, (1 << 47) - 1), MULTIPLIERS, st.integers(-31, 7))
@example((1 << 47) - 1, INT32_MAX, 7)
@example(-(1 << 47) + 1, 0x7FFF0000, -31)
def test_multiply_wide_rounds_once_after_the_multiplier(value: int, multiplier: int, shift: int) -> None:
    short = min(half_up(Fraction(multiplier, 1 << 16)), (1 << 15) - 1)
    exact = value * short * Fraction(2) ** (shift - 15)
    assert int(multiply_wide(np.array(value), multiplier, shift)) == half_up(exact)


@given(st.lists(st.tuples(INT32, MULTIPLIERS, st.integers(-31, 30)), min_size=1, max_size=20))
def test_multiply_works_on_arrays(rows: list[tuple[int, int, int]]) -> None:
    values, multipliers, shifts = np.array(rows).T
    single = [int(multiply(np.array(value), multiplier, shift)) for value, multiplier, shift in rows]
    assert multiply(values, multipliers, shifts).tolist() == single


@given(st.floats(2.0**-32, 2.0**30, exclude_max=True), st.booleans())
@example(2.0**30 - 0.25, False)
@example(2.0**30 - 0.25, True)
@example(1 - 2.0**-32, True)
def test_quantize_multiplier_keeps_31_bits(real: float, negative: bool) -> None:
    multiplier, shift = quantize_multiplier(-real if negative else real)
    magnitude = -multiplier if negative else multiplier
    unit = Fraction(2) ** (shift - 31)
    if shift == 30 and magnitude == INT32_MAX:    # what rounds up to 2**30 is capped
        return
    # What rounds up to the next power of two is carried into the shift, as in TFLite, but not where it is negative.
    assert 1 << 30 <= magnitude < 1 << 31 or (negative and magnitude == 1 << 31)
    assert abs(magnitude * unit - Fraction(real)) <= unit / 2
    finer = Fraction(real) * 2 ** (31 - shift)
    assert magnitude == half_away(finer) or magnitude == 1 << 30    # the carry into the next power of two


def test_quantize_multiplier_at_its_ends() -> None:
    assert quantize_multiplier(0.0) == (0, 0)
    assert quantize_multiplier(0.5) == (1 << 30, 0) and quantize_multiplier(1.0) == (1 << 30, 1)
    assert quantize_multiplier(-0.25) == (-(1 << 30), -1)
    for least in (2.0**-32, float(np.nextafter(2.0**-32, 0))):
        assert quantize_multiplier(least) == (1 << 30, -31)
    assert quantize_multiplier(2.0**-33) == (0, 0)
    assert quantize_multiplier(1 - 2.0**-40) == (1 << 30, 1)
    assert quantize_multiplier(2.0**31) == (INT32_MAX, 30)


@given(
    st.sampled_from(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"]),
    st.floats(2.0**-20, 2.0**20, width=32),
    st.integers(-128, 127),
)
def test_activation_range_is_what_stands_for_the_bounds(activation: str, scale: float, zero_point: int) -> None:
    bounds = {"NONE": (None, None), "RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}[activation]
    expected = [-128, 127]
    for place, real in enumerate(bounds):
        if real is not None:
            steps = half_away(Fraction(float(np.float32(real) / np.float32(scale))))
            expected[place] = max(-128, zero_point + steps) if place == 0 else min(127, zero_point + steps)
    assert list(activation_range(activation, scale, zero_point)) == expected


def test_activation_range_of_int16() -> None:
    whole = (-(1 << 15), (1 << 15) - 1)
    assert activation_range("NONE", 0.001, 0, whole) == whole
    assert activation_range("RELU", 0.001, 0, whole) == (0, 32767)
    assert activation_range("RELU6", 0.001, 0, whole) == (0, 6000)
    assert activation_range("RELU6", 0.0001, 0, whole) == (0, 32767)
    assert activation_range("RELU_N1_TO_1", 0.001, 0, whole) == (-1000, 1000)


def test_activation_range_knows_no_other() -> None:
    with pytest.raises(ValueError, match="TANH"):
        activation_range("TANH", 0.1, 0)


PROGRAM = """
#include <stdio.h>
#include "factor.h"

int main(void)
{
    int32_t row[3];
    while (fread(row, 4, 3, stdin) == 3) {
        const int32_t small = row[0] >> 15;
        int32_t result[4];
        result[0] = ec_doubling_high_mul(row[0], row[1]);
        result[1] = ec_rounding_shift_right(row[0], row[2] < 0 ? -row[2] : row[2]);
        result[2] = ec_multiply(row[0], row[1], row[2]);
        result[3] = ec_times(row[2] > 13 ? 0 : small, ec_factor(row[1], row[2]));
        fwrite(result, 4, 4, stdout);
    }
    return 0;
}
"""


def in_c(rows: Any, folder: Path, compiler: str) -> Any:
    """For each row of value, multiplier and shift: the results of ``PROGRAM``."""
    (folder / "main.c").write_text(PROGRAM, encoding="utf-8")
    command = [compiler, "-O2", *STRICT, *SANITIZED, f"-I{FOLDER / 'portable'}", "main.c", "-o", "main"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    stdin = rows.astype(np.int32).tobytes()
    done = subprocess.run([folder / "main"], input=stdin, capture_output=True, timeout=120, check=True)
    return np.frombuffer(done.stdout, np.int32).reshape(-1, 4).astype(np.int64)


def test_c_is_python(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    powers = 1 << np.arange(31)
    drawn = [random.integers(-999, 999, 200), random.integers(INT32_MIN, INT32_MAX + 1, 400)]
    values = np.concatenate([EDGES, [INT32_MIN], powers, -powers, *drawn])
    multipliers = np.concatenate([[0, 1 << 30, INT32_MAX, (1 << 30) + 1], random.integers(1 << 30, INT32_MAX, 6)])
    grid = np.meshgrid(values, multipliers, np.arange(-31, 31), indexing="ij")
    rows = np.stack([axis.reshape(-1) for axis in grid], axis=1)
    found = in_c(rows, tmp_path, "gcc")
    value, multiplier, shift = rows.T
    assert np.array_equal(found[:, 0], doubling_high_mul(value, multiplier))
    assert np.array_equal(found[:, 1], rounding_shift_right(value, np.abs(shift)))
    assert np.array_equal(found[:, 2], multiply(value, multiplier, shift))
    small = np.where(shift > 13, 0, value >> 15)
    assert np.array_equal(found[:, 3], multiply(small, multiplier, shift))
