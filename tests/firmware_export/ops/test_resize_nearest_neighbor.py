"""RESIZE_NEAREST_NEIGHBOR against TFLite Micro: the reference, the compiled C, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_export.compiler import compile_model
from tests.firmware_export.c_build import build
from tests.firmware_export.ops.common import refusal
from tests.firmware_export.ops.resizes import Case, accepted, assert_reference_is_tflite_micro, network, random_case
from tests.networks import Network, tflite_micro

OP = "RESIZE_NEAREST_NEIGHBOR"


@pytest.mark.parametrize("seed", range(4))
def test_reference_is_tflite_micro(seed: int) -> None:
    random = np.random.default_rng(seed)
    cases = accepted([random_case(random, OP) for _ in range(120)])
    assert len(cases) == 120
    assert_reference_is_tflite_micro(cases, random)


def test_reference_is_tflite_micro_where_float32_rounds() -> None:
    """Long axes, on which many products fall beside the whole number that they stand for."""
    random = np.random.default_rng(5)
    sizes = [(97, 291), (291, 97), (1000, 999), (41, 1681), (127, 889), (500, 3), (3, 500), (255, 1000)]
    cases = [
        Case(OP, (1, first, 1, 1), (second, 1), align, half)
        for first, second in sizes
        for align in (False, True)
        for half in (False, True)
    ]
    assert_reference_is_tflite_micro(cases, random)


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    cases = [random_case(random, OP, 9) for _ in range(24)]
    data = network(cases)
    built = build(data, tmp_path)
    for _ in range(3):
        inputs = [case.sample(random) for case in cases]
        expected = tflite_micro(data, *inputs, outputs=len(cases))
        for case, result, wanted in zip(cases, built.run(*inputs), expected, strict=True):
            assert np.array_equal(result, wanted), case


def test_a_row_is_made_of_one_row() -> None:
    (layer,) = compile_model(network([Case(OP, (1, 3, 4, 2), (6, 8))]), "net", "net").plan.program.layers
    assert layer.reads[0].start == (0, 0, 1, 1, 2, 2) and layer.reads[0].count == 1


@pytest.mark.parametrize("align", [False, True])
def test_the_same_size_is_nothing(align: bool, tmp_path: Path) -> None:
    case = Case(OP, (2, 3, 4, 2), (3, 4), align)
    built = build(network([case]), tmp_path)
    assert [layer.op for layer in built.compiled.plan.program.layers] == ["COPY"]    # of the input, into the output
    values = case.sample(np.random.default_rng(1))
    assert np.array_equal(built.run(values)[0], tflite_micro(network([case]), values)[0])


def test_refusals() -> None:
    assert "an input of shape [4, 4, 2]" in refusal(_network(shape=(4, 4, 2)))
    assert "an input of type float32" in refusal(_network(dtype=np.float32))
    assert "a size of shape [3]" in refusal(_network(size=np.array([8, 8, 8], np.int32)))
    assert "a size of type int64" in refusal(_network(size=np.array([8, 8], np.int64)))
    assert "a resize from [1, 4, 4, 2] to 0x8" in refusal(_network(size=np.array([0, 8], np.int32)))
    assert "to -8x8" in refusal(_network(size=np.array([-8, 8], np.int32)))
    assert "to 8x20000 is not supported (supported: heights and widths of 1 to 16384)" in refusal(
        _network(size=np.array([8, 20000], np.int32))
    )
    assert "an output of [1, 8, 8, 2] is not supported (supported: [1, 8, 9, 2] here)" in refusal(
        _network(size=np.array([8, 9], np.int32))
    )


def test_a_size_computed_at_run_time_is_refused() -> None:
    made = Network()
    image, size = made.input((1, 4, 4, 2), 0.1), made.input((2,), dtype=np.int32)
    assert "size computed at run time" in refusal(made.pack(made.op(OP, [image, size], (1, 8, 8, 2), 0.1)))


def _network(shape: tuple[int, ...] = (1, 4, 4, 2), size: object = None, dtype: object = np.int8) -> bytes:
    made = Network()
    image = made.input(shape, 0.1, dtype=dtype)
    constant = made.constant(np.array([8, 8], np.int32) if size is None else size)
    return made.pack(made.op(OP, [image, constant], (1, 8, 8, 2), 0.1, dtype=dtype))
