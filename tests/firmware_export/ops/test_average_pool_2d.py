"""AVERAGE_POOL_2D against TFLite Micro: the reference, the compiled C in both forms, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from firmware_export.tflite import read_model
from tests.firmware_export.c_build import build
from tests.firmware_export.evaluation import evaluate
from tests.firmware_export.ops.common import refusal
from tests.firmware_export.ops.pools import assert_global_pools_take_a_row_at_a_time, assert_refusals, global_pool
from tests.firmware_export.ops.weighted import (
    Case,
    as_int16,
    assert_compiled_is_tflite_micro,
    assert_reference_is_tflite_micro,
    network,
    random_pool,
    some,
    some_int16,
)
from tests.networks import tflite_micro

OP = "AVERAGE_POOL_2D"


def case(random: np.random.Generator) -> Case:
    return random_pool(random, OP)


def test_reference_is_tflite_micro() -> None:
    random = np.random.default_rng(1)
    assert_reference_is_tflite_micro(some(random, case, 240), random)


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    cases = [*some(random, case, 32), global_pool(OP), global_pool(OP, "SAME", 12), global_pool(OP, "VALID", 4)]
    assert_compiled_is_tflite_micro(cases, tmp_path, random)


def test_global_pools_take_a_row_at_a_time() -> None:
    assert_global_pools_take_a_row_at_a_time(OP, sums_bytes=4 * 13)


def test_refusals() -> None:
    assert_refusals(OP)


def test_windows_too_large_for_int32_are_refused() -> None:
    options = {"padding": "VALID", "stride_h": 1, "stride_w": 1, "filter_height": 4096, "filter_width": 4096}
    huge = Case(OP, (1, 4096, 4096, 1), (1, 1, 1, 1), options=options)
    assert "a window of 4096x4096 is not supported (supported: below 16777216 pixels)" in refusal(network([huge]))


def test_halves_are_rounded_away_from_zero(tmp_path: Path) -> None:
    options = {"padding": "VALID", "stride_h": 2, "stride_w": 1, "filter_height": 2, "filter_width": 1}
    pairs = [(0, 1), (0, -1), (1, 2), (-1, -2), (3, 4), (-3, -4), (-128, -127), (126, 127)]
    image = np.array(pairs, np.int8).reshape(1, -1, 1, 1)
    data = network([Case(OP, image.shape, (1, len(pairs), 1, 1), options=options)])
    expected = np.array([1, -1, 2, -2, 4, -4, -128, 127]).reshape(1, -1, 1, 1)
    assert np.array_equal(tflite_micro(data, image)[0], expected)
    assert np.array_equal(evaluate(read_model(data), image)[0], expected)
    assert np.array_equal(build(data, tmp_path).run(image)[0], expected)


def test_int16_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(16)
    cases = some_int16(random, case, 40)
    assert_reference_is_tflite_micro(cases, random)
    assert_compiled_is_tflite_micro([*cases[:8], as_int16(random, global_pool(OP))], tmp_path, random)
