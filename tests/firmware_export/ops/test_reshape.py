"""RESHAPE: as converters write it, against TFLite Micro; that nothing moves; and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.ops import OPS
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

FORMS: list[Case] = [
    Case("RESHAPE", (Data((2, 6)), integers(3, 4)), ((3, 4),)),
    Case("RESHAPE", (Data((2, 6)), integers(3, -1)), ((3, 4),)),
    Case("RESHAPE", (Data((2, 6)), integers(-1, 4)), ((3, 4),), {"new_shape": (3, 4)}),
    Case("RESHAPE", (Data((2, 6)),), ((3, 4),), {"new_shape": (3, -1)}),
    Case("RESHAPE", (Data((2, 6)),), ((3, 4),)),
    Case("RESHAPE", (Data((1, 3, 2, 2)),), ((1, 2, 1, 3, 2),)),
    Case("RESHAPE", (Data((1, 1)),), ((),)),
    Case("RESHAPE", (Data(()),), ((1, 1, 1),)),
    Case("RESHAPE", (Data((4, 3)),), ((12,),), dtype="int32"),
    Case("RESHAPE", (Data((4, 3)),), ((12,),), dtype="float32"),
    Case("RESHAPE", (Data((4, 3), quant=(0.9, 3)),), ((12,),)),
]


def test_reference_is_tflite_micro() -> None:
    assert_reference(FORMS, 1)


def test_compiled_is_reference(tmp_path: Path) -> None:
    assert_compiled(FORMS, tmp_path)


def test_nothing_moves() -> None:
    assert OPS["RESHAPE"].alias
    assert {layer.op for layer in layers_of(*FORMS)} == {"COPY"}    # of inputs to outputs


def test_a_shape_computed_at_run_time_is_that_of_the_output(tmp_path: Path) -> None:
    made = Network()
    image, shape = made.input((1, 2, 6), 0.1), made.input((2,), dtype=np.int32)
    data = made.pack(made.op("RESHAPE", [image, shape], (1, 12), 0.1))
    inputs = (np.arange(12, dtype=np.int8).reshape(1, 2, 6), np.array([1, 12], np.int32))
    expected = tflite_micro(data, *inputs)[0]
    assert np.array_equal(evaluate(read_model(data, "net"), *inputs)[0], expected)
    assert np.array_equal(build(data, tmp_path).run(*inputs)[0], expected)


@pytest.mark.parametrize(("shape", "out"), [((1, 6, 4, 3), (1, 3, 8, 3)), ((1, 6, 4, 3), (1, 12, 2, 3))])
def test_rows_of_another_size_between_convolutions(shape: Any, out: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    made = Network()
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1}

    def convolved(image: int, result: Any) -> int:
        weights = made.constant(random.integers(-127, 128, (3, 3, 3, 3)).astype(np.int8), 0.02)
        return made.op("CONV_2D", [image, weights, -1], result, 0.1, 4, **options)

    first = convolved(made.input(shape, 0.1, 4), shape)
    data = made.pack(convolved(made.op("RESHAPE", [first], out, 0.1, 4), out))
    for push in (False, True):
        built = build(data, tmp_path / str(push), push=push)
        values = random.integers(-128, 128, shape).astype(np.int8)
        assert np.array_equal(built.run(values)[0], tflite_micro(data, values)[0])


def test_refusals() -> None:
    assert "an output of [5] for an input of [2, 3] is not supported (supported: as many elements)" in refusal(
        Case("RESHAPE", (Data((2, 3)),), ((5,),))
    )
    assert "an output of type int8 is not supported (supported: int32)" in refusal(
        Case("RESHAPE", (Data((2, 3), dtype="int32"),), ((6,),))
    )
    assert "an input of shape [2, 0]" in refusal(Case("RESHAPE", (Data((2, 0)),), ((0,),)))
    shape = integers(3, 2, dtype=np.int16)
    assert "a shape of type int16" in refusal(Case("RESHAPE", (Data((2, 3)), shape), ((3, 2),)))
    assert "a missing input" in refusal(Case("RESHAPE", (None,), ((6,),)))
    assert "0 inputs" in refusal(Case("RESHAPE", (), ((6,),)))
    assert "1 inputs and 2 outputs" in refusal(Case("RESHAPE", (Data((2, 3)),), ((6,), (6,))))
