"""MEAN against TFLite Micro: the reference, the compiled C in both forms, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_export.compiler import compile_model
from tests.firmware_export.c_build import SANITIZED, STRICT, build, build_compiled
from tests.firmware_export.ops.common import refusal
from tests.firmware_export.ops.reductions import (
    Case,
    accepted,
    assert_int16_is_tflite_micro,
    assert_reference_is_tflite_micro,
    compiled_accumulating,
    network,
    random_case,
)
from tests.networks import Network, tflite_micro

FLAGS = ("-O1", *STRICT, *SANITIZED)
GLOBAL_POOL = Case("MEAN", (1, 7, 5, 13), (1, 2), False, (0.02, 0.015), (-128, 7))


@pytest.mark.parametrize("rank", range(1, 6))
def test_reference_is_tflite_micro(rank: int) -> None:
    random = np.random.default_rng(rank)
    cases = accepted([random_case(random, "MEAN", rank) for _ in range(160)])
    assert len(cases) > 120
    assert_reference_is_tflite_micro(cases, random)


def test_reference_is_tflite_micro_for_large_windows() -> None:
    random = np.random.default_rng(7)
    shapes = [(1, 96, 96, 3), (1, 1000, 4), (1, 113, 31, 2), (1, 64, 64, 1), (1, 5, 255, 7)]
    cases = [
        Case("MEAN", shape, tuple(range(1, len(shape) - 1)), keep, (scale, 0.07), (zero_point, -3), True)
        for shape in shapes
        for keep, scale, zero_point in ((True, 0.0701, 127), (False, 0.31, -128), (True, 0.0007, 0))
    ]
    assert_reference_is_tflite_micro(cases, random)


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    cases = accepted([random_case(random, "MEAN", rank) for rank in (1, 2, 3, 4, 4, 4, 5, 5) for _ in range(3)])
    cases.append(GLOBAL_POOL)
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


def test_global_pooling_takes_a_row_at_a_time_with_a_sum_for_each_channel() -> None:
    (layer,) = compile_model(network([GLOBAL_POOL]), "net", "net").plan.program.layers
    direct, streamed = (layer, layer.accumulating) if layer.accumulating else (None, layer)
    assert streamed is not None
    assert (streamed.steps, streamed.rows, streamed.sums_bytes, streamed.takes_row) == (7, 1, 4 * 13, True)
    assert [streamed.reads[0].needs(y, 7) for y in range(7)] == [(y, y) for y in range(7)]
    if direct is not None:
        assert (direct.steps, direct.sums_bytes) == (1, 0) and direct.reads[0].contiguous


@pytest.mark.parametrize(("axes", "rows"), [((2,), 6), ((3,), 6), ((2, 3), 6)])
def test_axes_behind_the_height_make_a_row_from_a_row(axes: tuple[int, ...], rows: int) -> None:
    (layer,) = compile_model(network([Case("MEAN", (1, 6, 4, 3), axes)]), "net", "net").plan.program.layers
    assert (layer.steps, layer.rows, layer.reads[0].count, layer.accumulating) == (rows, rows, 1, None)


def test_axes_of_one_pixel_work_in_place() -> None:
    case = Case("MEAN", (1, 6, 1, 3), (2,), scales=(0.1, 0.2))
    (layer,) = compile_model(network([case]), "net", "net").plan.program.layers
    assert layer.in_place == (0,)


def test_axes_of_one_pixel_to_the_same_scale_are_nothing(tmp_path: Path) -> None:
    data = network([Case("MEAN", (1, 6, 1, 3), (2,), zero_points=(-7, -7))])
    built = build(data, tmp_path)
    assert [layer.op for layer in built.compiled.plan.program.layers] == ["COPY"]    # of the input, into the output
    values = np.arange(18, dtype=np.int8).reshape(1, 6, 1, 3)
    assert np.array_equal(built.run(values)[0], tflite_micro(data, values)[0])


def test_refusals() -> None:
    assert "axes [4] of 4 dimensions is not supported" in refusal(_network(axes=np.array([4], np.int32)))
    assert "axes [-5, 1] of 4 dimensions" in refusal(_network(axes=np.array([-5, 1], np.int32)))
    assert "an axes tensor of type int64" in refusal(_network(axes=np.array([1], np.int64)))
    assert "an output of [1, 1, 5, 2] is not supported (supported: [1, 1, 1, 2] here)" in refusal(
        _network(out=(1, 1, 5, 2))
    )
    assert "an input of shape [1, 1, 1, 1, 2, 2]" in refusal(_network(shape=(1, 1, 1, 1, 2, 2)))
    assert "an input of shape []" in refusal(_network(shape=()))
    assert "an input of shape [1, 0, 5, 2]" in refusal(_network(shape=(1, 0, 5, 2)))
    assert "at most two groups of neighbouring axes" in refusal(
        _network(shape=(2, 2, 2, 2, 2), axes=np.array([0, 2, 4], np.int32), out=(1, 2, 1, 2, 1))
    )
    assert "sums that fit into int32" in refusal(_network(scales=(1e6, 0.01)))
    assert "a sum of 33554432 elements" in refusal(_network(shape=(1, 8192, 4096, 2), out=(1, 1, 1, 2)))
    assert "an input of type float32" in refusal(_network(dtype=np.float32))
    assert "without one scale and zero point" in refusal(_network(scales=(None, 0.1)))


def test_axes_computed_at_run_time_are_refused() -> None:
    made = Network()
    image, axes = made.input((1, 4, 5, 2), 0.1), made.input((2,), dtype=np.int32)
    assert "axes tensor computed at run time" in refusal(made.pack(made.op("MEAN", [image, axes], (1, 2), 0.1)))


def test_missing_operands_are_refused() -> None:
    made = Network()
    image = made.input((1, 4, 5, 2), 0.1)
    assert "a missing axes tensor" in refusal(made.pack(made.op("MEAN", [image], (1, 2), 0.1)))


def _network(
    shape: tuple[int, ...] = (1, 4, 5, 2),
    axes: object = None,
    out: tuple[int, ...] = (1, 1, 1, 2),
    scales: tuple[float | None, float | None] = (0.1, 0.1),
    dtype: object = np.int8,
) -> bytes:
    made = Network()
    image = made.input(shape, scales[0], dtype=dtype)
    over = made.constant(np.array([1, 2], np.int32) if axes is None else axes)
    return made.pack(made.op("MEAN", [image, over], out, scales[1], dtype=dtype, keep_dims=True))


def test_int16_is_tflite_micro(tmp_path: Path) -> None:
    assert_int16_is_tflite_micro("MEAN", tmp_path)
