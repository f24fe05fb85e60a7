"""GATHER: the reference and the compiled C against TFLite Micro, ids outside the table, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.compiler import compile_model
from firmware_export.tflite import read_model
from tests.firmware_export.c_build import build
from tests.firmware_export.evaluation import evaluate
from tests.firmware_export.ops.movements import (
    Case,
    Data,
    assert_compiled,
    assert_reference,
    assert_streams,
    integers,
    layers_of,
    network,
    refusal,
    shapes,
)
from tests.networks import Network, tflite_micro


def case(
    table: tuple[int, ...], axis: int, ids: Any, batch: int = 0, dtype: str = "int8", constant: bool = True
) -> Case:
    """``ids``: the shape of the caller's, or an array."""
    at = axis % len(table)
    named = np.shape(ids) if isinstance(ids, np.ndarray) else ids
    dims = batch + len(named) if batch < 0 else batch
    out = (*table[:at], *named[dims:], *table[at + 1 :])
    given = ids if isinstance(ids, np.ndarray) else Data(ids, dtype="int32", below=table[at])
    return Case("GATHER", (Data(table, constant), given), (out,), {"axis": axis, "batch_dims": batch}, dtype)


def random_cases(seed: int, count: int, dtypes: tuple[str, ...]) -> list[Case]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        table = shapes(random, 1 + number % 5, 6)
        axis = int(random.integers(len(table)))
        batch = int(random.integers(axis + 1)) if random.random() < 0.4 else 0
        ids = (*table[:batch], *shapes(random, int(random.integers(3)), 4))
        told = batch - len(ids) if batch and len(ids) > batch and random.random() < 0.5 else batch
        if random.random() < 0.3:
            ids = random.integers(0, table[axis], ids).astype(np.int32)
        axis -= len(table) if random.random() < 0.3 else 0
        made.append(case(table, axis, ids, told, dtypes[number % len(dtypes)], bool(random.random() < 0.5)))
    return made


def test_reference_is_tflite_micro() -> None:
    assert_reference(random_cases(1, 250, ("int8", "float32")), 1)


def test_int32_tables_as_tflite() -> None:
    assert_reference(random_cases(2, 30, ("int32",)), 2, oracle="lite")


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled(random_cases(3, 60, ("int8", "int8", "float32", "int32")), tmp_path)


def test_ids_outside_take_the_nearest(tmp_path: Path) -> None:
    data = network([case((5, 3), 0, (1, 6))])
    ids = np.array([[-1, 0, 4, 5, -(1 << 31), (1 << 31) - 1]], np.int32)
    graph, built = read_model(data, "net"), build(data, tmp_path)
    inside = np.clip(ids, 0, 4)
    assert np.array_equal(evaluate(graph, ids)[0], tflite_micro(data, inside)[0])
    assert np.array_equal(built.run(ids)[0], built.run(inside)[0])
    assert np.array_equal(built.run(inside)[0], tflite_micro(data, inside)[0])


def test_embedding_goes_id_by_id_and_streams(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    made = Network()
    ids = made.input((1, 12), dtype=np.int32)
    table = made.constant(random.integers(-128, 128, (9, 4)).astype(np.int8), 0.05, 3)
    embedded = made.op("GATHER", [table, ids], (1, 12, 4), 0.05, 3)
    image = made.op("RESHAPE", [embedded], (1, 12, 1, 4), 0.05, 3)
    weights = made.constant(random.integers(-127, 128, (3, 3, 1, 4)).astype(np.int8), 0.02)
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
    data = made.pack(made.op("CONV_2D", [image, weights, -1], (1, 12, 1, 3), 0.1, 7, **options))
    layer = compile_model(data, "net", "net").plan.program.layers[0]
    assert (layer.rows, layer.row_bytes) == (12, 4)
    assert [layer.reads[1].needs(y, 12) for y in range(12)] == [(y, y) for y in range(12)]
    built = build(data, tmp_path)
    for _ in range(3):
        values = random.integers(0, 9, (1, 12)).astype(np.int32)
        assert np.array_equal(built.run(values)[0], tflite_micro(data, values)[0])


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_between_convolutions(axis: int, tmp_path: Path) -> None:
    ids = np.array([2, 0, 0, 3, 1], np.int32)
    assert_streams(case((1, 5, 4, 6), axis, ids, constant=False), tmp_path)


def test_behind_the_rows_each_row_comes_from_one_row() -> None:
    (layer,) = layers_of(case((1, 5, 4, 6), 3, integers(5, 2), constant=False))
    assert (layer.rows, layer.row_bytes) == (5, 8)
    assert [layer.reads[0].needs(y, 5) for y in range(5)] == [(y, y) for y in range(5)]


def test_refusals() -> None:
    assert "ids from 0 to 5 of 5 is not supported (supported: 0 to 4)" in refusal(case((5, 3), 0, integers(0, 5)))
    assert "ids from -1 to 0 of 5" in refusal(case((5, 3), 0, integers(0, -1)))
    for dtype in ("int8", "int16", "int64"):
        ids = Data((2,), dtype=dtype, quant=(None, 0))
        assert f"ids of type {dtype}" in refusal(Case("GATHER", (Data((5, 3)), ids), ((2, 3),)))
    ids = Data((2,), dtype="int32", below=5)
    assert "axis 2 of 2 dimensions" in refusal(Case("GATHER", (Data((5, 3)), ids), ((2, 3),), {"axis": 2}))
    assert "1 batch dimensions" in refusal(Case("GATHER", (Data((5, 3)), ids), ((2, 3),), {"batch_dims": 1}))
    assert "-2 batch dimensions" in refusal(Case("GATHER", (Data((5, 3)), ids), ((2, 3),), {"batch_dims": -3}))
    uneven = {"batch_dims": 1, "axis": 1}
    assert "batch dimensions that both share" in refusal(Case("GATHER", (Data((5, 3)), ids), ((5, 3),), uneven))
    assert "supported: [2, 3] here" in refusal(Case("GATHER", (Data((5, 3)), ids), ((2, 4),)))
    assert "without dimensions" in refusal(Case("GATHER", (Data(()), ids), ((2,),)))
    assert "ids of shape [0]" in refusal(case((5, 3), 0, (0,)))
    assert "a missing tensor of ids" in refusal(Case("GATHER", (Data((5, 3)), None), ((2, 3),)))
    assert "an input of type int16" in refusal(case((5, 3), 0, (2,), dtype="int16"))
