"""RESIZE_BILINEAR against TFLite Micro: the reference, the compiled C, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_export.compiler import compile_model
from firmware_export.ops import check_graph
from firmware_export.tflite import read_model
from tests.firmware_export.c_build import build
from tests.firmware_export.ops import common
from tests.firmware_export.ops.resizes import Case, accepted, assert_reference_is_tflite_micro, network, random_case
from tests.networks import Refused, tflite_micro

OP = "RESIZE_BILINEAR"


@pytest.mark.parametrize("seed", range(4))
def test_reference_is_tflite_micro(seed: int) -> None:
    random = np.random.default_rng(seed)
    cases = accepted([random_case(random, OP) for _ in range(120)])
    assert len(cases) > 110
    assert_reference_is_tflite_micro(cases, random)


def test_reference_is_tflite_micro_on_long_axes() -> None:
    """Where the rounded step has gone astray by more than a pixel."""
    random = np.random.default_rng(5)
    sizes = [(97, 291), (291, 97), (1000, 999), (500, 3), (3, 500), (255, 1000), (64, 1023), (700, 1400)]
    flags = [(False, False), (True, False), (False, True)]
    cases = [Case(OP, (1, 1, first, 1), (1, second), *pair) for first, second in sizes for pair in flags]
    cases += [Case(OP, (1, first, 1, 1), (second, 1), *pair) for first, second in sizes for pair in flags]
    cases = accepted(cases)
    assert len(cases) > 30
    assert_reference_is_tflite_micro(cases, random)


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    cases = accepted([random_case(random, OP, 9) for _ in range(16)])
    cases.append(Case(OP, (1, 8, 8, 2), (4, 4)))
    assert len(cases) > 12
    data = network(cases)
    built = build(data, tmp_path)
    for _ in range(3):
        inputs = [case.sample(random) for case in cases]
        expected = tflite_micro(data, *inputs, outputs=len(cases))
        for case, result, wanted in zip(cases, built.run(*inputs), expected, strict=True):
            assert np.array_equal(result, wanted), case


def test_a_row_is_made_of_two_rows_or_of_one() -> None:
    cases = [Case(OP, (1, 3, 4, 2), (6, 8), half_pixel_centers=True), Case(OP, (1, 6, 4, 2), (3, 2))]
    up, down = compile_model(network(cases), "net", "net").plan.program.layers
    assert up.reads[0].start == (0, 0, 0, 1, 1, 2) and up.reads[0].count == 2
    assert down.reads[0].start == (0, 2, 4) and down.reads[0].count == 1


@pytest.mark.parametrize("align", [False, True])
def test_the_same_size_is_nothing(align: bool, tmp_path: Path) -> None:
    case = Case(OP, (2, 3, 4, 2), (3, 4), align)
    built = build(network([case]), tmp_path)
    assert [layer.op for layer in built.compiled.plan.program.layers] == ["COPY"]    # of the input, into the output
    values = case.sample(np.random.default_rng(1))
    assert np.array_equal(built.run(values)[0], tflite_micro(network([case]), values)[0])


def refusal(case: Case) -> str:
    return common.refusal(network([case]))


def test_both_flags_are_refused_as_by_tflite_micro() -> None:
    case = Case(OP, (1, 3, 4, 2), (6, 8), True, True)
    with pytest.raises(Refused):
        tflite_micro(network([case]), np.zeros((1, 3, 4, 2), np.int8))
    assert "align_corners together with half_pixel_centers is not supported" in refusal(case)


def test_sizes_with_which_tflite_micro_reads_behind_the_image_are_refused() -> None:
    # A step of 1024 / 120 = 8.53 is rounded to 9; the last place, 119 * 9 = 1071, belongs to pixel 1 of 1.
    assert "a resize of 1 to 120 pixels, whose rounded step leaves the image, is not supported" in refusal(
        Case(OP, (1, 1, 4, 2), (120, 8))
    )
    assert "a resize of 1 to 120 pixels" in refusal(Case(OP, (1, 4, 1, 2), (8, 120)))
    check_graph(read_model(network([Case(OP, (1, 1, 4, 2), (113, 8))])))    # 112 * 9 = 1008
