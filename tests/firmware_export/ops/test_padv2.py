"""PADV2: the reference and the compiled C against TFLite Micro, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.firmware_export.ops.movements import (
    SCALE,
    ZERO_POINT,
    Case,
    Data,
    assert_compiled,
    assert_reference,
    assert_streams,
    integers,
    refusal,
    shapes,
)

Quantized = tuple[float | None, int]


def case(
    shape: tuple[int, ...], paddings: Any, dtype: str = "int8", value: Any = None, op: str = "PADV2", many: int = 1
) -> Case:
    """The value is a constant with random bits, scalar or ``[many]``."""
    out = tuple(front + size + behind for size, (front, behind) in zip(shape, paddings, strict=True))
    given = Data((many,) if many else (), constant=True) if value is None else value
    return Case(op, (Data(shape, quant=(0.3, 2)), integers(*paddings), given), (out,), {}, dtype)


def random_cases(seed: int, count: int) -> list[Case]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        shape = shapes(random, 1 + number % 5, 4)
        paddings = np.where(random.random((len(shape), 2)) < 0.5, 0, random.integers(0, 4, (len(shape), 2)))
        dtype = ("int8", "int8", "int32", "float32")[number % 4]
        made.append(case(shape, paddings.tolist(), dtype, many=number % 2))
    return made


def test_reference_is_tflite_micro() -> None:
    assert_reference(random_cases(1, 150), 1)


def test_pad_with_a_value_is_the_same() -> None:
    assert_reference([case((2, 3), ((1, 0), (0, 2)), op="PAD")], 2)


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled(random_cases(2, 40), tmp_path)


@pytest.mark.parametrize("paddings", [((0, 0), (2, 1), (1, 2), (0, 0)), ((0, 0), (0, 1), (2, 0), (1, 1))])
def test_between_convolutions(paddings: Any, tmp_path: Path) -> None:
    assert_streams(case((1, 5, 4, 3), paddings), tmp_path)


def test_refusals() -> None:
    paddings = ((0, 0), (1, 1))

    def with_value(value: Data | None) -> str:
        return refusal(Case("PADV2", (Data((2, 3)), integers(*paddings), value), ((2, 5),)))

    assert "a pad value with a scale or zero point of its own" in with_value(Data((1,), True, quant=(SCALE, 3)))
    assert "a pad value with a scale or zero point of its own" in with_value(Data((1,), True, quant=(0.1, ZERO_POINT)))
    assert "a pad value with a scale or zero point of its own" in with_value(Data((1,), True, quant=(None, 0)))
    assert "pad value computed at run time" in with_value(Data((1,)))
    assert "2 pad values" in with_value(Data((2,), True))
    assert "a pad value of type int32" in with_value(Data((1,), True, dtype="int32"))
    assert "a missing pad value" in with_value(None)
    assert "a missing pad value" in refusal(Case("PADV2", (Data((2, 3)), integers(*paddings)), ((2, 5),)))
