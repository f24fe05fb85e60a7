"""PRELU against TFLite Micro: the reference, the compiled C, and what is refused."""

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
    broadcasts,
    layer_of,
    random_binary,
    refusal,
)

SHAPE = (1, 4, 3, 5)
SLOPES = Side((1, 1, 5), 0.004, -90, constant=np.array([[[-128, -90, -40, 60, 127]]]))
PLAIN = Case("PRELU", (Side(SHAPE, 0.1, 3), SLOPES), Side(SHAPE, 0.09, 1))


@pytest.mark.parametrize("seed", range(4))
def test_reference_is_tflite_micro(seed: int) -> None:
    random = np.random.default_rng(seed)
    cases = accepted([random_binary(random, "PRELU", fused=False) for _ in range(160)])
    assert len(cases) > 120
    assert_reference_is_tflite_micro(cases, random)


def test_every_byte_with_every_slope_is_tflite_micro() -> None:
    every = np.arange(-128, 128).astype(np.int8)
    cases = []
    forms = ((0.1, 0, 0.004, -128, 0.1), (0.05, -60, 0.01, 10, 0.03), (0.2, 127, 1.0, 0, 9.0))
    for scale, zero, slope, at, out in forms:
        column = Side((256, 1), scale, zero, constant=every[:, None])
        cases.append(Case("PRELU", (column, Side((256,), slope, at)), Side((256, 256), out)))
    assert_reference_is_tflite_micro(cases, np.random.default_rng(4))


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    cases = accepted([random_binary(random, "PRELU", fused=False) for _ in range(20)])
    cases += [PLAIN, *broadcasts("PRELU", (0.1, 0.01, 0.08), (-20, 5, 3))[::2]]
    assert_compiled_is_tflite_micro(cases, tmp_path, random)


def test_slopes_of_channels_are_one_row_that_is_read_again() -> None:
    layer = layer_of(PLAIN)
    assert [(read.row_bytes, read.start) for read in layer.reads] == [(15, (0, 1, 2, 3)), (5, (0, 0, 0, 0))]
    assert layer.in_place == (0,)


def test_one_slope_for_all_becomes_a_table(tmp_path: Path) -> None:
    case = PLAIN.with_operand(1, shape=(1, 1, 1), constant=np.full((1, 1, 1), 60))
    assert layer_of(case).kernel == "lookup"
    assert_compiled_is_tflite_micro([case], tmp_path, np.random.default_rng(14))


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (PLAIN.with_operand(0, dtype=np.int16), "an input of type int16 is not supported (supported: int8)"),
        (PLAIN.with_operand(1, dtype=np.float32, scale=None), "an alpha of type float32 is not supported"),
        (PLAIN.with_output(dtype=np.int16), "an output of type int16 is not supported"),
        (PLAIN.with_operand(1, scale=None), "an alpha without one scale and zero point"),
        (PLAIN.with_operand(1, zero_point=200), "an alpha with the zero point 200 is not supported"),
        (PLAIN.with_output(scale=1e-9), "a factor of 1e+08 between the scales is not supported"),
        (PLAIN.with_operand(1, scale=1e6), "a factor of 1.11111e+06 between the scales is not supported"),
        (PLAIN.with_operand(1, shape=(4,), constant=np.zeros(4)), "operands of [1, 4, 3, 5] and [4] is not supported"),
        (replace(PLAIN, operands=PLAIN.operands[:1]), "a node with 1 inputs and 1 outputs is not supported"),
    ],
)
def test_refusals(case: Case, said: str) -> None:
    assert said in refusal(case)
