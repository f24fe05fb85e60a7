"""RELU_N1_TO_1 against TFLite's reference kernel (TFLite Micro lacks it), the compiled C, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.tflite import read_model
from tests.firmware_export.c_build import build
from tests.firmware_export.evaluation import evaluate
from tests.firmware_export.ops.pointwise import (
    EVERY_BYTE,
    Case,
    Side,
    accepted,
    assert_same,
    every_byte,
    layer_of,
    network,
    random_unary,
    refusal,
)
from tests.networks import Refused, tflite_micro

PLAIN = Case("RELU_N1_TO_1", (Side((1, 4, 3, 2), 0.1, 3),), Side((1, 4, 3, 2), 0.01, -28))
BYTES = EVERY_BYTE.view(np.int8)


def tflite(cases: list[Case]) -> list[Any]:
    """What TFLite's reference kernels make of every byte."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=network(cases), experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], BYTES)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def test_tflite_micro_lacks_it() -> None:
    with pytest.raises(Refused):
        tflite_micro(network([PLAIN]), np.zeros((1, 4, 3, 2), np.int8))


@pytest.mark.parametrize("seed", range(3))
def test_reference_is_tflite(seed: int) -> None:
    random = np.random.default_rng(seed)
    cases = accepted([random_unary(random, "RELU_N1_TO_1") for _ in range(100)])
    assert len(cases) > 60
    assert_same(cases, evaluate(read_model(network(cases)), *[BYTES] * len(cases)), tflite(cases))


def test_compiled_is_tflite(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    cases = [every_byte(PLAIN), every_byte(PLAIN).with_operand(scale=0.01, zero_point=-28)]
    cases += accepted([random_unary(random, "RELU_N1_TO_1") for _ in range(12)])
    assert_same(cases, build(network(cases), tmp_path).run(*[BYTES] * len(cases)), tflite(cases))


def test_the_same_scale_is_a_clip() -> None:
    layer = layer_of(PLAIN.with_operand(scale=0.01, zero_point=-28))
    assert (layer.kernel, layer.fields["low"], layer.fields["high"]) == ("clip", -128, 72)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (PLAIN.with_operand(dtype=np.int16), "an input of type int16 is not supported (supported: int8)"),
        (PLAIN.with_output(dtype=np.uint8), "an output of type uint8 is not supported"),
        (PLAIN.with_output(scale=1e-9), "a factor of 1e+08 between the scales is not supported"),
        (
            PLAIN.with_operand(scale=1e-10).with_output(scale=1e-10),
            "an output with the scale 1e-10 is not supported (supported: scales at which 1 fits into 32 bits)",
        ),
        (PLAIN.with_output(shape=(24,)), "an output of [24] is not supported"),
    ],
)
def test_refusals(case: Case, said: str) -> None:
    assert said in refusal(case)
