"""FULLY_CONNECTED against TFLite Micro: the reference, the compiled C in both forms, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.compiler import compile_model
from tests.firmware_export.c_build import build_compiled
from tests.firmware_export.ops.common import refusal
from tests.firmware_export.ops.weighted import (
    FLAGS,
    Case,
    all_accumulating,
    assert_compiled_is_tflite_micro,
    assert_reference_is_tflite_micro,
    layer_of,
    network,
    random_conv,
    random_dense,
    some,
    some_int16,
)
from tests.networks import Network, tflite_micro


def plain(shape: tuple[int, ...] = (1, 12), **changes: Any) -> Case:
    """Twelve inputs, ten outputs."""
    weights = np.random.default_rng(0).integers(-127, 128, (10, 12)).astype(np.int8)
    rows = int(np.prod(shape)) // 12
    case = Case("FULLY_CONNECTED", shape, (rows, 10), weights, np.array([0.01]), quant=((0.05, 3), (0.2, -4)))
    return replace(case, **changes)


def test_reference_is_tflite_micro() -> None:
    random = np.random.default_rng(1)
    cases = some(random, random_dense, 240)
    assert sum(bool(case.weights_zero_point) for case in cases) > 15
    assert_reference_is_tflite_micro(cases, random)


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    cases = some(random, random_dense, 40)
    assert {layer_of(case).fields["large_factors"] for case in cases} == {0, 1}
    assert_compiled_is_tflite_micro(cases, tmp_path, random)


def test_an_image_is_added_up_row_by_row(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    cases = []
    for channels, zero_point in ((1, 0), (10, 0), (13, 0), (21, -77)):
        weights = random.integers(-127, 128, (channels, 7 * 5 * 3)).astype(np.int8)
        bias = random.integers(-5000, 5000, channels).astype(np.int32)
        case = Case("FULLY_CONNECTED", (1, 7, 5, 3), (1, channels), weights, np.array([0.01]), bias=bias)
        cases.append(replace(case, weights_zero_point=zero_point, quant=((0.05, -9), (0.8, 5))))
        layer = layer_of(cases[-1])
        streamed = layer if layer.sums_bytes else layer.accumulating
        assert streamed is not None
        assert (streamed.steps, streamed.rows, streamed.sums_bytes) == (7, 1, 4 * channels)
        assert streamed.reads[0].row_bytes == 15
        assert streamed.fields["weights"].data.size == weights.size    # type: ignore[union-attr]
    assert_compiled_is_tflite_micro(cases, tmp_path, random)


def test_rows_of_a_batch_are_rows() -> None:
    layer = layer_of(plain((4, 12)))
    assert (layer.steps, layer.rows, layer.row_bytes, layer.accumulating) == (4, 4, 10, None)
    assert [layer.reads[0].needs(y, 4) for y in range(4)] == [(y, y) for y in range(4)]


def test_it_equals_a_convolution_that_sees_everything(tmp_path: Path) -> None:
    """Per channel, with the same sums and factors: a pass turns one into the other."""
    random = np.random.default_rng(5)
    cases = []
    while len(cases) < 12:
        case = random_conv(random)
        if case.shape[3] == case.weights.shape[3]:
            shape = (1, *case.weights.shape[1:])
            options = {"padding": "VALID", "stride_h": 1, "stride_w": 1}
            cases.append(replace(case, shape=shape, out=(1, 1, 1, case.out[3]), options=options))
    data = network(cases)
    ops = {layer.op for layer in compile_model(data, "net", "net").plan.program.layers}
    assert ops == {"FULLY_CONNECTED"}
    built = build_compiled(all_accumulating(data), tmp_path, flags=FLAGS)
    sample = [case.sample(random) for case in cases]
    for result, wanted in zip(built.run(*sample), tflite_micro(data, *sample, outputs=len(cases)), strict=True):
        assert np.array_equal(result, wanted)


@pytest.mark.parametrize("scale", [None, 0.0, 0.0045, 0.0046, 0.0005])
def test_the_scale_of_the_bias_matters_where_tflite_micro_minds(scale: float | None) -> None:
    """It may be off by 0.02 of the output's scale, and only with weights of one scale."""
    for per_channel in (False, True):
        made = Network()
        weights = made.constant(plain().weights, np.full(10, 0.01) if per_channel else 0.01)
        operands = [made.input((1, 12), 0.05), weights, made.constant(np.zeros(10, np.int32), scale)]
        data = made.pack(made.op("FULLY_CONNECTED", operands, (1, 10), 0.2))
        if per_channel or scale in (0.0045, 0.0005, None, 0.0):
            assert tflite_micro(data, np.zeros((1, 12), np.int8))
            assert compile_model(data, "net", "net")
        else:
            assert "a bias with the scale 0.0046" in refusal(data)


def refused(**changes: Any) -> str:
    return refusal(network([plain(**changes)]))


def test_refusals() -> None:
    case = plain()
    assert "a filter of [10, 12] on an input of [1, 13]" in refused(shape=(1, 13), out=(1, 10))
    assert "an output of [1, 9] is not supported (supported: 1 rows of 10 here)" in refused(out=(1, 9))
    assert "an output of [2, 10]" in refused(out=(2, 10))
    assert "a filter of shape [10, 12, 1]" in refused(weights=case.weights[..., np.newaxis])
    assert "a filter of type int32" in refused(weights=case.weights.astype(np.int32))
    assert "a filter with 12 scales for 10 channels" in refused(weight_scale=np.full(12, 0.1), axis=1)
    assert "a filter with a zero point that is not 0" in refused(weight_scale=np.full(10, 0.1), weights_zero_point=1)
    assert "a filter with the zero point 128" in refused(weights_zero_point=128)
    assert "a bias of 9 for 10 channels" in refused(bias=np.zeros(9, np.int32))
    assert "the weights format SHUFFLED4x16INT8" in refused(options={"weights_format": 1})
    assert "the fused activation TANH" in refused(options={"fused_activation_function": "TANH"})
    assert "an input of type int32" in refusal(_of_type(np.int32))
    assert "sums that fit into int32" in refused(bias=np.full(10, 1 << 30, np.int32) * np.int32(-2))
    made = Network()
    operands = [made.input((1, 12), 0.1), made.input((10, 12), 0.1)]
    assert "filter computed at run time" in refusal(made.pack(made.op("FULLY_CONNECTED", operands, (1, 10), 0.1)))


def _of_type(dtype: Any) -> bytes:
    made = Network()
    operands = [made.input((1, 12), 0.1, dtype=dtype), made.constant(plain().weights, 0.1)]
    return made.pack(made.op("FULLY_CONNECTED", operands, (1, 10), 0.1, dtype=dtype))


def test_int16_is_tflite_micro(tmp_path: Path) -> None:
    """An int64 bias or none, with sums that fit into int32 and others; or an int32 bias."""
    random = np.random.default_rng(16)
    cases = some_int16(random, random_dense, 60)
    assert {layer_of(case).fields["rounding"] for case in cases} == {0, 1, 2}
    assert_reference_is_tflite_micro(cases, random)
    assert_compiled_is_tflite_micro(cases[:12], tmp_path, random)
