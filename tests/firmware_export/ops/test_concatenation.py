"""CONCATENATION: the reference and the compiled C against TFLite Micro, that it streams, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.tflite import read_model
from tests.firmware_export.c_build import build
from tests.firmware_export.evaluation import evaluate
from tests.firmware_export.ops.movements import (
    Case,
    Data,
    assert_compiled,
    assert_reference,
    assert_streams,
    layers_of,
    refusal,
    shapes,
)
from tests.networks import Network, tflite_micro


def case(
    shape: tuple[int, ...], axis: int, sizes: tuple[int, ...], dtype: str = "int8", constant: int = -1, **options: Any
) -> Case:
    """``shape`` but for the axis, along which the inputs have these sizes; one of them may be a constant."""
    at = axis % len(shape)
    given = [(*shape[:at], size, *shape[at + 1 :]) for size in sizes]
    operands = tuple(Data(each, constant=position == constant) for position, each in enumerate(given))
    out = (*shape[:at], sum(sizes), *shape[at + 1 :])
    return Case("CONCATENATION", operands, (out,), {"axis": axis, **options}, dtype)


def random_cases(seed: int, count: int, most: int = 5) -> list[Case]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        shape = shapes(random, 1 + number % 5)
        axis = int(random.integers(-len(shape), len(shape)))
        sizes = tuple(int(size) for size in random.integers(1, 5, random.integers(1, most + 1)))
        constant = int(random.integers(1, len(sizes))) if len(sizes) > 1 and random.random() < 0.4 else -1
        made.append(case(shape, axis, sizes, ("int8", "int16", "int32", "float32")[number % 4], constant))
    return made


def test_reference_is_tflite_micro() -> None:
    assert_reference(random_cases(1, 200), 1)


def test_more_than_ten_inputs_as_tflite() -> None:
    assert_reference([case((1, 3, 2), axis, (2,) * 13) for axis in (1, 2)], 2, oracle="lite")


def test_without_quantization_as_tflite_micro() -> None:
    plain = Data((2, 3), quant=(None, 0))
    assert_reference([Case("CONCATENATION", (plain, plain), ((4, 3),), {"axis": 0}, out_quant=(None, 0))], 3)


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled([*random_cases(2, 50), case((1, 3, 2), 1, (1, 2) * 6), case((1, 3, 2), 2, (3, 1) * 6)], tmp_path)


@pytest.mark.parametrize(
    ("axis", "sizes", "constant"),
    [(1, (5, 5), -1), (1, (5, 2, 5), 1), (2, (4, 4), -1), (3, (3, 5), -1), (-1, (1, 2, 1), 1), (-2, (4, 3), 1)],
)
def test_between_convolutions(axis: int, sizes: tuple[int, ...], constant: int, tmp_path: Path) -> None:
    assert_streams(case((1, 5, 4, 3), axis, sizes, constant=constant), tmp_path)


def test_a_value_twice(tmp_path: Path) -> None:
    made = Network()
    image = made.input((1, 3, 4, 2), 0.1)
    shapes_of_axes = ((1, (1, 6, 4, 2)), (2, (1, 3, 8, 2)), (3, (1, 3, 4, 4)))
    joined = [made.op("CONCATENATION", [image, image], shape, 0.1, axis=axis) for axis, shape in shapes_of_axes]
    data = made.pack(*joined)
    values = np.random.default_rng(4).integers(-128, 128, (1, 3, 4, 2)).astype(np.int8)
    expected = tflite_micro(data, values, outputs=3)
    for results in (evaluate(read_model(data, "net"), values), build(data, tmp_path).run(values)):
        assert all(np.array_equal(result, wanted) for result, wanted in zip(results, expected, strict=True))


def test_along_channels_a_row_comes_from_a_row_of_each() -> None:
    (layer,) = layers_of(case((1, 5, 4, 3), 3, (3, 5)))
    assert (layer.rows, layer.row_bytes, layer.one_list, layer.fields["turns"]) == (5, 32, True, 4)
    assert [[read.needs(y, 5) for read in layer.reads] for y in range(5)] == [[(y, y)] * 2 for y in range(5)]


def test_along_rows_each_row_comes_from_one_input() -> None:
    (layer,) = layers_of(case((1, 5, 4, 3), 1, (2, 1)))
    first, second = layer.reads
    assert [first.needs(y, 2) for y in range(3)] == [(0, 0), (1, 1), None]
    assert [second.needs(y, 1) for y in range(3)] == [None, None, (0, 0)]


def test_one_input_moves_nothing() -> None:
    assert [layer.op for layer in layers_of(case((1, 5, 4), 1, (5,)))] == ["COPY"]


@pytest.mark.parametrize("quant", [(0.0500001, -11), (0.05, -12), (None, 0)])
def test_other_scales_and_zero_points_are_refused_as_in_tflite_micro(quant: tuple[float | None, int]) -> None:
    operands = (Data((2, 3)), Data((2, 3), quant=quant))
    assert "one scale and zero point for all" in refusal(Case("CONCATENATION", operands, ((4, 3),), {"axis": 0}))


def test_refusals() -> None:
    assert "the fused activation RELU is not supported (supported: NONE)" in refusal(
        case((2, 3), 0, (1, 2), fused_activation_function="RELU")
    )
    pair = (Data((2, 3)), Data((2, 3)))
    assert "axis 2 of 2 dimensions" in refusal(Case("CONCATENATION", pair, ((4, 3),), {"axis": 2}))
    assert "axis -3 of 2 dimensions" in refusal(Case("CONCATENATION", pair, ((4, 3),), {"axis": -3}))
    assert "alike in all other dimensions" in refusal(Case("CONCATENATION", (pair[0], Data((2, 4))), ((4, 3),)))
    assert "alike in all other dimensions" in refusal(Case("CONCATENATION", (pair[0], Data((2, 3, 1))), ((4, 3),)))
    assert "supported: [4, 3] here" in refusal(Case("CONCATENATION", pair, ((3, 3),)))
    assert "an output of type int8 is not supported (supported: int32)" in refusal(
        Case("CONCATENATION", (Data((2, 3), dtype="int32"),) * 2, ((4, 3),))
    )
    assert "an input of type int32 is not supported (supported: int8)" in refusal(
        Case("CONCATENATION", (pair[0], Data((2, 3), dtype="int32")), ((4, 3),))
    )
    assert "without dimensions" in refusal(Case("CONCATENATION", (Data(()),), ((1,),)))
    assert "a missing input" in refusal(Case("CONCATENATION", (pair[0], None), ((4, 3),)))
    assert "a missing input" in refusal(Case("CONCATENATION", (), ((4, 3),)))
    assert "an input of type int64" in refusal(case((2, 3), 0, (1, 2), "int64"))
    assert "an input of shape [0, 3]" in refusal(case((2, 3), 0, (0, 2)))
