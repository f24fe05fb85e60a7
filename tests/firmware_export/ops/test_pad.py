"""PAD: the reference and the compiled C against TFLite Micro, that it streams, and what is refused."""

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
    shape: tuple[int, ...],
    paddings: Any,
    dtype: str = "int8",
    out_quant: tuple[float | None, int] = (0.05, -11),
    numbers: Any = np.int32,
) -> Case:
    out = tuple(front + size + behind for size, (front, behind) in zip(shape, paddings, strict=True))
    return Case("PAD", (Data(shape), integers(*paddings, dtype=numbers)), (out,), {}, dtype, out_quant)


def random_cases(seed: int, count: int) -> list[Case]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        shape = shapes(random, 1 + number % 5, 4)
        paddings = np.where(random.random((len(shape), 2)) < 0.5, 0, random.integers(0, 4, (len(shape), 2)))
        dtype = ("int8", "int8", "int16", "int32", "float32")[int(random.integers(5))]
        quant = (0.2, int(random.choice([-128, 127, 0, 55])))
        made.append(case(shape, paddings.tolist(), dtype, quant))
    return made


def test_reference_is_tflite_micro() -> None:
    assert_reference(random_cases(1, 200), 1)


def test_int64_paddings_as_tflite() -> None:
    cases = [case((1, 3, 4), ((0, 0), (2, 1), (1, 0)), numbers=np.int64), case((2,), ((1, 3),), numbers=np.int64)]
    assert_reference(cases, 2, oracle="lite")


def test_without_quantization_the_border_is_0_as_in_tflite_micro() -> None:
    assert_reference([case((2, 3), ((1, 0), (0, 2)), out_quant=(None, 0))], 3)


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled(random_cases(2, 60), tmp_path)


@pytest.mark.parametrize(
    "paddings",
    [((0, 0), (1, 2), (0, 0), (0, 0)), ((0, 0), (3, 0), (1, 2), (0, 0)), ((0, 0), (0, 1), (2, 0), (1, 1))],
)
def test_between_convolutions(paddings: Any, tmp_path: Path) -> None:
    assert_streams(case((1, 5, 4, 3), paddings), tmp_path)


def test_rows_above_and_below_read_nothing() -> None:
    (layer,) = layers_of(case((1, 3, 4, 2), ((0, 0), (2, 1), (1, 1), (0, 0))))
    assert (layer.rows, layer.row_bytes) == (6, 12)
    assert [layer.reads[0].needs(y, 3) for y in range(6)] == [None, None, (0, 0), (1, 1), (2, 2), None]


def test_nothing_to_pad_moves_nothing() -> None:
    assert [layer.op for layer in layers_of(case((1, 3, 4), ((0, 0),) * 3))] == ["COPY"]


def test_refusals() -> None:
    negative = refusal(case((2, 3), ((0, 0), (-1, 1))))
    assert "the paddings [0, 0, -1, 1] is not supported" in negative
    assert "paddings that are not negative). Use SLICE to cut." in negative
    assert "a paddings tensor of 2 values" in refusal(Case("PAD", (Data((2, 3)), integers(0, 0)), ((2, 3),)))
    assert "a paddings tensor of type int16" in refusal(case((2, 3), ((0, 0), (1, 1)), numbers=np.int16))
    assert "paddings tensor computed at run time" in refusal(
        Case("PAD", (Data((2, 3)), Data((2, 2), dtype="int32")), ((2, 3),))
    )
    assert "supported: [2, 5] here" in refusal(
        Case("PAD", (Data((2, 3)), integers((0, 0), (1, 1))), ((2, 4),))
    )
    assert "the zero point 128" in refusal(case((2, 3), ((0, 0), (1, 1)), out_quant=(0.1, 128)))
    assert "an input of type int64" in refusal(case((2, 3), ((0, 0), (1, 1)), "int64"))
    assert "dimensions" in refusal(case((1, 1, 1, 1, 1, 2), ((0, 1),) * 6))
    assert "1 inputs" in refusal(Case("PAD", (Data((2, 3)),), ((2, 3),)))
