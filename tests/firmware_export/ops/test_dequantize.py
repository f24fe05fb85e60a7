"""DEQUANTIZE against TFLite Micro: the same float bits from the reference and the compiled C, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.firmware_export.ops.pointwise import (
    Case,
    Side,
    accepted,
    assert_compiled_is_tflite_micro,
    assert_every_int16_is_tflite_micro,
    assert_reference_is_tflite_micro,
    every_byte,
    layer_of,
    random_scale,
    random_zero_point,
    refusal,
    unary_shapes,
)

PLAIN = Case("DEQUANTIZE", (Side((1, 4, 3, 2), 0.06, 3),), Side((1, 4, 3, 2), None, 0, np.float32))
OF_UINT8 = PLAIN.with_operand(dtype=np.uint8, zero_point=131)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_reference_is_tflite_micro(dtype: str) -> None:
    random = np.random.default_rng(3)
    cases = [
        every_byte(PLAIN).with_operand(
            dtype=np.dtype(dtype),
            scale=random_scale(random, wild=bool(random.random() < 0.5)),
            zero_point=random_zero_point(random, dtype),
        )
        for _ in range(200)
    ]
    cases += [every_byte(PLAIN).with_operand(scale=scale) for scale in (1e-45, 1e-38, 3e-39, 3e38)]
    assert accepted(cases) == cases
    assert_reference_is_tflite_micro(cases, random)


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    cases = [*unary_shapes(PLAIN), *unary_shapes(OF_UINT8)[::3], every_byte(PLAIN), every_byte(OF_UINT8)]
    cases += [every_byte(PLAIN).with_operand(scale=scale) for scale in (1e-45, 1.2345e-7, 3e38)]
    assert_compiled_is_tflite_micro(cases, tmp_path, np.random.default_rng(11))


def test_every_int16_is_tflite_micro(tmp_path: Path) -> None:
    cases = [
        PLAIN.with_operand(dtype=np.int16, zero_point=0, scale=scale) for scale in (1 / 32768, 0.00123, 1e-41, 3e38)
    ]
    assert_every_int16_is_tflite_micro(cases, tmp_path)


def test_layers() -> None:
    layer = layer_of(PLAIN)
    assert (layer.function, layer.rows, layer.row_bytes, layer.in_place) == ("dequantize", 4, 24, ())
    assert layer_of(OF_UINT8).function == "dequantize_uint8"


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (PLAIN.with_operand(dtype=np.int32, zero_point=0), "an input of type int32 is not supported (supported: int8"),
        (PLAIN.with_operand(dtype=np.int16, zero_point=1), "an input of type int16 with the zero point 1"),
        (PLAIN.with_operand(dtype=np.float32, scale=None), "an input of type float32 is not supported"),
        (PLAIN.with_output(dtype=np.int32), "an output of type int32 is not supported (supported: float32)"),
        (PLAIN.with_operand(scale=None), "an input without one scale and zero point"),
        (PLAIN.with_operand(zero_point=-200), "an input with the zero point -200 is not supported"),
        (OF_UINT8.with_operand(zero_point=-1), "an input with the zero point -1 is not supported (supported: 0 to"),
        (PLAIN.with_output(shape=(24,)), "an output of [24] is not supported"),
    ],
)
def test_refusals(case: Case, said: str) -> None:
    assert said in refusal(case)
