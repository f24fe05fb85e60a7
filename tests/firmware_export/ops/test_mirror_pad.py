"""MIRROR_PAD: the reference and the compiled C against TFLite Micro, that it streams, and what is refused."""

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


def case(
    shape: tuple[int, ...], paddings: Any, mode: str = "REFLECT", dtype: str = "int8", numbers: Any = np.int32
) -> Case:
    out = tuple(front + size + behind for size, (front, behind) in zip(shape, paddings, strict=True))
    return Case("MIRROR_PAD", (Data(shape), integers(*paddings, dtype=numbers)), (out,), {"mode": mode}, dtype)


def random_cases(seed: int, count: int, dtypes: tuple[str, ...]) -> list[Case]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        shape = shapes(random, 1 + number % 5)
        mode = str(random.choice(["REFLECT", "SYMMETRIC"]))
        most = [size - 1 if mode == "REFLECT" else size for size in shape]
        paddings = [[int(random.integers(m + 1)) if random.random() < 0.6 else 0 for _ in "fb"] for m in most]
        if len(shape) == 5:
            paddings[4] = [0, 0]    # three padded dimensions in a row are refused
        numbers = np.int64 if random.random() < 0.3 else np.int32
        made.append(case(shape, paddings, mode, dtypes[number % len(dtypes)], numbers))
    return made


def test_reference_is_tflite_micro() -> None:
    assert_reference(random_cases(1, 150, ("int8", "int8", "float32")), 1)


def test_int32_as_tflite() -> None:
    assert_reference(random_cases(2, 20, ("int32",)), 2, oracle="lite")


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled(random_cases(3, 50, ("int8", "int32", "float32")), tmp_path)


@pytest.mark.parametrize("mode", ["REFLECT", "SYMMETRIC"])
def test_between_convolutions(mode: str, tmp_path: Path) -> None:
    assert_streams(case((1, 5, 4, 3), ((0, 0), (2, 3), (1, 3), (0, 0)), mode), tmp_path)


def test_rows_of_the_border_come_from_inside() -> None:
    (layer,) = layers_of(case((1, 4, 4, 3), ((0, 0), (2, 1), (0, 0), (0, 0))))
    assert layer.reads[0].start == (2, 1, 0, 1, 2, 3, 2)
    (layer,) = layers_of(case((1, 4, 4, 3), ((0, 0), (2, 1), (0, 0), (0, 0)), "SYMMETRIC"))
    assert layer.reads[0].start == (1, 0, 0, 1, 2, 3, 3)


def test_nothing_to_pad_moves_nothing() -> None:
    assert [layer.op for layer in layers_of(case((1, 3, 4), ((0, 0),) * 3))] == ["COPY"]


def test_refusals() -> None:
    assert "the paddings [0, 0, 3, 0] of [2, 3]" in refusal(case((2, 3), ((0, 0), (3, 0))))
    assert "the paddings [0, 0, 0, 4] of [2, 3]" in refusal(case((2, 3), ((0, 0), (0, 4)), "SYMMETRIC"))
    assert "the paddings [0, 0, -1, 1]" in refusal(case((2, 3), ((0, 0), (-1, 1))))
    assert "paddings tensor computed at run time" in refusal(
        Case("MIRROR_PAD", (Data((2, 3)), Data((2, 2), dtype="int32")), ((2, 3),))
    )
    assert "supported: [2, 5] here" in refusal(Case("MIRROR_PAD", (Data((2, 3)), integers((0, 0), (1, 1))), ((2, 4),)))
    assert "two padded dimensions in a row" in refusal(case((1, 2, 3, 3, 3), ((0, 0), (0, 0), (1, 0), (1, 0), (1, 0))))
    assert "dimensions" in refusal(case((1, 1, 1, 1, 1, 2), ((0, 0),) * 5 + ((0, 1),)))
    assert "an input of type int16" in refusal(case((2, 3), ((0, 0), (1, 1)), dtype="int16"))
