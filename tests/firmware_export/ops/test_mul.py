"""MUL against TFLite Micro: the reference, the compiled C, and what is refused."""

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
    broadcasts,
    layer_of,
    random_binary,
    refusal,
)

SHAPE = (1, 4, 3, 5)
PLAIN = Case("MUL", (Side(SHAPE, 0.1, 3), Side(SHAPE, 0.05, -7)), Side(SHAPE, 0.12, 1))


@pytest.mark.parametrize("seed", range(4))
def test_reference_is_tflite_micro(seed: int) -> None:
    random = np.random.default_rng(seed)
    cases = accepted([random_binary(random, "MUL", fused=True) for _ in range(160)])
    assert len(cases) > 120
    assert_reference_is_tflite_micro(cases, random)


def test_factors_from_nothing_to_the_end_of_int32_are_tflite_micro() -> None:
    random = np.random.default_rng(9)
    outputs = [1e-45, 1e-7, 2e-7, 1e-6, 1e-3, 1.0, 1e6, 1e9, 3e38]
    cases = [
        PLAIN.with_operand(1, zero_point=zero_point).with_output(scale=scale)
        for scale in outputs
        for zero_point in (-128, 0, 127)
    ]
    taken = accepted(cases)
    assert 15 < len(taken) < len(cases)
    assert_reference_is_tflite_micro(taken, random)


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    cases = accepted([random_binary(random, "MUL", fused=True) for _ in range(24)])
    assert_compiled_is_tflite_micro(cases, tmp_path, random)


def test_every_broadcast_compiled_is_tflite_micro(tmp_path: Path) -> None:
    cases = broadcasts("MUL", (0.1, 0.07, 0.6), (-128, 5, 3))
    assert_compiled_is_tflite_micro(cases, tmp_path, np.random.default_rng(12))


def test_squeeze_and_excite_reads_one_short_row() -> None:
    case = PLAIN.with_operand(1, shape=(1, 1, 1, 5))
    layer = layer_of(case)
    assert [(read.row_bytes, read.start) for read in layer.reads] == [(15, (0, 1, 2, 3)), (5, (0, 0, 0, 0))]
    assert layer.in_place == (0,)


def test_one_constant_for_all_becomes_a_table() -> None:
    assert layer_of(PLAIN.with_operand(0, constant=np.full(SHAPE, -5))).kernel == "lookup"
    assert layer_of(PLAIN.with_operand(0, constant=np.arange(5), shape=(5,))).kernel == "mul"


def test_a_constant_that_spreads_its_operand_out_is_no_table(tmp_path: Path) -> None:
    case = PLAIN.with_operand(0, constant=np.full(SHAPE, -5)).with_operand(1, shape=(1, 1, 3, 5))
    assert layer_of(case).kernel == "mul"
    assert_compiled_is_tflite_micro([case], tmp_path, np.random.default_rng(14))


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (PLAIN.with_operand(0, dtype=np.int32), "an operand of type int32 is not supported (supported: int8, int16)"),
        (PLAIN.with_output(dtype=np.int32), "an output of type int32 is not supported"),
        (PLAIN.with_operand(1, scale=None), "an operand without one scale and zero point"),
        (PLAIN.with_output(zero_point=128), "an output with the zero point 128 is not supported"),
        (PLAIN.with_output(scale=1e-8), "a factor of 500000 between the scales is not supported"),
        (PLAIN.with_operand(1, shape=(4,)), "operands of [1, 4, 3, 5] and [4] is not supported"),
        (PLAIN.with_output(shape=(60,)), "an output of [60] is not supported"),
        (replace(PLAIN, operands=(*PLAIN.operands, Side(SHAPE))), "a node with 3 inputs and 1 outputs"),
        (replace(PLAIN, options={"fused_activation_function": "TANH"}), "the fused activation TANH is not supported"),
    ],
)
def test_refusals(case: Case, said: str) -> None:
    assert said in refusal(case)


def test_int16_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(16)
    cases = accepted([as_int16(random_binary(random, "MUL", fused=True)) for _ in range(80)])
    assert len(cases) > 60
    assert_reference_is_tflite_micro(cases, random)
    assert_compiled_is_tflite_micro(cases[:16], tmp_path, random)
