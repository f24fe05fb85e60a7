"""LOGISTIC against TFLite Micro: the reference for every byte, the compiled C, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.ops.transcendental import logistic
from tests.firmware_export.ops.pointwise import (
    Case,
    Side,
    accepted,
    assert_compiled_is_tflite_micro,
    assert_every_int16_is_tflite_micro,
    assert_reference_is_tflite_micro,
    every_byte,
    layer_of,
    random_unary,
    refusal,
    unary_shapes,
)

PLAIN = Case("LOGISTIC", (Side((1, 4, 3, 2), 0.06, 3),), Side((1, 4, 3, 2), 1 / 256, -128))


@pytest.mark.parametrize("seed", range(3))
def test_reference_is_tflite_micro(seed: int) -> None:
    random = np.random.default_rng(seed)
    cases = accepted([random_unary(random, "LOGISTIC").with_output(zero_point=-128) for _ in range(200)])
    assert len(cases) > 150
    assert_reference_is_tflite_micro(cases, random)


def test_reference_is_tflite_micro_at_the_ends_of_the_scales() -> None:
    scales = [2.0**-28, 2.0**-27, 0.9 * 2.0**-20, 15 / 127, 15 / 128, 1.0, 15.0, 16.0, 2.0**27, 2.0**31, 2.0**34]
    cases = [every_byte(PLAIN).with_operand(scale=scale) for scale in scales]
    assert accepted(cases) == cases
    assert_reference_is_tflite_micro(cases, np.random.default_rng(3))


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    cases = [*unary_shapes(PLAIN), every_byte(PLAIN), every_byte(PLAIN).with_operand(scale=0.5, zero_point=-77)]
    assert_compiled_is_tflite_micro(cases, tmp_path, np.random.default_rng(11))


def test_it_is_a_table() -> None:
    layer = layer_of(PLAIN)
    assert (layer.op, layer.kernel, layer.rows, layer.row_bytes, layer.in_place) == ("LOGISTIC", "lookup", 4, 6, (0,))


def test_fixed_point_is_near_the_real_function() -> None:
    real = np.linspace(-15.9, 15.9, 2001)
    found = logistic(np.round(real * (1 << 27)).astype(np.int64), 4) / (1 << 31)
    assert np.abs(found - 1 / (1 + np.exp(-real))).max() < 1e-7


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (PLAIN.with_operand(dtype=np.int32), "an input of type int32 is not supported (supported: int8, int16)"),
        (PLAIN.with_output(dtype=np.int16), "an output of type int16 is not supported"),
        (PLAIN.with_output(zero_point=0), "an output with the zero point 0 is not supported (supported: -128"),
        (PLAIN.with_operand(scale=1e-9), "an input with the scale 1e-09 is not supported"),
        (PLAIN.with_operand(scale=1e11), "an input with the scale 1e+11 is not supported"),
        (PLAIN.with_output(scale=None), "an output without one scale and zero point"),
        (PLAIN.with_output(shape=(24,)), "an output of [24] is not supported"),
    ],
)
def test_refusals(case: Case, said: str) -> None:
    assert said in refusal(case)


def int16_case(in_scale: float, **output: Any) -> Case:
    side = Side((6,), in_scale, 0, np.int16)
    return Case("LOGISTIC", (side,), replace(Side((6,), 1 / 32768, 0, np.int16), **output))


def test_every_int16_is_tflite_micro(tmp_path: Path) -> None:
    """Scales that need no rounding, such that do, and the ends of what is taken."""
    scales = (1 / 8192, 1 / 4096, 2.0001 / 4096, 0.000123, 0.0031, 2.6, 3e-9)
    assert_every_int16_is_tflite_micro([int16_case(scale) for scale in scales], tmp_path)


def test_int16_refusals() -> None:
    assert "an int16 output with the scale 0.0001" in refusal(int16_case(0.001, scale=0.0001))
    assert "an output of type int16 with the zero point 1" in refusal(int16_case(0.001, zero_point=1))
    assert "an output of type int8 is not supported (supported: int16)" in refusal(int16_case(0.001, dtype=np.int8))
    assert "an int16 input with the scale 2.7 is not supported (supported: at most 2.667)" in refusal(int16_case(2.7))
