"""Nodes that give back what they are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_export.passes.remove_dead import remove_dead
from firmware_export.passes.remove_identity import remove_identity
from tests.firmware_export.passes.support import (
    assert_changes_no_bit,
    assert_compiled_is_tflite_micro,
    ops,
    prepared,
)
from tests.networks import Network

SHAPE = (2, 3, 4)


Shape = tuple[int, ...]


def transposed(made: Network, source: int, shape: Shape, order: Shape) -> tuple[int, Shape]:
    out = tuple(shape[axis] for axis in order)
    return made.op("TRANSPOSE", [source, made.constant(np.array(order, np.int32))], out, 0.1, 5), out


@pytest.mark.parametrize(("scale", "zero_point"), [(0.1, 5), (1e-6, -128), (3e4, 127)])
def test_quantize_to_the_same_scale_is_nothing(scale: float, zero_point: int, tmp_path: Path) -> None:
    made = Network()
    image = made.input(SHAPE, scale, zero_point)
    same = made.op("QUANTIZE", [image], SHAPE, scale, zero_point)
    data = made.pack(same, made.op("QUANTIZE", [same], SHAPE, scale * 1.25, zero_point))
    assert ops(assert_changes_no_bit(remove_identity, prepared(data))) == ["RESHAPE", "QUANTIZE"]
    assert_compiled_is_tflite_micro(data, tmp_path)


@pytest.mark.parametrize("quant", [(0.1, 6), (0.100001, 5)])
def test_quantize_to_another_scale_or_zero_point_stays(quant: tuple[float, int]) -> None:
    made = Network()
    graph = prepared(made.pack(made.op("QUANTIZE", [made.input(SHAPE, 0.1, 5)], SHAPE, *quant)))
    assert remove_identity(graph) is graph


def test_two_transposes_are_one(tmp_path: Path) -> None:
    made = Network()
    first, shape = transposed(made, made.input(SHAPE, 0.1, 5), SHAPE, (1, 2, 0))
    second, shape = transposed(made, first, shape, (0, 2, 1))
    third, _ = transposed(made, second, shape, (2, 1, 0))
    data = made.pack(third)
    changed = remove_dead(assert_changes_no_bit(remove_identity, prepared(data)))
    assert ops(changed) == ["TRANSPOSE"] and changed.nodes[0].inputs[0] == 0
    assert_compiled_is_tflite_micro(data, tmp_path)


def test_two_transposes_that_undo_each_other_are_nothing(tmp_path: Path) -> None:
    made = Network()
    first, shape = transposed(made, made.input(SHAPE, 0.1, 5), SHAPE, (1, 2, 0))
    second, shape = transposed(made, first, shape, (2, 0, 1))
    assert shape == SHAPE
    data = made.pack(first, second)
    assert ops(assert_changes_no_bit(remove_identity, prepared(data))) == ["TRANSPOSE", "RESHAPE"]
    assert_compiled_is_tflite_micro(data, tmp_path)
