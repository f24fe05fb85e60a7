"""SPACE_TO_BATCH_ND: the reference and the compiled C against TFLite Micro (with padding: TFLite); what is refused."""

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
    integers,
    layers_of,
    refusal,
)


def case(
    shape: tuple[int, ...],
    block: tuple[int, ...],
    paddings: tuple[tuple[int, int], ...],
    dtype: str = "int8",
    out: tuple[int, ...] | None = None,
) -> Case:
    inner = tuple(
        (front + size + behind) // step
        for size, step, (front, behind) in zip(shape[1:-1], block, paddings, strict=True)
    )
    result = (shape[0] * int(np.prod(block)), *inner, shape[-1]) if out is None else out
    return Case("SPACE_TO_BATCH_ND", (Data(shape), integers(*block), integers(*paddings)), (result,), {}, dtype)


def random_cases(seed: int, count: int, padded: bool, dtypes: tuple[str, ...]) -> list[Case]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        axes = 1 + number % 2
        block = tuple(int(step) for step in random.integers(1, 4, axes))
        inner = tuple(int(size) * step for size, step in zip(random.integers(1, 4, axes), block, strict=True))
        paddings = [(0, 0)] * axes
        if padded:    # the image gets smaller, so that the blocks divide it with its padding
            sizes = []
            for axis, size in enumerate(inner):
                front, behind = int(random.integers(size)), int(random.integers(3))
                paddings[axis] = (front, behind + (-behind) % block[axis])
                sizes.append(size - front)
            inner = tuple(sizes)
        shape = (int(random.integers(1, 3)), *inner, int(random.integers(1, 5)))
        made.append(case(shape, block, tuple(paddings), dtypes[number % len(dtypes)]))
    return made


def test_reference_is_tflite_micro() -> None:
    assert_reference(random_cases(1, 100, False, ("int8", "int8", "float32")), 1)


def test_padding_as_tflite() -> None:
    assert_reference(random_cases(2, 100, True, ("int8", "int8", "float32", "int32")), 2, oracle="lite")


def test_compiled_is_reference(tmp_path: Path) -> None:
    types = ("int8", "int8", "int32", "float32")
    assert_compiled([*random_cases(3, 25, True, types), *random_cases(4, 25, False, types)], tmp_path)


def test_each_row_comes_from_one_row_or_none() -> None:
    (layer,) = layers_of(case((1, 3, 4, 2), (2, 2), ((1, 0), (0, 2))))
    assert (layer.rows, layer.row_bytes) == (8, 6)
    assert [layer.reads[0].needs(y, 3) for y in range(8)] == [
        None, (1, 1), None, (1, 1), (0, 0), (2, 2), (0, 0), (2, 2)
    ]    # fmt: skip


def test_blocks_of_1_move_nothing() -> None:
    assert [layer.op for layer in layers_of(case((2, 3, 4, 2), (1, 1), ((0, 0), (0, 0))))] == ["COPY"]


@pytest.mark.parametrize("value", [128, -129])
def test_zero_points_outside_int8_are_refused(value: int) -> None:
    good = case((1, 2, 2, 1), (2, 2), ((0, 0), (0, 0)))
    bad = Case(good.op, good.operands, good.outputs, out_quant=(0.1, value))
    assert f"an output with the zero point {value}" in refusal(bad)


def test_refusals() -> None:
    def given(*operands: Any, out: tuple[int, ...] = (4, 2, 2, 3)) -> str:
        return refusal(Case("SPACE_TO_BATCH_ND", operands, (out,)))

    image, block, none = Data((1, 4, 4, 3)), integers(2, 2), integers((0, 0), (0, 0))
    assert "blocks of [0, 2]" in given(image, integers(0, 2), none)
    assert "the borders [0, 0, -1, 1]" in given(image, block, integers((0, 0), (-1, 1)))
    assert "blocks of 3x2 in 4x4 with padding" in given(image, integers(3, 2), none)
    assert "supported: [4, 2, 2, 3] here" in given(image, block, none, out=(4, 2, 2, 4))
    assert "a block shape of 1 values" in given(image, integers(2), none)
    assert "a block shape of type int64" in given(image, integers(2, 2, dtype=np.int64), none)
    assert "a borders tensor of 2 values" in given(image, block, integers(0, 0))
    assert "block shape computed" in given(image, Data((2,), dtype="int32"), none)
    assert "3 or 4 dimensions" in given(Data((4, 4)), block, none)
    assert "3 or 4 dimensions" in given(Data((1, 2, 4, 4, 3)), block, none)
    assert "2 inputs" in given(image, block)
    assert "an input of type int16" in refusal(case((1, 2, 2, 1), (2, 2), ((0, 0), (0, 0)), "int16"))
