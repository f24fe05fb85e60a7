"""RELU6 against TFLite Micro: the reference for every byte, the compiled C, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.firmware_export.ops.pointwise import (
    Case,
    Side,
    accepted,
    as_int16,
    assert_compiled_is_tflite_micro,
    assert_reference_is_tflite_micro,
    every_byte,
    layer_of,
    random_unary,
    refusal,
    unary_shapes,
)

PLAIN = Case("RELU6", (Side((1, 4, 3, 2), 0.06, 3),), Side((1, 4, 3, 2), 0.06, 3))


@pytest.mark.parametrize("seed", range(3))
def test_reference_is_tflite_micro_whatever_the_output_scale(seed: int) -> None:
    random = np.random.default_rng(seed)
    cases = accepted([random_unary(random, "RELU6") for _ in range(200)])
    assert len(cases) > 150
    assert_reference_is_tflite_micro(cases, random)


def test_six_is_rounded_half_away_from_zero() -> None:
    """At 12 / (2 n + 1) six is n + 1/2 steps."""
    cases = [every_byte(PLAIN).with_operand(scale=12 / (2 * n + 1), zero_point=-128) for n in range(0, 250)]
    assert_reference_is_tflite_micro(cases, np.random.default_rng(4))


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    cases = [*unary_shapes(PLAIN), every_byte(PLAIN), every_byte(PLAIN).with_operand(scale=0.01)]
    assert_compiled_is_tflite_micro(cases, tmp_path, np.random.default_rng(11))


def test_it_is_a_clip() -> None:
    layer = layer_of(PLAIN)
    assert (layer.op, layer.kernel, layer.fields["low"], layer.fields["high"]) == ("RELU6", "clip", 3, 103)
    assert layer.in_place == (0,)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (PLAIN.with_operand(dtype=np.int32), "an input of type int32 is not supported (supported: int8, int16)"),
        (PLAIN.with_output(dtype=np.uint8), "an output of type uint8 is not supported"),
        (PLAIN.with_operand(scale=None), "an input without one scale and zero point"),
        (PLAIN.with_operand(scale=1e-10), "an input with the scale 1e-10 is not supported"),
        (PLAIN.with_operand(scale=1e-45), "an input with the scale 1.4013e-45 is not supported"),
        (PLAIN.with_output(shape=(24,)), "an output of [24] is not supported (supported: [1, 4, 3, 2] here)"),
        (replace(PLAIN, operands=PLAIN.operands * 2), "a node with 2 inputs and 1 outputs is not supported"),
    ],
)
def test_refusals(case: Case, said: str) -> None:
    assert said in refusal(case)


def test_int16_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(16)
    cases = accepted([as_int16(random_unary(random, "RELU6")) for _ in range(60)])
    assert len(cases) > 45
    assert_reference_is_tflite_micro(cases, random)
    assert_compiled_is_tflite_micro(cases[:10], tmp_path, random)
