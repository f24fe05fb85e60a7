"""TRANSPOSE: the reference and the compiled C against TFLite Micro, in which form it runs, and what is refused."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

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


def case(shape: tuple[int, ...], order: tuple[int, ...], dtype: str = "int8") -> Case:
    return Case("TRANSPOSE", (Data(shape), integers(*order)), (tuple(shape[axis] for axis in order),), dtype=dtype)


def random_cases(seed: int, count: int, dtypes: tuple[str, ...]) -> list[Case]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        shape = shapes(random, 1 + number % 5)
        order = tuple(int(axis) for axis in random.permutation(len(shape)))
        made.append(case(shape, order, dtypes[number % len(dtypes)]))
    return made


def test_reference_is_tflite_micro() -> None:
    assert_reference(random_cases(1, 150, ("int8", "int16", "float32")), 1)
    assert_reference([case((2, 3, 4, 5), order) for order in permutations(range(4))], 2)


def test_int32_as_tflite() -> None:
    assert_reference(random_cases(2, 20, ("int32",)), 3, oracle="lite")


def test_compiled_is_reference(tmp_path: Path) -> None:
    cases = [case((2, 3, 4, 5), order) for order in permutations(range(4))]
    assert_compiled([*cases, *random_cases(3, 40, ("int8", "int32", "float32"))], tmp_path)


@pytest.mark.parametrize("order", [(0, 1, 3, 2), (0, 2, 1, 3), (0, 3, 1, 2)])
def test_between_convolutions(order: tuple[int, ...], tmp_path: Path) -> None:
    assert_streams(case((1, 5, 4, 6), order), tmp_path)


def test_leading_dimensions_that_stay_make_rows_from_rows() -> None:
    (layer,) = layers_of(case((1, 5, 4, 6), (0, 1, 3, 2)))
    assert (layer.rows, layer.row_bytes, layer.reads[0].contiguous) == (5, 24, False)
    assert [layer.reads[0].needs(y, 5) for y in range(5)] == [(y, y) for y in range(5)]
    (layer,) = layers_of(case((2, 5, 4, 6), (0, 1, 3, 2)))
    assert (layer.rows, layer.reads[0].count) == (10, 1)


def test_other_permutations_read_the_whole_input() -> None:
    (layer,) = layers_of(case((1, 5, 4, 6), (0, 3, 1, 2)))
    assert (layer.rows, layer.row_bytes, layer.reads[0].contiguous) == (6, 20, True)


@pytest.mark.parametrize(
    ("shape", "order"), [((1, 5, 1, 6), (2, 0, 1, 3)), ((4, 1), (1, 0)), ((1, 1, 1), (2, 0, 1)), ((3, 4), (0, 1))]
)
def test_dimensions_of_size_1_move_nothing(shape: tuple[int, ...], order: tuple[int, ...]) -> None:
    assert [layer.op for layer in layers_of(case(shape, order))] == ["COPY"]    # of the input to the output


def test_refusals() -> None:
    def with_order(order: object, out: tuple[int, ...] = (3, 2), shape: tuple[int, ...] = (2, 3)) -> str:
        return refusal(Case("TRANSPOSE", (Data(shape), order), (out,)))

    assert "the permutation [1, 1] of 2 dimensions is not supported (supported: each of them once)" in with_order(
        integers(1, 1)
    )
    assert "the permutation [-1, 0]" in with_order(integers(-1, 0))
    assert "the permutation [2, 0]" in with_order(integers(2, 0))
    assert "a permutation of 3 values" in with_order(integers(1, 0, 2))
    assert "a permutation of type int64" in with_order(integers(1, 0, dtype=np.int64))
    assert "an output of [2, 3] is not supported (supported: [3, 2] here)" in with_order(integers(1, 0), (2, 3))
    assert "permutation computed at run time" in with_order(Data((2,), dtype="int32"))
    assert "a missing permutation" in with_order(None)
    assert "dimensions" in with_order(integers(0, 1, 2, 3, 4, 5), (1, 1, 1, 1, 1, 2), (1, 1, 1, 1, 1, 2))
    assert "an input of shape [0, 3]" in with_order(integers(1, 0), (3, 0), (0, 3))
    assert "an input of type int64" in refusal(case((2, 3), (1, 0), "int64"))
    assert "1 inputs and 1 outputs" in refusal(Case("TRANSPOSE", (Data((2, 3)),), ((3, 2),)))
