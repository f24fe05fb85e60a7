"""SQUEEZE: against TFLite Micro, that nothing moves, and what is refused."""

from __future__ import annotations

from pathlib import Path

from firmware_export.ops import OPS
from tests.firmware_export.ops.movements import (
    Case,
    Data,
    assert_compiled,
    assert_reference,
    integers,
    layers_of,
    refusal,
)


def case(shape: tuple[int, ...], dims: tuple[int, ...], out: tuple[int, ...], dtype: str = "int8") -> Case:
    return Case("SQUEEZE", (Data(shape),), (out,), {"squeeze_dims": dims}, dtype)


CASES: list[Case] = [
    case((1, 5, 1, 3), (), (5, 3)),
    case((1, 5, 1, 3), (2,), (1, 5, 3)),
    case((1, 5, 1, 3), (-2, 0), (5, 3)),
    case((1, 5, 1, 3), (2, -2), (1, 5, 3)),
    case((1, 1), (), ()),
    case((4, 2), (), (4, 2)),
    case((1, 5, 1, 1, 3), (3,), (1, 5, 1, 3), "int32"),
    case((1, 5, 1), (0, 2), (5,), "float32"),
]


def test_reference_is_tflite_micro() -> None:
    assert_reference(CASES, 1)


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled(CASES, tmp_path)


def test_nothing_moves() -> None:
    assert OPS["SQUEEZE"].alias
    assert {layer.op for layer in layers_of(*CASES)} == {"COPY"}


def test_refusals() -> None:
    assert "squeezing the axes [1] of [1, 5] is not supported (supported: axes of size 1)" in refusal(
        case((1, 5), (1,), (5,))
    )
    assert "an output of [5] for an input of [1, 4]" in refusal(case((1, 4), (0,), (5,)))
    assert "an output of [2, 2] is not supported (supported: [4] here)" in refusal(case((1, 4), (0,), (2, 2)))
    assert "axis 2 of 2 dimensions" in refusal(case((1, 5), (2,), (5,)))
    assert "2 inputs" in refusal(Case("SQUEEZE", (Data((1, 5)), integers(0)), ((5,),)))
    assert "a missing input" in refusal(Case("SQUEEZE", (None,), ((5,),)))
