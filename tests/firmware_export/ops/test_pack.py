"""PACK: the reference and the compiled C against TFLite Micro, that it streams, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.firmware_export.ops.movements import (
    Case,
    Data,
    assert_compiled,
    assert_reference,
    layers_of,
    refusal,
    shapes,
)


def case(shape: tuple[int, ...], axis: int, count: int, dtype: str = "int8", constant: int = -1) -> Case:
    at = axis % (len(shape) + 1)
    operands = tuple(Data(shape, constant=position == constant) for position in range(count))
    out = (*shape[:at], count, *shape[at:])
    return Case("PACK", operands, (out,), {"values_count": count, "axis": axis}, dtype)


def random_cases(seed: int, count: int) -> list[Case]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        shape = shapes(random, number % 6)
        axis = int(random.integers(-len(shape) - 1, len(shape) + 1))
        inputs = int(random.integers(1, 5))
        constant = int(random.integers(1, inputs)) if inputs > 1 and random.random() < 0.4 else -1
        made.append(case(shape, axis, inputs, ("int8", "int16", "int32", "float32")[number % 4], constant))
    return made


def test_reference_is_tflite_micro() -> None:
    assert_reference(random_cases(1, 150), 1)


def test_scales_do_not_matter_as_in_tflite_micro() -> None:
    operands = (Data((2, 3), quant=(0.1, 4)), Data((2, 3), quant=(0.7, -90)))
    assert_reference([Case("PACK", operands, ((2, 2, 3),), {"values_count": 2})], 2)


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled(random_cases(2, 30), tmp_path)


def test_rows_come_from_rows() -> None:
    (layer,) = layers_of(case((1, 4), 1, 3))
    assert (layer.rows, layer.row_bytes) == (3, 4)
    assert [[read.needs(y, 1) for read in layer.reads] for y in range(3)] == [
        [(0, 0), None, None],
        [None, (0, 0), None],
        [None, None, (0, 0)],
    ]
    (layer,) = layers_of(case((1, 5, 4), 3, 2))
    assert (layer.rows, layer.row_bytes, layer.fields["turns"]) == (5, 8, 4)


def test_one_value_moves_nothing() -> None:
    assert [layer.op for layer in layers_of(case((4, 3), 1, 1))] == ["COPY"]


def test_refusals() -> None:
    pair = (Data((2, 3)), Data((2, 3)))
    options = {"values_count": 2, "axis": 0}
    assert "2 inputs, 3 said" in refusal(Case("PACK", pair, ((2, 2, 3),), {**options, "values_count": 3}))
    assert "axis 3 of 3 dimensions" in refusal(Case("PACK", pair, ((2, 2, 3),), {**options, "axis": 3}))
    assert "axis -4 of 3 dimensions" in refusal(Case("PACK", pair, ((2, 2, 3),), {**options, "axis": -4}))
    assert "inputs of one shape and type" in refusal(Case("PACK", (pair[0], Data((3, 2))), ((2, 2, 3),), options))
    assert "inputs of one shape and type" in refusal(
        Case("PACK", (pair[0], Data((2, 3), dtype="int32")), ((2, 2, 3),), options)
    )
    assert "supported: [2, 2, 3] here" in refusal(Case("PACK", pair, ((2, 3, 2),), options))
    assert "a missing input" in refusal(Case("PACK", (pair[0], None), ((2, 2, 3),), options))
    assert "an input of type int64" in refusal(case((2, 3), 0, 2, "int64"))
