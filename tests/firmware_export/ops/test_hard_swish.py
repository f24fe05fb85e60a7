"""HARD_SWISH against TFLite Micro: the reference for every byte, the compiled C, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.firmware_export.ops.pointwise import (
    Case,
    Side,
    accepted,
    assert_compiled_is_tflite_micro,
    assert_reference_is_tflite_micro,
    every_byte,
    layer_of,
    random_unary,
    refusal,
    unary_shapes,
)

PLAIN = Case("HARD_SWISH", (Side((1, 4, 3, 2), 0.06, 3),), Side((1, 4, 3, 2), 0.03, -100))


@pytest.mark.parametrize("seed", range(3))
def test_reference_is_tflite_micro(seed: int) -> None:
    random = np.random.default_rng(seed)
    cases = accepted([random_unary(random, "HARD_SWISH") for _ in range(300)])
    assert len(cases) > 150
    assert_reference_is_tflite_micro(cases, random)


def test_factors_half_way_between_two_int16_are_tflite_micro() -> None:
    """Whether a quotient of scales is one of float32 or of double shows here."""
    random = np.random.default_rng(5)
    cases = []
    for _ in range(80):
        out_scale = float(np.float32(random.uniform(0.05, 0.5)))
        half_way = (random.integers(1 << 14, 1 << 15) + 0.5) / (1 << 15) * 2.0 ** -random.integers(5, 9)
        given = Side((256,), float(np.float32(half_way * 128 * out_scale)), -100)
        cases.append(Case("HARD_SWISH", (given,), Side((256,), out_scale, -128)))
    assert_reference_is_tflite_micro(cases, random)


def test_reference_is_tflite_micro_at_the_ends_of_the_scales() -> None:
    pairs = [(12.7, 0.1), (0.0256, 12.8), (3e-7, 1e-6), (5e6, 1e6), (3.5, 0.05), (1e-3, 1e-3)]
    cases = [every_byte(PLAIN).with_operand(scale=given).with_output(scale=wanted) for given, wanted in pairs]
    assert accepted(cases) == cases
    assert_reference_is_tflite_micro(cases, np.random.default_rng(3))


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    cases = [*unary_shapes(PLAIN), every_byte(PLAIN), every_byte(PLAIN).with_operand(scale=0.5, zero_point=-77)]
    assert_compiled_is_tflite_micro(cases, tmp_path, np.random.default_rng(11))


def test_it_is_a_table() -> None:
    layer = layer_of(PLAIN)
    assert (layer.op, layer.kernel, layer.in_place) == ("HARD_SWISH", "lookup", (0,))


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (PLAIN.with_operand(dtype=np.int16), "an input of type int16 is not supported (supported: int8)"),
        (PLAIN.with_output(dtype=np.float32, scale=None), "an output of type float32 is not supported"),
        (PLAIN.with_operand(scale=12.8).with_output(scale=0.1), "scales of 12.8 and 0.1 is not supported"),
        (PLAIN.with_output(scale=1e-4), "scales of 0.06 and 0.0001 is not supported"),
        (PLAIN.with_output(scale=100.0), "scales of 0.06 and 100 is not supported"),
        (PLAIN.with_operand(scale=1e-7).with_output(scale=1e-7), "scales of 1e-07 and 1e-07 is not supported"),
        (PLAIN.with_operand(scale=1e8).with_output(scale=1e8), "scales of 1e+08 and 1e+08 is not supported"),
        (PLAIN.with_output(shape=(24,)), "an output of [24] is not supported"),
    ],
)
def test_refusals(case: Case, said: str) -> None:
    assert said in refusal(case)
