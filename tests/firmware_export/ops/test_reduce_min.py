"""REDUCE_MIN against TFLite Micro: the reference and the compiled C in both forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.firmware_export.c_build import SANITIZED, STRICT, build, build_compiled
from tests.firmware_export.ops.reductions import (
    accepted,
    assert_reference_is_tflite_micro,
    compiled_accumulating,
    network,
    random_case,
)
from tests.networks import tflite_micro

FLAGS = ("-O1", *STRICT, *SANITIZED)


@pytest.mark.parametrize("rank", range(1, 6))
def test_reference_is_tflite_micro(rank: int) -> None:
    random = np.random.default_rng(60 + rank)
    cases = accepted([random_case(random, "REDUCE_MIN", rank) for _ in range(80)])
    assert len(cases) > 60
    assert_reference_is_tflite_micro(cases, random)


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(71)
    cases = accepted([random_case(random, "REDUCE_MIN", rank) for rank in (1, 2, 3, 4, 4, 5) for _ in range(3)])
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
