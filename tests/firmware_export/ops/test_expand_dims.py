"""EXPAND_DIMS: against TFLite Micro, that nothing moves, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

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


def case(shape: tuple[int, ...], axis: int, dtype: str = "int8", told: Any = None) -> Case:
    at = axis % (len(shape) + 1)
    operands = (Data(shape), integers(axis) if told is None else told)
    return Case("EXPAND_DIMS", operands, ((*shape[:at], 1, *shape[at:]),), {}, dtype)


CASES: list[Case] = [case((2, 3, 4), axis) for axis in range(-4, 4)] + [
    case((), 0),
    case((5,), -1, "float32"),
    case((5,), 0, told=np.array(0, np.int32)),
    case((1, 2, 3, 2), 4),
]
BEYOND: list[Case] = [case((5,), 1, told=integers(1, dtype=np.int64)), case((3, 2), 1, "int32")]
"""TFLite Micro takes no int32 elements and no int64 axis."""


def test_reference_is_tflite_micro() -> None:
    assert_reference(CASES, 1)


def test_other_types_as_tflite() -> None:
    assert_reference(BEYOND, 2, oracle="lite")


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled([*CASES, *BEYOND], tmp_path)


def test_nothing_moves() -> None:
    assert OPS["EXPAND_DIMS"].alias
    assert {layer.op for layer in layers_of(*CASES)} == {"COPY"}


def test_refusals() -> None:
    assert "axis 3 of 3 dimensions is not supported (supported: -3 to 2)" in refusal(
        Case("EXPAND_DIMS", (Data((2, 3)), integers(3)), ((2, 3, 1),))
    )
    assert "supported: [2, 1, 3] here" in refusal(Case("EXPAND_DIMS", (Data((2, 3)), integers(1)), ((2, 3, 1),)))
    assert "an axis of 2 values" in refusal(Case("EXPAND_DIMS", (Data((2, 3)), integers(1, 1)), ((2, 1, 3),)))
    assert "an axis of type int16" in refusal(case((2, 3), 1, told=integers(1, dtype=np.int16)))
    assert "axis computed at run time" in refusal(case((2, 3), 1, told=Data((1,), dtype="int32")))
    assert "1 inputs" in refusal(Case("EXPAND_DIMS", (Data((2, 3)),), ((2, 3, 1),)))
