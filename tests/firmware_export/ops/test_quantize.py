"""QUANTIZE against TFLite Micro: every byte, floats around every half step, the compiled C, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.tflite import read_model
from tests.firmware_export.c_build import build
from tests.firmware_export.evaluation import evaluate
from tests.firmware_export.ops.pointwise import (
    Case,
    Side,
    accepted,
    as_int16,
    assert_compiled_is_tflite_micro,
    assert_reference_is_tflite_micro,
    every_byte,
    layer_of,
    network,
    random_scale,
    random_unary,
    random_zero_point,
    refusal,
    unary_shapes,
)
from tests.networks import tflite_micro

PLAIN = Case("QUANTIZE", (Side((1, 4, 3, 2), 0.06, 3),), Side((1, 4, 3, 2), 0.05, -40))
OF_UINT8 = PLAIN.with_operand(dtype=np.uint8, zero_point=131)
TO_UINT8 = PLAIN.with_output(dtype=np.uint8, zero_point=88)
OF_FLOAT = PLAIN.with_operand(dtype=np.float32, scale=None)


@pytest.mark.parametrize(("given", "wanted"), [("int8", "int8"), ("uint8", "int8"), ("int8", "uint8")])
def test_reference_of_bytes_is_tflite_micro(given: str, wanted: str) -> None:
    random = np.random.default_rng(3)
    cases = []
    for _ in range(240):
        case = random_unary(random, "QUANTIZE")
        case = case.with_operand(dtype=np.dtype(given), zero_point=random_zero_point(random, given))
        cases.append(case.with_output(dtype=np.dtype(wanted), zero_point=random_zero_point(random, wanted)))
    cases = accepted(cases)
    assert len(cases) > 180
    assert_reference_is_tflite_micro(cases, random)


def test_the_same_scale_for_other_zero_points_is_tflite_micro() -> None:
    cases = [
        Case("QUANTIZE", (Side((256,), 0.1, zero, given),), Side((256,), 0.1, other, wanted))
        for given, wanted, zero, other in (
            (np.uint8, np.int8, 128, 0),
            (np.uint8, np.int8, 130, 0),
            (np.int8, np.uint8, 0, 128),
            (np.int8, np.uint8, -128, 0),
            (np.int8, np.int8, 3, 3),
            (np.int8, np.int8, 3, 4),
        )
    ]
    assert_reference_is_tflite_micro(cases, np.random.default_rng(4))


def floats(random: np.random.Generator, scale: float, count: int) -> Any:
    """Half steps and their neighbours, values all over the range and beyond, none beyond int32."""
    halves = ((np.arange(-400, 400) + 0.5) * scale).astype(np.float32)
    near = [halves, np.nextafter(halves, np.float32(np.inf)), np.nextafter(halves, np.float32(-np.inf))]
    spread = random.uniform(-300, 300, count) * scale
    far = np.array([0.0, -0.0, 1e-45, -1e-45, 2e9 * scale, -2e9 * scale, 1e5 * scale])
    return np.concatenate([*near, spread, far]).astype(np.float32)


def test_reference_of_floats_is_tflite_micro() -> None:
    random = np.random.default_rng(5)
    for _ in range(60):
        scale, zero_point = random_scale(random, wild=bool(random.random() < 0.4)), random_zero_point(random)
        given = floats(random, scale, 500)
        case = OF_FLOAT.with_operand(shape=given.shape)
        case = case.with_output(shape=given.shape, scale=scale, zero_point=zero_point)
        data = network([case])
        assert np.array_equal(evaluate(read_model(data), given)[0], tflite_micro(data, given)[0])


def test_floats_to_int16_are_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(18)
    case = OF_FLOAT.with_output(dtype=np.int16, zero_point=0)
    cases, given = [], []
    for scale in (1 / 32768, 0.00123, 0.05, 3e-5):
        edges = np.add.outer([-32769, -32768, -32767, 32766, 32767, 32768], [-0.5, 0, 0.5]).ravel() * scale
        spread = random.uniform(-40000, 40000, 500) * scale
        given.append(np.concatenate([floats(random, scale, 500), edges, spread]).astype(np.float32))
        cases.append(case.with_operand(shape=given[-1].shape).with_output(shape=given[-1].shape, scale=scale))
    data = network(cases)
    wanted = tflite_micro(data, *given, outputs=len(cases))
    ours = build(data, tmp_path / "some").run(*given)
    for found, reference, right in zip(ours, evaluate(read_model(data), *given), wanted, strict=True):
        assert np.array_equal(found, right) and np.array_equal(reference, right)
    odd = np.array([np.nan, np.inf, -np.inf, 3e38, -3e38], np.float32)
    data = network([case.with_operand(shape=(5,)).with_output(shape=(5,))])
    expected = [0, 32767, -32768, 32767, -32768]
    assert evaluate(read_model(data), odd)[0].tolist() == expected
    assert build(data, tmp_path / "odd").run(odd)[0].tolist() == expected


def test_compiled_bytes_are_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    cases = [*unary_shapes(PLAIN), *(every_byte(case) for case in (PLAIN, OF_UINT8, TO_UINT8)), OF_UINT8, TO_UINT8]
    cases += [PLAIN.with_output(scale=0.06, zero_point=3)]
    assert_compiled_is_tflite_micro(cases, tmp_path, random)


def test_compiled_floats_are_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(12)
    cases, given = unary_shapes(OF_FLOAT), []
    for case in cases:
        given.append(case.operands[0].sample(random))
    for scale, zero_point in ((0.05, -128), (1.0, 0), (0.0123, 127), (3e-5, -3)):
        given.append(floats(random, scale, 500))
        shape = given[-1].shape
        cases.append(OF_FLOAT.with_operand(shape=shape).with_output(shape=shape, scale=scale, zero_point=zero_point))
    data = network(cases)
    wanted = tflite_micro(data, *given, outputs=len(cases))
    for ours, theirs in zip(build(data, tmp_path).run(*given), wanted, strict=True):
        assert np.array_equal(ours, theirs)


def test_nan_is_zero_and_everything_beyond_is_an_end(tmp_path: Path) -> None:
    values = [np.nan, -np.nan, np.inf, -np.inf, 3e38, -3e38, 1e12, -1e12]
    given = np.array(values, np.float32)
    data = network([OF_FLOAT.with_operand(shape=(8,)).with_output(shape=(8,))])
    expected = [-40, -40, 127, -128, 127, -128, 127, -128]
    assert evaluate(read_model(data), given)[0].tolist() == expected
    assert build(data, tmp_path).run(given)[0].tolist() == expected


def test_layers() -> None:
    assert layer_of(OF_UINT8).function == "lookup_of_uint8" and layer_of(OF_UINT8).in_place == (0,)
    assert layer_of(TO_UINT8).function == "lookup_to_uint8"
    layer = layer_of(OF_FLOAT)
    assert (layer.kernel, layer.reads[0].row_bytes, layer.row_bytes, layer.in_place) == ("quantize", 24, 6, ())


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (PLAIN.with_operand(dtype=np.int32, zero_point=0), "an input of type int32 is not supported (supported: int8"),
        (PLAIN.with_operand(dtype=np.int32, zero_point=0), "an input of type int32 is not supported"),
        (PLAIN.with_output(dtype=np.int32), "an output of type int32 is not supported (supported: int8, uint8, int16)"),
        (PLAIN.with_output(dtype=np.int32), "an output of type int32 is not supported"),
        (OF_FLOAT.with_output(dtype=np.uint8, zero_point=3), "an output of type uint8 is not supported"),
        (OF_UINT8.with_output(dtype=np.uint8, zero_point=3), "uint8 to uint8 is not supported"),
        (OF_UINT8.with_operand(zero_point=-1), "an input with the zero point -1 is not supported (supported: 0 to"),
        (TO_UINT8.with_output(zero_point=256), "an output with the zero point 256 is not supported"),
        (PLAIN.with_operand(scale=None), "an input without one scale and zero point"),
        (PLAIN.with_output(shape=(4, 3, 2), scale=[0.1] * 4), "an output of [4, 3, 2] is not supported"),
        (PLAIN.with_operand(shape=(4,)).with_output(shape=(4,), scale=[0.1] * 4), "an output without one scale"),
        (PLAIN.with_output(scale=1e-9), "a factor of 6e+07 between the scales is not supported"),
        (PLAIN.with_output(scale=0.0), "an output with the scale 0 is not supported"),
        (replace(PLAIN, operands=PLAIN.operands * 2), "a node with 2 inputs and 1 outputs is not supported"),
    ],
)
def test_refusals(case: Case, said: str) -> None:
    assert said in refusal(case)


def test_int16_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(16)
    cases = accepted([as_int16(random_unary(random, "QUANTIZE")) for _ in range(60)])
    assert len(cases) > 45
    assert_reference_is_tflite_micro(cases, random)
    assert_compiled_is_tflite_micro(cases[:10], tmp_path, random)


def test_between_int8_and_int16_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(17)
    cases = []
    for _ in range(40):
        case = random_unary(random, "QUANTIZE")
        wide = {"dtype": np.int16, "zero_point": 0}
        cases.append(case.with_output(scale=case.output.scale / 256, **wide))
        cases.append(case.with_operand(scale=case.operands[0].scale / 256, **wide))
    cases = accepted(cases)
    assert len(cases) > 60
    assert_reference_is_tflite_micro(cases, random)
    assert_compiled_is_tflite_micro(cases[:12], tmp_path, random)
