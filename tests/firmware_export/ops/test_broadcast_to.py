"""BROADCAST_TO: the reference and the compiled C against TFLite Micro, that it streams, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

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


def case(shape: tuple[int, ...], out: tuple[int, ...], dtype: str = "int8", numbers: Any = np.int32) -> Case:
    return Case("BROADCAST_TO", (Data(shape), integers(*out, dtype=numbers)), (out,), {}, dtype)


def random_cases(seed: int, count: int) -> list[Case]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        out = shapes(random, 1 + number % 5, 4)
        shape = tuple(1 if random.random() < 0.4 else size for size in out[int(random.integers(len(out))) :])
        numbers = np.int64 if random.random() < 0.3 else np.int32
        made.append(case(shape, out, ("int8", "int8", "int32", "float32")[number % 4], numbers))
    return [*made, case((), (2, 3)), case((), (1,))]


def test_reference_is_tflite_micro() -> None:
    assert_reference(random_cases(1, 120), 1)


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled(random_cases(2, 50), tmp_path)


def test_between_convolutions(tmp_path: Path) -> None:
    assert_streams(case((1, 5, 1, 3), (1, 5, 4, 3)), tmp_path)


def test_each_row_comes_from_one_row() -> None:
    (layer,) = layers_of(case((1, 5, 1, 3), (1, 5, 4, 3)))
    assert (layer.rows, layer.row_bytes, layer.reads[0].start) == (5, 12, (0, 1, 2, 3, 4))
    (layer,) = layers_of(case((4, 3), (1, 5, 4, 3)))
    assert (layer.rows, layer.kernel, layer.reads[0].start) == (5, "copy", (0,) * 5)


def test_the_same_shape_moves_nothing() -> None:
    assert [layer.op for layer in layers_of(case((3, 4), (1, 3, 4)))] == ["COPY"]


def test_refusals() -> None:
    assert "[2, 3] broadcast to [2, 4]" in refusal(case((2, 3), (2, 4)))
    assert "[2, 3] broadcast to [3]" in refusal(case((2, 3), (3,)))
    assert "[1] broadcast to [1, 1, 1, 1, 1, 2]" in refusal(case((1,), (1, 1, 1, 1, 1, 2)))
    assert "supported: [2, 3] here" in refusal(Case("BROADCAST_TO", (Data((1, 3)), integers(2, 3)), ((3, 3),)))
    computed = (Data((1, 3)), Data((2,), dtype="int32"))
    assert "shape computed at run time" in refusal(Case("BROADCAST_TO", computed, ((2, 3),)))
    assert "an output of shape [0, 3]" in refusal(case((1, 3), (0, 3)))
    assert "an input of type int16" in refusal(case((1, 3), (2, 3), "int16"))
