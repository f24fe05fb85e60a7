"""STRIDED_SLICE: the reference and the compiled C against TFLite Micro, that it streams, and what is refused."""

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

Part = Any
"""A slice or a position, as between the brackets of ``x[...]``."""


def case(shape: tuple[int, ...], parts: tuple[Part, ...], dtype: str = "int8", out: Any = None) -> Case:
    """``x[parts]``."""
    begins, ends, strides = [], [], []
    masks = {"begin_mask": 0, "end_mask": 0, "shrink_axis_mask": 0}
    for position, part in enumerate(parts):
        begin, end, stride = 0, 1, 1
        if isinstance(part, slice):
            masks["begin_mask"] |= (part.start is None) << position
            masks["end_mask"] |= (part.stop is None) << position
            begin, end, stride = part.start or 0, part.stop or 0, 1 if part.step is None else part.step
        else:
            masks["shrink_axis_mask"] |= 1 << position
            begin, end = part, part + 1
        begins.append(begin)
        ends.append(end)
        strides.append(stride)
    shape_of_result = np.zeros(shape)[parts].shape if out is None else out
    operands = (Data(shape), integers(*begins), integers(*ends), integers(*strides))
    return Case("STRIDED_SLICE", operands, (shape_of_result,), masks, dtype)


def random_part(random: np.random.Generator, size: int) -> Part:
    if random.random() < 0.2:
        return int(random.integers(-size, size))
    ends = [None if random.random() < 0.4 else int(random.integers(-size - 2, size + 3)) for _ in "be"]
    stride = int(random.choice([1, 1, 1, 2, 3, -1, -2]))
    return slice(*ends, stride)


def random_cases(seed: int, count: int, deepest: int) -> list[Case]:
    random = np.random.default_rng(seed)
    made: list[Case] = []
    while len(made) < count:
        shape = shapes(random, 1 + len(made) % deepest, 6)
        parts = tuple(random_part(random, size) for size in shape)
        if np.zeros(shape)[parts].size:
            made.append(case(shape, parts, ("int8", "int16", "int32", "float32")[len(made) % 4]))
    return made


def test_reference_is_tflite_micro() -> None:
    assert_reference(random_cases(1, 250, 4), 1)


def test_five_dimensions_as_tflite() -> None:
    assert_reference(random_cases(2, 50, 5), 2, oracle="lite")


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled(random_cases(4, 60, 5), tmp_path)


@pytest.mark.parametrize(
    "parts",
    [
        (slice(None), slice(1, None, 2), slice(None), slice(None)),
        (slice(None), slice(None), slice(0, 5, 3), slice(1, None)),
        (slice(None), slice(None, None, -1), slice(None, None, -1), slice(None, None, -2)),
    ],
)
def test_between_convolutions(parts: tuple[Part, ...], tmp_path: Path) -> None:
    assert_streams(case((1, 6, 5, 6), parts), tmp_path)


def test_each_row_comes_from_one_row() -> None:
    (layer,) = layers_of(case((1, 7, 5, 4), (slice(None), slice(1, None, 2), slice(None, None, -1), slice(None))))
    assert (layer.rows, layer.row_bytes) == (3, 20)
    assert [layer.reads[0].needs(y, 7) for y in range(3)] == [(1, 1), (3, 3), (5, 5)]


def test_the_last_step_of_a_sequence_is_a_copy_of_one_row() -> None:
    (layer,) = layers_of(case((1, 7, 5), (slice(None), -1, slice(None))))
    assert (layer.rows, layer.row_bytes, layer.kernel, layer.reads[0].start) == (1, 5, "copy", (6,))


def test_all_of_it_moves_nothing() -> None:
    assert [layer.op for layer in layers_of(case((1, 7, 5), (0, slice(None), slice(None))))] == ["COPY"]


def test_open_ends_win_over_vanishing_as_in_tflite_micro() -> None:
    given = case((4, 3), (2, slice(None)))
    masks = {**given.options, "begin_mask": 3}
    assert_reference([Case(given.op, given.operands, given.outputs, masks)], 5)


def test_positions_in_front_are_clamped_as_in_tflite_micro() -> None:
    operands = (Data((4, 3)), integers(-9, 0), integers(0, 3), integers(1, 1))
    masks = {"shrink_axis_mask": 1}
    assert_reference([Case("STRIDED_SLICE", operands, ((3,),), masks)], 6)


def test_refusals() -> None:
    whole = slice(None)
    assert "2:2:1 of 4 positions is not supported (supported: slices with elements" in refusal(
        case((4, 3), (slice(2, 2), whole))
    )
    operands = (Data((4, 3)), integers(4, 0), integers(5, 3), integers(1, 1))
    assert "4:5:1 of 4 positions" in refusal(Case("STRIDED_SLICE", operands, ((3,),), {"shrink_axis_mask": 1}))
    backwards = (Data((4, 3)), integers(2, 0), integers(1, 3), integers(-1, 1))
    assert "the stride -1" in refusal(Case("STRIDED_SLICE", backwards, ((3,),), {"shrink_axis_mask": 1}))
    zero = (Data((4, 3)), integers(0, 0), integers(1, 3), integers(1, 0))
    assert "the stride 0" in refusal(Case("STRIDED_SLICE", zero, ((1, 3),)))
    simple = (Data((4, 3)), integers(0, 0), integers(2, 3), integers(1, 1))
    assert "supported: [2, 3] here" in refusal(Case("STRIDED_SLICE", simple, ((2, 2),)))
    for name in ("ellipsis_mask", "new_axis_mask", "offset"):
        bad = Case("STRIDED_SLICE", simple, ((2, 3),), {name: 1})
        assert f"{name} 1 is not supported (supported: 0)" in refusal(bad)
    many = (Data((4,)), integers(0, 0), integers(2, 3), integers(1, 1))
    assert "a begin tensor of 2 values" in refusal(Case("STRIDED_SLICE", many, ((2, 2),)))
    uneven = (Data((4, 3)), integers(0, 0), integers(2), integers(1, 1))
    assert "an end tensor of 1 values" in refusal(Case("STRIDED_SLICE", uneven, ((2, 3),)))
    computed = (Data((4, 3)), Data((2,), dtype="int32"), integers(2, 3), integers(1, 1))
    assert "begin tensor computed at run time" in refusal(Case("STRIDED_SLICE", computed, ((2, 3),)))
    assert "an input of type int64" in refusal(case((4, 3), (whole, whole), "int64"))
    assert "dimensions" in refusal(case((1, 1, 1, 1, 1, 2), (whole,) * 6))
