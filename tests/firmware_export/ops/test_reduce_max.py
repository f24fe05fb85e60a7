"""REDUCE_MAX against TFLite Micro: the reference, the compiled C in both forms, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_export.compiler import compile_model
from firmware_export.errors import ModelError
from firmware_export.ops import check_graph
from firmware_export.tflite import read_model
from tests.firmware_export.c_build import SANITIZED, STRICT, build, build_compiled
from tests.firmware_export.ops.reductions import (
    Case,
    accepted,
    assert_reference_is_tflite_micro,
    compiled_accumulating,
    network,
    random_case,
)
from tests.networks import Refused, tflite_micro

FLAGS = ("-O1", *STRICT, *SANITIZED)


@pytest.mark.parametrize("rank", range(1, 6))
def test_reference_is_tflite_micro(rank: int) -> None:
    random = np.random.default_rng(40 + rank)
    cases = accepted([random_case(random, "REDUCE_MAX", rank) for _ in range(120)])
    assert len(cases) > 100
    assert_reference_is_tflite_micro(cases, random)


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(51)
    cases = accepted([random_case(random, "REDUCE_MAX", rank) for rank in (1, 2, 3, 4, 4, 5) for _ in range(4)])
    cases.append(Case("REDUCE_MAX", (1, 5, 4, 7), (1, 2), False))
    data = network(cases)
    forms = (
        build(data, tmp_path / "whole"),
        build_compiled(compiled_accumulating(data), tmp_path / "sums", flags=FLAGS),
    )
    for _ in range(3):
        inputs = [case.sample(random) for case in cases]
        expected = tflite_micro(data, *inputs, outputs=len(cases))
        for built in forms:
            for case, result, wanted in zip(cases, built.run(*inputs), expected, strict=True):
                assert np.array_equal(result, wanted.reshape(result.shape)), case


def test_global_pooling_takes_a_row_at_a_time_with_a_byte_for_each_channel() -> None:
    compiled = compile_model(network([Case("REDUCE_MAX", (1, 7, 5, 13), (1, 2))]), "net", "net")
    (layer,) = compiled.plan.program.layers
    streamed = layer.accumulating or layer
    assert (streamed.steps, streamed.rows, streamed.sums_bytes, streamed.takes_row) == (7, 1, 16, True)


def test_axes_of_one_pixel_are_nothing() -> None:
    compiled = compile_model(network([Case("REDUCE_MAX", (1, 6, 1, 3), (0, 2))]), "net", "net")
    assert [layer.op for layer in compiled.plan.program.layers] == ["COPY"]    # of the input, into the output


@pytest.mark.parametrize(("scales", "zero_points"), [((0.1, 0.2), (0, 0)), ((0.1, 0.1), (0, 1))])
def test_an_output_of_another_quantization_is_refused_as_by_tflite_micro(
    scales: tuple[float, float], zero_points: tuple[int, int]
) -> None:
    data = network([Case("REDUCE_MAX", (1, 3, 3, 2), (1,), True, scales, zero_points)])
    with pytest.raises(Refused):
        tflite_micro(data, np.zeros((1, 3, 3, 2), np.int8))
    with pytest.raises(ModelError, match="an output of another scale or zero point is not supported"):
        check_graph(read_model(data, "net"))
