"""SPLIT: the reference and the compiled C against TFLite Micro, that it streams, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.firmware_export.ops.movements import (
    Case,
    Data,
    assert_compiled,
    assert_reference,
    assert_streams,
    integers,
    layers_of,
    refusal,
    shapes,
)


def case(shape: tuple[int, ...], axis: int, parts: int, dtype: str = "int8", told: Any = None) -> Case:
    size = shape[axis] // parts
    at = axis % len(shape)
    out = (*shape[:at], size, *shape[at + 1 :])
    operands = (integers(axis) if told is None else told, Data(shape))
    return Case("SPLIT", operands, (out,) * parts, {"num_splits": parts}, dtype)


def random_cases(seed: int, count: int, deepest: int = 5) -> list[Case]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        shape = list(shapes(random, 1 + number % deepest))
        axis, parts = int(random.integers(len(shape))), int(random.integers(1, 5))
        shape[axis] *= parts
        axis -= len(shape) if random.random() < 0.3 else 0
        made.append(case(tuple(shape), axis, parts, ("int8", "int16", "int32", "float32")[number % 4]))
    return made


def test_reference_is_tflite_micro() -> None:
    assert_reference(random_cases(1, 150, 6), 1)


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled(random_cases(2, 30, 6), tmp_path)


@pytest.mark.parametrize(("axis", "parts"), [(1, 2), (2, 3), (3, 4), (-1, 2)])
def test_between_convolutions(axis: int, parts: int, tmp_path: Path) -> None:
    assert_streams(case((1, 6, 6, 4), axis, parts), tmp_path)


def test_a_layer_for_each_part_row_by_row() -> None:
    first, second = layers_of(case((1, 6, 5, 4), 3, 2))
    for layer in (first, second):
        assert (layer.rows, layer.row_bytes) == (6, 10)
        assert [layer.reads[0].needs(y, 6) for y in range(6)] == [(y, y) for y in range(6)]
    first, second = layers_of(case((1, 6, 5, 4), 1, 2))
    assert [layer.reads[0].start for layer in (first, second)] == [(0, 1, 2), (3, 4, 5)]
    assert [layer.kernel for layer in (first, second)] == ["copy", "copy"]


def test_refusals() -> None:
    assert "equal parts" in refusal(case((2, 5), 1, 2))
    assert "axis 2 of 2 dimensions is not supported (supported: -2 to 1)" in refusal(
        case((2, 4), 1, 2, told=integers(2))
    )
    assert "axis -3 of 2 dimensions" in refusal(case((2, 4), 1, 2, told=integers(-3)))
    assert "an axis of type int64" in refusal(case((2, 4), 1, 2, told=integers(1, dtype=np.int64)))
    assert "an axis of 2 values" in refusal(case((2, 4), 1, 2, told=integers(1, 1)))
    assert "axis computed at run time" in refusal(case((2, 4), 1, 2, told=Data((1,), dtype="int32")))
    assert "without dimensions" in refusal(Case("SPLIT", (integers(0), Data(())), ((),)))
    assert "an output of [2, 3]" in refusal(Case("SPLIT", (integers(1), Data((2, 4))), ((2, 2), (2, 3))))
    assert "an input of type int64" in refusal(case((2, 4), 1, 2, "int64"))
    assert "a missing input" in refusal(Case("SPLIT", (integers(1), None), ((2, 2), (2, 2))))
