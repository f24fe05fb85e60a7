"""REVERSE_V2: the reference and the compiled C against TFLite Micro, and what is refused."""

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


def case(shape: tuple[int, ...], axes: Any, dtype: str = "int8") -> Case:
    return Case("REVERSE_V2", (Data(shape), axes), (shape,), {}, dtype)


def random_cases(seed: int, count: int) -> list[Case]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        shape = shapes(random, 1 + number % 6)
        first = int(random.integers(len(shape)))
        axes = list(range(first, int(random.integers(first, len(shape))) + 1))
        random.shuffle(axes)
        told = [axis - len(shape) if random.random() < 0.3 else axis for axis in axes]
        made.append(case(shape, integers(*told), ("int8", "int8", "int32", "float32")[number % 4]))
    return made


def test_reference_is_tflite_micro() -> None:
    assert_reference(random_cases(1, 120), 1)


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled(random_cases(2, 50), tmp_path)


@pytest.mark.parametrize("axes", [(1,), (2,), (3,), (2, 3), (1, 2, 3)])
def test_between_convolutions(axes: tuple[int, ...], tmp_path: Path) -> None:
    assert_streams(case((1, 5, 4, 3), integers(*axes)), tmp_path)


def test_each_row_comes_from_one_row() -> None:
    (layer,) = layers_of(case((1, 5, 4, 3), integers(1)))
    assert (layer.kernel, [layer.reads[0].needs(y, 5) for y in range(5)]) == ("copy", [(4 - y,) * 2 for y in range(5)])
    (layer,) = layers_of(case((1, 5, 4, 3), integers(2)))
    assert (layer.kernel, layer.reads[0].start) == ("strided_copy", (0, 1, 2, 3, 4))


def test_refusals() -> None:
    assert "reversing the axes [0, 2]" in refusal(case((2, 3, 4), integers(0, 2)))
    assert "reversing the axes [1, 1]" in refusal(case((2, 3, 4), integers(1, -2)))
    assert "axis 3 of 3 dimensions" in refusal(case((2, 3, 4), integers(3)))
    assert "an axes tensor of type int64" in refusal(case((2, 3, 4), integers(1, dtype=np.int64)))
    assert "an axes tensor that is no list" in refusal(case((2, 3, 4), np.array(1, np.int32)))
    assert "axes tensor computed at run time" in refusal(case((2, 3, 4), Data((1,), dtype="int32")))
    assert "supported: [2, 3] here" in refusal(Case("REVERSE_V2", (Data((2, 3)), integers(0)), ((3, 2),)))
    assert "an input of 9 dimensions" in refusal(case((1,) * 9, integers(0)))
    assert "without dimensions" in refusal(case((), integers(0)))
    assert "an input of type int16" in refusal(case((2, 3), integers(0), "int16"))
