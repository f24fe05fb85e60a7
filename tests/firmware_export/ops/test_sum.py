"""SUM against TFLite Micro: the reference, the compiled C in both forms, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_export.errors import ModelError
from firmware_export.ops import check_graph
from firmware_export.tflite import read_model
from tests.firmware_export.c_build import SANITIZED, STRICT, build, build_compiled
from tests.firmware_export.ops.reductions import (
    Case,
    accepted,
    assert_int16_is_tflite_micro,
    assert_reference_is_tflite_micro,
    compiled_accumulating,
    network,
    random_case,
)
from tests.networks import tflite_micro

FLAGS = ("-O1", *STRICT, *SANITIZED)


@pytest.mark.parametrize("rank", range(1, 6))
def test_reference_is_tflite_micro(rank: int) -> None:
    random = np.random.default_rng(20 + rank)
    cases = accepted([random_case(random, "SUM", rank) for _ in range(120)])
    assert len(cases) > 90
    assert_reference_is_tflite_micro(cases, random)


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(31)
    cases = accepted([random_case(random, "SUM", rank) for rank in (1, 2, 3, 4, 4, 5) for _ in range(4)])
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


def test_sums_that_could_leave_int32_are_refused() -> None:
    case = Case("SUM", (1, 64, 64, 1), (1, 2), scales=(3000.0, 1.0))    # 255 * 4096 * 2^12 is above 2^31
    with pytest.raises(ModelError, match="a sum of 4096 elements with a factor near 2\\^12 is not supported"):
        check_graph(read_model(network([case]), "net"))
    check_graph(read_model(network([Case("SUM", (1, 64, 64, 1), (1, 2), scales=(1000.0, 1.0))]), "net"))


def test_int16_is_tflite_micro(tmp_path: Path) -> None:
    assert_int16_is_tflite_micro("SUM", tmp_path)
