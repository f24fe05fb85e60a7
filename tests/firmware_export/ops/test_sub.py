"""SUB against TFLite Micro: the reference, the compiled C, and what is refused. ``test_add`` has what both share."""

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
PLAIN = Case("SUB", (Side(SHAPE, 0.1, 3), Side(SHAPE, 0.05, -7)), Side(SHAPE, 0.12, 1))


@pytest.mark.parametrize("seed", range(4))
def test_reference_is_tflite_micro(seed: int) -> None:
    random = np.random.default_rng(seed)
    cases = accepted([random_binary(random, "SUB", fused=True) for _ in range(160)])
    assert len(cases) > 120
    assert_reference_is_tflite_micro(cases, random)


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    cases = accepted([random_binary(random, "SUB", fused=True) for _ in range(24)])
    assert_compiled_is_tflite_micro(cases, tmp_path, random)


@pytest.mark.parametrize("scales", [(0.1, 0.07, 0.13), (0.07, 0.1, 0.13), (0.1, 0.1, 0.1)])
def test_every_broadcast_compiled_is_tflite_micro(scales: tuple[float, float, float], tmp_path: Path) -> None:
    cases = broadcasts("SUB", scales, (-128, 5, 3))[:: 1 if scales[0] > scales[1] else 3]
    assert_compiled_is_tflite_micro(cases, tmp_path, np.random.default_rng(12))


def test_the_wide_operand_keeps_its_sign() -> None:
    fields = layer_of(PLAIN.with_operand(1, shape=(5,))).fields
    assert (fields["wide_factor"], fields["narrow_sign"]) == (1 << 19, -1)
    fields = layer_of(PLAIN.with_operand(1, scale=0.2, shape=(5,))).fields
    assert (fields["wide_factor"], fields["narrow_sign"]) == (-(1 << 19), 1)


@pytest.mark.parametrize("position", [0, 1])
def test_one_constant_for_all_becomes_a_table(position: int, tmp_path: Path) -> None:
    case = PLAIN.with_operand(position, constant=np.int8(100), shape=())
    assert layer_of(case).kernel == "lookup"
    assert_compiled_is_tflite_micro([case], tmp_path, np.random.default_rng(14))


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (PLAIN.with_operand(0, dtype=np.int32), "an operand of type int32 is not supported (supported: int8, int16)"),
        (PLAIN.with_output(scale=1e-7), "an output scale of 1e-07 for operands with 0.1 and 0.05 is not supported"),
        (PLAIN.with_operand(1, shape=(2, 1, 1, 4)), "operands of [1, 4, 3, 5] and [2, 1, 1, 4] is not supported"),
        (replace(PLAIN, options={"fused_activation_function": "SIGN_BIT"}), "the fused activation SIGN_BIT"),
    ],
)
def test_refusals(case: Case, said: str) -> None:
    assert said in refusal(case)


def test_int16_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(16)
    cases = accepted([as_int16(random_binary(random, "SUB", fused=True)) for _ in range(80)])
    assert len(cases) > 60
    assert_reference_is_tflite_micro(cases, random)
    assert_compiled_is_tflite_micro(cases[:16], tmp_path, random)
