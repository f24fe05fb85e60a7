"""LEAKY_RELU against TFLite Micro: the reference for every byte, the compiled C, and what is refused."""

from __future__ import annotations

from dataclasses import replace
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

PLAIN = Case("LEAKY_RELU", (Side((1, 4, 3, 2), 0.06, 3),), Side((1, 4, 3, 2), 0.05, -40), {"alpha": 0.3})


@pytest.mark.parametrize("seed", range(3))
def test_reference_is_tflite_micro(seed: int) -> None:
    random = np.random.default_rng(seed)
    slopes = [0.0, 0.01, 0.2, 1.0, -1.0, -0.5, 3.0, 1e-38]
    cases = []
    for _ in range(200):
        alpha = float(random.choice(slopes) if random.random() < 0.5 else random.uniform(-2, 2))
        cases.append(random_unary(random, "LEAKY_RELU", alpha=alpha))
    cases = accepted(cases)
    assert len(cases) > 150
    assert_reference_is_tflite_micro(cases, random)


def test_factors_that_make_halves_are_tflite_micro() -> None:
    """Whether a quotient of scales is one of float32 or of double shows here, and how negative slopes are rounded."""
    random = np.random.default_rng(5)
    cases = []
    for _ in range(120):
        out_scale = float(np.float32(random.uniform(0.01, 0.1)))
        quotient = (random.integers(1, 120) + 0.5) / random.integers(1, 130)
        if random.random() < 0.5:
            scale, alpha = float(np.float32(out_scale * quotient)), float(random.choice([0.3, -0.3]))
        else:
            scale = float(np.float32(random.uniform(0.01, 0.1)))
            alpha = out_scale * quotient / scale * float(random.choice([1, -1]))
        cases.append(Case("LEAKY_RELU", (Side((256,), scale, -3),), Side((256,), out_scale, 5), {"alpha": alpha}))
    assert_reference_is_tflite_micro(cases, random)


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    cases = [*unary_shapes(PLAIN), every_byte(PLAIN), replace(every_byte(PLAIN), options={"alpha": -0.7})]
    assert_compiled_is_tflite_micro(cases, tmp_path, np.random.default_rng(11))


def test_it_is_a_table() -> None:
    layer = layer_of(PLAIN)
    assert (layer.op, layer.kernel, layer.in_place) == ("LEAKY_RELU", "lookup", (0,))


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (PLAIN.with_operand(dtype=np.int16), "an input of type int16 is not supported (supported: int8)"),
        (PLAIN.with_output(dtype=np.int16), "an output of type int16 is not supported"),
        (PLAIN.with_output(scale=1e-9), "a factor of 6e+07 between the scales is not supported"),
        (replace(PLAIN, options={"alpha": 1e9}), "a factor of 1.2e+09 between the scales is not supported"),
        (replace(PLAIN, options={"alpha": -3e38}), "a factor of 3.6e+38 between the scales is not supported"),
        (PLAIN.with_output(shape=(24,)), "an output of [24] is not supported"),
    ],
)
def test_refusals(case: Case, said: str) -> None:
    assert said in refusal(case)
