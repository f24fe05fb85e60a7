"""MAX_POOL_2D against TFLite Micro: the reference, the compiled C in both forms, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.firmware_export.ops.pools import assert_global_pools_take_a_row_at_a_time, assert_refusals, global_pool
from tests.firmware_export.ops.weighted import (
    Case,
    as_int16,
    assert_compiled_is_tflite_micro,
    assert_reference_is_tflite_micro,
    random_pool,
    some,
    some_int16,
)

OP = "MAX_POOL_2D"


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
    assert_global_pools_take_a_row_at_a_time(OP, sums_bytes=13)


def test_refusals() -> None:
    assert_refusals(OP)


def test_int16_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(16)
    cases = some_int16(random, case, 40)
    assert_reference_is_tflite_micro(cases, random)
    assert_compiled_is_tflite_micro([*cases[:8], as_int16(random, global_pool(OP))], tmp_path, random)
