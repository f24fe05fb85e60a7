"""BATCH_TO_SPACE_ND: the reference and the compiled C against TFLite Micro, alone and after its opposite; refusals."""

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
    integers,
    layers_of,
    refusal,
)
from tests.networks import Network, tflite_micro


def case(
    shape: tuple[int, ...], block: tuple[int, ...], crops: tuple[tuple[int, int], ...], dtype: str = "int8"
) -> Case:
    inner = tuple(
        size * step - front - behind for size, step, (front, behind) in zip(shape[1:-1], block, crops, strict=True)
    )
    out = (shape[0] // int(np.prod(block)), *inner, shape[-1])
    return Case("BATCH_TO_SPACE_ND", (Data(shape), integers(*block), integers(*crops)), (out,), {}, dtype)


def random_cases(seed: int, count: int, dtypes: tuple[str, ...]) -> list[Case]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        axes = 1 + number % 2
        block = tuple(int(step) for step in random.integers(1, 4, axes))
        inner = tuple(int(size) for size in random.integers(1, 5, axes))
        crops = []
        for size, step in zip(inner, block, strict=True):
            front = int(random.integers(size * step)) if random.random() < 0.6 else 0
            crops.append((front, int(random.integers(size * step - front)) if random.random() < 0.6 else 0))
        batch = int(random.integers(1, 3)) * int(np.prod(block))
        shape = (batch, *inner, int(random.integers(1, 5)))
        made.append(case(shape, block, tuple(crops), dtypes[number % len(dtypes)]))
    return made


def test_reference_is_tflite_micro() -> None:
    assert_reference(random_cases(1, 150, ("int8", "int8", "float32")), 1)


def test_int32_as_tflite() -> None:
    assert_reference(random_cases(2, 20, ("int32",)), 2, oracle="lite")


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled(random_cases(3, 50, ("int8", "int8", "int32", "float32")), tmp_path)


@pytest.mark.parametrize(("block", "size"), [((2, 2), (6, 4)), ((3, 1), (6, 5)), ((1, 2), (3, 8))])
def test_there_and_back_again(block: tuple[int, int], size: tuple[int, int], tmp_path: Path) -> None:
    made = Network()
    image = made.input((1, *size, 3), 0.1, 5)
    steps, none = made.constant(np.array(block, np.int32)), made.constant(np.zeros((2, 2), np.int32))
    small = (block[0] * block[1], size[0] // block[0], size[1] // block[1], 3)
    batch = made.op("SPACE_TO_BATCH_ND", [image, steps, none], small, 0.1, 5)
    again = made.op("BATCH_TO_SPACE_ND", [batch, steps, none], (1, *size, 3), 0.1, 5)
    data = made.pack(again)
    values = np.random.default_rng(1).integers(-128, 128, (1, *size, 3)).astype(np.int8)
    assert np.array_equal(tflite_micro(data, values)[0], values)
    assert np.array_equal(evaluate(read_model(data, "net"), values)[0], values)
    for push in (False, True):
        assert np.array_equal(build(data, tmp_path / str(push), push=push).run(values)[0], values)


def test_a_row_comes_from_a_row_of_each_image_of_the_block() -> None:
    (layer,) = layers_of(case((4, 2, 3, 2), (2, 2), ((0, 0), (0, 0))))
    (read,) = layer.reads
    assert (layer.rows, layer.row_bytes, layer.one_list, read.count, read.step) == (4, 12, True, 2, 2)
    assert read.start == (0, 4, 1, 5)


def test_blocks_of_1_move_nothing() -> None:
    assert [layer.op for layer in layers_of(case((2, 3, 4, 2), (1, 1), ((0, 0), (0, 0))))] == ["COPY"]


def test_refusals() -> None:
    def given(*operands: Any, out: tuple[int, ...] = (1, 4, 4, 3)) -> str:
        return refusal(Case("BATCH_TO_SPACE_ND", operands, (out,)))

    images, block, none = Data((4, 2, 2, 3)), integers(2, 2), integers((0, 0), (0, 0))
    assert "a batch of 4 for blocks of 3x1" in given(images, integers(3, 1), none)
    assert "blocks of [2, -2]" in given(images, integers(2, -2), none)
    assert "the borders [0, -1, 0, 0]" in given(images, block, integers((0, -1), (0, 0)))
    assert "supported: [1, 4, 4, 3] here" in given(images, block, none, out=(1, 4, 3, 3))
    assert "supported: [1, 0, 4, 3] here" in given(images, block, integers((2, 2), (0, 0)))
    assert "an output of shape [1, 0, 4, 3]" in given(images, block, integers((2, 2), (0, 0)), out=(1, 0, 4, 3))
    assert "3 or 4 dimensions" in given(Data((4, 4)), block, none)
    assert "a missing block shape" in given(images, None, none)
    assert "an input of type int16" in refusal(case((4, 2, 2, 3), (2, 2), ((0, 0), (0, 0)), "int16"))
