"""DEPTH_TO_SPACE: the reference and the compiled C against TFLite Micro, that it streams, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.firmware_export.ops.movements import (
    Case,
    Data,
    assert_compiled,
    assert_reference,
    assert_streams,
    layers_of,
    refusal,
)


def case(shape: tuple[int, int, int, int], block: int, dtype: str = "int8") -> Case:
    batch, height, width, channels = shape
    out = (batch, height * block, width * block, channels // max(1, block * block))
    return Case("DEPTH_TO_SPACE", (Data(shape),), (out,), {"block_size": block}, dtype)


def random_cases(seed: int, count: int, dtypes: tuple[str, ...]) -> list[Case]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        block = int(random.integers(1, 4))
        batch, height, width, channels = (int(size) for size in random.integers(1, 5, 4))
        made.append(case((batch, height, width, channels * block * block), block, dtypes[number % len(dtypes)]))
    return made


def test_reference_is_tflite_micro() -> None:
    assert_reference(random_cases(1, 60, ("int8", "int8", "float32")), 1)


def test_int32_as_tflite() -> None:
    assert_reference(random_cases(2, 10, ("int32",)), 2, oracle="lite")


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled(random_cases(3, 30, ("int8", "int32", "float32")), tmp_path)


def test_between_convolutions(tmp_path: Path) -> None:
    assert_streams(case((1, 5, 4, 8), 2), tmp_path)


def test_the_rows_of_a_block_come_from_one_row_in_one_step() -> None:
    (layer,) = layers_of(case((1, 5, 4, 8), 2))
    assert (layer.rows, layer.row_bytes) == (5, 32)
    assert [layer.reads[0].needs(y, 5) for y in range(5)] == [(y, y) for y in range(5)]


def test_blocks_of_1_move_nothing() -> None:
    assert [layer.op for layer in layers_of(case((1, 5, 4, 8), 1))] == ["COPY"]


def test_refusals() -> None:
    assert "6 channels for blocks of 2x2" in refusal(case((1, 2, 2, 6), 2))
    assert "a block size of 0" in refusal(case((1, 2, 2, 8), 0))
    image = (Data((1, 2, 2, 8)),)
    assert "a block size of -2" in refusal(Case("DEPTH_TO_SPACE", image, ((1, 4, 4, 2),), {"block_size": -2}))
    assert "supported: [1, 4, 4, 2] here" in refusal(
        Case("DEPTH_TO_SPACE", image, ((1, 4, 4, 1),), {"block_size": 2})
    )
    assert "4 dimensions" in refusal(Case("DEPTH_TO_SPACE", (Data((2, 2, 8)),), ((4, 4, 2),), {"block_size": 2}))
    assert "an input of type int16" in refusal(case((1, 2, 2, 8), 2, "int16"))
