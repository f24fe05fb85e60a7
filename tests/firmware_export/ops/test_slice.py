"""SLICE: the reference and the compiled C against TFLite Micro, that it streams, and what is refused."""

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


def case(shape: tuple[int, ...], begins: Any, sizes: Any, dtype: str = "int8", numbers: Any = np.int32) -> Case:
    out = tuple(
        size - begin if count == -1 else count for size, begin, count in zip(shape, begins, sizes, strict=True)
    )
    operands = (Data(shape), integers(*begins, dtype=numbers), integers(*sizes, dtype=numbers))
    return Case("SLICE", operands, (out,), dtype=dtype)


def random_cases(seed: int, count: int) -> list[Case]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        shape = shapes(random, 1 + number % 5)
        begins = [int(random.integers(size)) for size in shape]
        sizes = [
            -1 if random.random() < 0.3 else int(random.integers(1, size - begin + 1))
            for size, begin in zip(shape, begins, strict=True)
        ]
        numbers = np.int64 if random.random() < 0.3 else np.int32
        made.append(case(shape, begins, sizes, ("int8", "int16", "int32", "float32")[number % 4], numbers))
    return made


def test_reference_is_tflite_micro() -> None:
    assert_reference(random_cases(1, 200), 1)


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled(random_cases(2, 60), tmp_path)


@pytest.mark.parametrize(
    ("begins", "sizes"), [((0, 2, 0, 0), (1, 3, -1, -1)), ((0, 0, 1, 0), (1, -1, 2, -1)), ((0, 1, 1, 2), (1, 4, 3, 3))]
)
def test_between_convolutions(begins: tuple[int, ...], sizes: tuple[int, ...], tmp_path: Path) -> None:
    assert_streams(case((1, 6, 5, 6), begins, sizes), tmp_path)


def test_each_row_comes_from_one_row() -> None:
    (layer,) = layers_of(case((1, 6, 5, 4), (0, 2, 1, 1), (1, 3, 2, 2)))
    assert (layer.rows, layer.row_bytes, layer.kernel) == (3, 4, "strided_copy")
    assert [layer.reads[0].needs(y, 6) for y in range(3)] == [(2, 2), (3, 3), (4, 4)]


def test_whole_rows_are_copied_as_they_are() -> None:
    (layer,) = layers_of(case((1, 6, 5, 4), (0, 2, 0, 0), (1, 3, 5, 4)))
    assert (layer.rows, layer.row_bytes, layer.kernel) == (3, 20, "copy")
    (layer,) = layers_of(case((1, 6, 5, 4), (0, 2, 0, 0), (1, 1, 2, 4)))
    assert (layer.rows, layer.row_bytes, layer.kernel) == (1, 8, "copy")


def test_all_of_it_moves_nothing() -> None:
    assert [layer.op for layer in layers_of(case((1, 6, 5, 4), (0, 0, 0, 0), (-1, 6, 5, -1)))] == ["COPY"]


def test_refusals() -> None:
    assert "a block of [1, 4] from [0, 0] on in [2, 3]" in refusal(case((2, 3), (0, 0), (1, 4)))
    assert "a block of [1, 1] from [-1, 0] on" in refusal(case((2, 3), (-1, 0), (1, 1)))
    negative = (Data((2, 3)), integers(0, 0), integers(1, -2))
    assert "a block of [1, -2] from [0, 0] on" in refusal(Case("SLICE", negative, ((1, 2),)))
    assert "a block of [0, 1] from [0, 0] on" in refusal(case((2, 3), (0, 0), (0, 1)))
    assert "a block of [-1, 1] from [2, 0] on" in refusal(case((2, 3), (2, 0), (-1, 1)))
    operands = (Data((2, 3)), integers(0, 0), integers(1, 2))
    assert "supported: [1, 2] here" in refusal(Case("SLICE", operands, ((2, 1),)))
    assert "a begin tensor of 1 values" in refusal(Case("SLICE", (Data((2, 3)), integers(0), operands[2]), ((1, 2),)))
    assert "size tensor computed" in refusal(Case("SLICE", (*operands[:2], Data((2,), dtype="int32")), ((1, 2),)))
    assert "a begin tensor of type int16" in refusal(case((2, 3), (0, 0), (1, 2), numbers=np.int16))
    assert "an input of type bool" in refusal(case((2, 3), (0, 0), (1, 2), "bool"))
    assert "dimensions" in refusal(case((1, 1, 1, 1, 1, 2), (0,) * 6, (1,) * 6))
