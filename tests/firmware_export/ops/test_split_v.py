"""SPLIT_V: the reference and the compiled C against TFLite Micro, that it streams, and what is refused."""

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


def case(shape: tuple[int, ...], axis: int, sizes: tuple[int, ...], dtype: str = "int8", told: Any = None) -> Case:
    at = axis % len(shape)
    outputs = tuple((*shape[:at], size, *shape[at + 1 :]) for size in sizes)
    operands = (Data(shape), integers(*sizes) if told is None else told, integers(axis))
    return Case("SPLIT_V", operands, outputs, {"num_splits": len(sizes)}, dtype)


def random_cases(seed: int, count: int) -> list[Case]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        shape = list(shapes(random, 1 + number % 6))
        axis = int(random.integers(len(shape)))
        sizes = tuple(int(size) for size in random.integers(1, 5, random.integers(1, 5)))
        shape[axis] = sum(sizes)
        told = list(sizes)
        if random.random() < 0.4:
            told[int(random.integers(len(told)))] = -1
        axis -= len(shape) if random.random() < 0.3 else 0
        numbers = integers(*told, dtype=np.int64 if random.random() < 0.3 else np.int32)
        made.append(case(tuple(shape), axis, sizes, ("int8", "int16", "int32", "float32")[number % 4], numbers))
    return made


def test_reference_is_tflite_micro() -> None:
    assert_reference(random_cases(1, 150), 1)


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled(random_cases(2, 30), tmp_path)


@pytest.mark.parametrize(("axis", "sizes"), [(1, (1, 5)), (2, (2, 1, 3)), (-1, (3, 1))])
def test_between_convolutions(axis: int, sizes: tuple[int, ...], tmp_path: Path) -> None:
    assert_streams(case((1, 6, 6, 4), axis, sizes), tmp_path)


def test_a_layer_for_each_part_row_by_row() -> None:
    layers = layers_of(case((1, 6, 5, 4), 3, (1, 3)))
    assert [(layer.rows, layer.row_bytes) for layer in layers] == [(6, 5), (6, 15)]


def test_refusals() -> None:
    assert "parts of [1, 2] of 4" in refusal(case((2, 4), 1, (1, 2)))
    assert "parts of [0, 4] of 4" in refusal(case((2, 4), 1, (1, 3), told=integers(0, 4)))
    assert "parts of [5, -1] of 4" in refusal(case((2, 4), 1, (1, 3), told=integers(5, -1)))
    assert "parts of [-1, -1] of 4" in refusal(case((2, 4), 1, (1, 3), told=integers(-1, -1)))
    assert "an output of [2, 1]" in refusal(case((2, 4), 1, (1, 3), told=integers(2, 2)))
    assert "a sizes tensor of 3 values" in refusal(case((2, 4), 1, (1, 3), told=integers(1, 1, 2)))
    assert "sizes tensor computed" in refusal(case((2, 4), 1, (1, 3), told=Data((2,), dtype="int32")))
    short = Case("SPLIT_V", (Data((2, 4)), integers(1, 3)), ((2, 1), (2, 3)))
    assert "a missing axis" in refusal(short)
    assert "an input of type int64" in refusal(case((2, 4), 1, (1, 3), "int64"))
    assert "without dimensions" in refusal(Case("SPLIT_V", (Data(()), integers(1), integers(0)), ((),)))
