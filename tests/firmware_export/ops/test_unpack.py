"""UNPACK: the reference and the compiled C against TFLite Micro, that it streams, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.firmware_export.ops.movements import (
    Case,
    Data,
    assert_compiled,
    assert_reference,
    integers,
    layers_of,
    refusal,
    shapes,
)


def case(shape: tuple[int, ...], axis: int, dtype: str = "int8", count: int | None = None) -> Case:
    at = axis % len(shape)
    parts = shape[at] if count is None else count
    return Case("UNPACK", (Data(shape),), (shape[:at] + shape[at + 1 :],) * parts, {"num": parts, "axis": axis}, dtype)


def random_cases(seed: int, count: int) -> list[Case]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        shape = shapes(random, 1 + number % 6)
        axis = int(random.integers(-len(shape), len(shape)))
        made.append(case(shape, axis, ("int8", "int16", "int32", "float32")[number % 4]))
    return made


def test_reference_is_tflite_micro() -> None:
    assert_reference(random_cases(1, 150), 1)


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled(random_cases(2, 30), tmp_path)


def test_a_slice_along_rows_reads_its_row_only() -> None:
    layers = layers_of(case((1, 4, 3), 1))
    assert [(layer.kernel, layer.reads[0].start) for layer in layers] == [("copy", (row,)) for row in range(4)]


def test_a_slice_along_columns_reads_row_by_row() -> None:
    for layer in layers_of(case((1, 4, 3, 2), 2)):
        assert (layer.rows, layer.row_bytes, layer.reads[0].start) == (4, 2, (0, 1, 2, 3))


def test_one_slice_moves_nothing() -> None:
    assert [layer.op for layer in layers_of(case((4, 1, 3), 1))] == ["COPY"]


def test_refusals() -> None:
    assert "3 outputs, 3 slices said and 4 there" in refusal(case((2, 4), 1, count=3))
    assert "axis 2 of 2 dimensions" in refusal(Case("UNPACK", (Data((2, 4)),), ((2,),), {"num": 1, "axis": 2}))
    assert "1 outputs, 2 slices said" in refusal(Case("UNPACK", (Data((2, 4)),), ((4,),), {"num": 2, "axis": 0}))
    assert "an output of [5]" in refusal(Case("UNPACK", (Data((2, 4)),), ((4,), (5,)), {"num": 2}))
    assert "without dimensions" in refusal(Case("UNPACK", (Data(()),), ((),), {"num": 1}))
    assert "2 outputs" in refusal(Case("UNPACK", (Data((2, 4)), integers(0)), ((4,), (4,)), {"num": 2}))
    assert "an input of type int64" in refusal(case((2, 4), 1, "int64"))
