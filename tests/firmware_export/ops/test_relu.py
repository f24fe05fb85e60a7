"""RELU against TFLite Micro: the reference for every byte, the compiled C, and what is refused."""

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

PLAIN = Case("RELU", (Side((1, 4, 3, 2), 0.1, 3),), Side((1, 4, 3, 2), 0.06, -128))


@pytest.mark.parametrize("seed", range(3))
def test_reference_is_tflite_micro(seed: int) -> None:
    random = np.random.default_rng(seed)
    cases = accepted([random_unary(random, "RELU") for _ in range(200)])
    assert len(cases) > 150
    assert_reference_is_tflite_micro(cases, random)


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    same = every_byte(PLAIN).with_output(scale=0.1, zero_point=3)
    cases = [*unary_shapes(PLAIN), every_byte(PLAIN), same]
    cases += accepted([random_unary(random, "RELU") for _ in range(8)])
    assert_compiled_is_tflite_micro(cases, tmp_path, random)


def test_a_scale_of_its_own_is_a_table_and_the_same_scale_a_clip() -> None:
    layer = layer_of(PLAIN)
    assert (layer.op, layer.kernel, layer.rows, layer.row_bytes, layer.in_place) == ("RELU", "lookup", 4, 6, (0,))
    layer = layer_of(PLAIN.with_output(scale=0.1, zero_point=3))
    assert (layer.kernel, layer.fields["low"], layer.fields["high"]) == ("clip", 3, 127)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (PLAIN.with_operand(dtype=np.int32), "an input of type int32 is not supported (supported: int8, int16)"),
        (PLAIN.with_operand(dtype=np.float32, scale=None), "an input of type float32 is not supported"),
        (PLAIN.with_output(dtype=np.uint8), "an output of type uint8 is not supported"),
        (PLAIN.with_output(scale=None), "an output without one scale and zero point"),
        (PLAIN.with_output(scale=1e-8), "a factor of 1e+07 between the scales is not supported"),
        (PLAIN.with_output(shape=(1, 4, 6)), "an output of [1, 4, 6] is not supported (supported: [1, 4, 3, 2] here)"),
        (replace(PLAIN, operands=PLAIN.operands * 2), "a node with 2 inputs and 1 outputs is not supported"),
    ],
)
def test_refusals(case: Case, said: str) -> None:
    assert said in refusal(case)


def test_int16_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(16)
    cases = accepted([as_int16(random_unary(random, "RELU")) for _ in range(60)])
    assert len(cases) > 45
    assert_reference_is_tflite_micro(cases, random)
    assert_compiled_is_tflite_micro(cases[:10], tmp_path, random)
