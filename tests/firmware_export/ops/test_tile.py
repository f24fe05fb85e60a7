"""TILE, which TFLite Micro lacks: the reference and the compiled C against TFLite, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from firmware_export.tflite import read_model
from tests.firmware_export.c_build import build
from tests.firmware_export.ops.movements import (
    Case,
    Data,
    assert_compiled,
    assert_reference,
    integers,
    layers_of,
    refusal,
    shapes,
    tflite,
)
from tests.networks import Network


def case(shape: tuple[int, ...], multiples: Any, dtype: str = "int8", numbers: Any = np.int32) -> Case:
    out = tuple(size * count for size, count in zip(shape, multiples, strict=True))
    return Case("TILE", (Data(shape), integers(*multiples, dtype=numbers)), (out,), {}, dtype)


def random_cases(seed: int, count: int) -> list[Case]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        shape = shapes(random, 1 + number % 6, 3)
        multiples = [int(random.integers(1, 4)) if random.random() < 0.5 else 1 for _ in shape]
        multiples[2:] = [many if position < 2 else 1 for position, many in enumerate(multiples[2:])]
        numbers = np.int64 if random.random() < 0.3 else np.int32
        made.append(case(shape, multiples, ("int8", "int8", "int32", "float32")[number % 4], numbers))
    return made


def test_reference_is_tflite() -> None:
    assert_reference(random_cases(1, 120), 1, oracle="lite")


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled(random_cases(2, 50), tmp_path)


def test_upsampling_as_keras_writes_it(tmp_path: Path) -> None:
    made, random = Network(), np.random.default_rng(3)
    image = made.input((1, 5, 4, 3), 0.1, 3)
    apart = made.op("RESHAPE", [image], (1, 5, 1, 4, 1, 3), 0.1, 3, new_shape=(1, 5, 1, 4, 1, 3))
    tiled = made.op("TILE", [apart, made.constant(integers(1, 1, 2, 1, 2, 1))], (1, 5, 2, 4, 2, 3), 0.1, 3)
    large = made.op("RESHAPE", [tiled], (1, 10, 8, 3), 0.1, 3, new_shape=(1, 10, 8, 3))
    weights = made.constant(random.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8), 0.01)
    bias = made.constant(np.zeros(4, np.int32), 0.1 * 0.01)
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
    data = made.pack(made.op("CONV_2D", [large, weights, bias], (1, 10, 8, 4), 0.2, 5, **options))
    values = random.integers(-128, 128, (1, 5, 4, 3)).astype(np.int8)
    expected = tflite(data, values)[0]
    for push in (False, True):
        built = build(data, tmp_path / str(push), push=push)
        assert np.array_equal(built.run(values)[0], expected)
    layer = built.compiled.plan.program.layers[0]
    assert (layer.op, layer.rows, layer.row_bytes) == ("TILE", 5, 48)
    assert [layer.reads[0].needs(y, 5) for y in range(5)] == [(y, y) for y in range(5)]
    assert [node.op for node in read_model(data, "net").nodes] == ["RESHAPE", "TILE", "RESHAPE", "CONV_2D"]


def test_once_moves_nothing() -> None:
    assert [layer.op for layer in layers_of(case((1, 3, 4), (1, 1, 1)))] == ["COPY"]


def test_refusals() -> None:
    assert "the multiples [1, 0]" in refusal(case((2, 3), (1, 0)))
    assert "a multiples tensor of 1 values" in refusal(Case("TILE", (Data((2, 3)), integers(1)), ((2, 3),)))
    assert "multiples tensor computed" in refusal(Case("TILE", (Data((2, 3)), Data((2,), dtype="int32")), ((2, 3),)))
    assert "supported: [2, 6] here" in refusal(Case("TILE", (Data((2, 3)), integers(1, 2)), ((2, 5),)))
    assert "Tile in two steps" in refusal(case((1, 1, 2, 2, 2), (1, 1, 2, 2, 2)))
    assert "without dimensions" in refusal(Case("TILE", (Data(()), integers()), ((),)))
    assert "an input of type int16" in refusal(case((2, 3), (1, 2), "int16"))
