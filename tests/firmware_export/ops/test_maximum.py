"""MAXIMUM against TFLite Micro: the reference, the compiled C, and what is refused."""

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
PLAIN = Case("MAXIMUM", (Side(SHAPE), Side(SHAPE)), Side(SHAPE))


@pytest.mark.parametrize("seed", range(3))
def test_reference_is_tflite_micro_whatever_the_scales(seed: int) -> None:
    random = np.random.default_rng(seed)
    cases = [random_binary(random, "MAXIMUM", fused=False) for _ in range(120)]
    assert accepted(cases) == cases
    assert_reference_is_tflite_micro(cases, random)


def test_no_quantization_is_needed() -> None:
    bare = Case("MAXIMUM", (Side(SHAPE, None), Side((5,), None)), Side(SHAPE, None))
    assert_reference_is_tflite_micro([bare], np.random.default_rng(5))


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    cases = broadcasts("MAXIMUM", (0.1, 0.1, 0.1), (3, 3, 3))[::2]
    cases.append(PLAIN.with_operand(0, shape=(), constant=-128))
    cases.append(PLAIN.with_operand(1, constant=np.full(SHAPE, 40)))
    cases.append(PLAIN.with_operand(1, constant=np.arange(60).reshape(SHAPE)))
    assert_compiled_is_tflite_micro(cases, tmp_path, np.random.default_rng(12))


def test_one_constant_for_all_is_a_bound() -> None:
    layer = layer_of(PLAIN.with_operand(1, shape=(1,), constant=np.int8([9])))
    assert (layer.kernel, layer.fields["low"], layer.fields["high"]) == ("clip", 9, 127)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (PLAIN.with_operand(0, dtype=np.int16), "an operand of type int16 is not supported (supported: int8)"),
        (PLAIN.with_operand(1, dtype=np.float32, scale=None), "an operand of type float32 is not supported"),
        (PLAIN.with_output(dtype=np.int32), "an output of type int32 is not supported"),
        (PLAIN.with_operand(1, shape=(1, 4, 5, 3)), "operands of [1, 4, 3, 5] and [1, 4, 5, 3] is not supported"),
        (PLAIN.with_output(shape=(1, 4, 3)), "an output of [1, 4, 3] is not supported"),
        (replace(PLAIN, operands=PLAIN.operands[1:]), "a node with 1 inputs and 1 outputs is not supported"),
    ],
)
def test_refusals(case: Case, said: str) -> None:
    assert said in refusal(case)
