"""CONV_2D against TFLite Micro: the reference, the compiled C in both forms, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.compiler import compile_model
from tests.firmware_export.c_build import build
from tests.firmware_export.ops.common import refusal
from tests.firmware_export.ops.weighted import (
    FLAGS,
    Case,
    assert_compiled_is_tflite_micro,
    assert_reference_is_tflite_micro,
    layer_of,
    network,
    random_conv,
    some,
    some_int16,
)
from tests.networks import Network, tflite_micro


def plain(shape: tuple[int, ...] = (1, 5, 6, 2), filters: tuple[int, ...] = (3, 3, 3, 2), **changes: Any) -> Case:
    """A convolution without padding."""
    out = (1, shape[1] - filters[1] + 1, shape[2] - filters[2] + 1, filters[0])
    weights = np.random.default_rng(0).integers(-127, 128, filters).astype(np.int8)
    options = {"padding": "VALID", "stride_h": 1, "stride_w": 1}
    case = Case("CONV_2D", shape, out, weights, np.array([0.01]), quant=((0.05, 3), (0.2, -4)), options=options)
    return replace(case, **changes)


def test_reference_is_tflite_micro() -> None:
    random = np.random.default_rng(1)
    assert_reference_is_tflite_micro(some(random, random_conv, 200), random)


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    cases = some(random, random_conv, 32)
    layers = [layer_of(case) for case in cases]
    assert {layer.fields.get("groups", 1) for layer in layers} >= {1, 2, 3}
    assert {layer.fields["large_factors"] for layer in layers} == {0, 1}
    assert_compiled_is_tflite_micro(cases, tmp_path, random)


@pytest.mark.parametrize("channels", [1, 3, 4, 5, 8, 11, 12, 13, 17])
def test_weights_take_no_more_than_their_bytes(channels: int) -> None:
    fields = layer_of(plain(filters=(channels, 3, 3, 2))).fields
    assert fields["weights"].data.size == channels * 18    # type: ignore[union-attr]


def test_a_window_over_all_rows_takes_a_row_at_a_time() -> None:
    layer = layer_of(plain((1, 7, 6, 2), (3, 7, 2, 2)))
    streamed = layer if layer.sums_bytes else layer.accumulating
    assert streamed is not None
    assert (streamed.steps, streamed.rows, streamed.sums_bytes, streamed.row_bytes) == (7, 1, 4 * 15, 15)
    assert [streamed.reads[0].needs(y, 7) for y in range(7)] == [(y, y) for y in range(7)]


@pytest.mark.parametrize("rows", [6, 9])
def test_rows_below_the_only_window_are_not_read(tmp_path: Path, rows: int) -> None:
    options = {"padding": "VALID", "stride_h": 9, "stride_w": 1, "dilation_h_factor": 2}
    case = replace(plain((1, rows, 6, 2), (3, 3, 2, 2)), out=(1, 1, 5, 3), options=options)
    assert_compiled_is_tflite_micro([case], tmp_path, np.random.default_rng(4))


@pytest.mark.parametrize("pads", [(0, 1, 2, 0), (3, 3, 3, 3), (5, 0, 0, 6)])
def test_padding_of_any_width(tmp_path: Path, pads: tuple[int, int, int, int]) -> None:
    """A PAD becomes the convolution's own padding; windows may lie in it entirely."""
    top, bottom, left, right = pads
    random = np.random.default_rng(5)
    made = Network()
    image = made.input((1, 4, 5, 3), 0.05, 9)
    borders = made.constant(np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32))
    grown = (4 + top + bottom, 5 + left + right)
    padded = made.op("PAD", [image, borders], (1, *grown, 3), 0.05, 9)
    weights = made.constant(random.integers(-127, 128, (6, 3, 2, 3)).astype(np.int8), random.uniform(0.01, 0.02, 6))
    bias = made.constant(random.integers(-900, 900, 6).astype(np.int32), 0.0005)
    out = (1, (grown[0] - 3) // 2 + 1, grown[1] - 1, 6)
    options = {"padding": "VALID", "stride_h": 2, "stride_w": 1}
    data = made.pack(made.op("CONV_2D", [padded, weights, bias], out, 0.1, -20, **options))
    assert [layer.op for layer in compile_model(data, "net", "net").plan.program.layers] == ["CONV_2D"]
    built = build(data, tmp_path, flags=FLAGS)
    for _ in range(3):
        sample = random.integers(-128, 128, (1, 4, 5, 3)).astype(np.int8)
        assert np.array_equal(built.run(sample)[0], tflite_micro(data, sample)[0])


def test_groups_stay_groups_where_a_window_sees_everything(tmp_path: Path) -> None:
    case = plain((1, 4, 3, 4), (6, 4, 3, 2))
    assert layer_of(case).fields["groups"] == 2
    assert_compiled_is_tflite_micro([case], tmp_path, np.random.default_rng(9))


def test_channels_without_a_factor_are_the_zero_point(tmp_path: Path) -> None:
    """Scales of pruned channels are zero, or so small that the factor is. Their layer stays on the fast way."""
    case = plain(filters=(9, 3, 3, 2))
    scales = np.where(np.arange(9) % 3 == 0, [0.0, 1e-38, 0.01] * 3, 0.001)
    case = replace(case, weight_scale=scales, bias=np.arange(-4, 5, dtype=np.int32) * 1000)
    assert layer_of(case).fields["large_factors"] == 0
    assert_compiled_is_tflite_micro([case], tmp_path, np.random.default_rng(8))


def test_without_bias_operand() -> None:
    case = plain()
    sample = case.sample(np.random.default_rng(6))
    for absent in ([], [-1]):
        made = Network()
        operands = [made.input(case.shape, *case.quant[0]), made.constant(case.weights, case.weight_scale), *absent]
        data = made.pack(made.op("CONV_2D", operands, case.out, *case.quant[1], **case.options))
        assert np.array_equal(tflite_micro(data, sample)[0], tflite_micro(network([case]), sample)[0])
        assert compile_model(data, "net", "net")


def refused(**changes: Any) -> str:
    return refusal(network([plain(**changes)]))


def test_refusals() -> None:
    case = plain()
    assert "a batch of 2" in refused(shape=(2, 5, 6, 2), out=(2, 3, 4, 3))
    assert "3 filters of 2 channels on 5 channels" in refused(shape=(1, 5, 6, 5))
    assert "3 filters of 2 channels on 4 channels" in refused(shape=(1, 5, 6, 4))
    assert "an output of [1, 3, 3, 3] is not supported (supported: [1, 3, 4, 3] here)" in refused(out=(1, 3, 3, 3))
    assert "an input of shape [5, 6, 2]" in refused(shape=(5, 6, 2))
    assert "a filter of type int16" in refused(weights=case.weights.astype(np.int16))
    assert "a filter with 2 scales for 3 channels" in refused(weight_scale=np.array([0.1, 0.2]), axis=3)
    assert "a filter with a zero point that is not 0" in refused(weights_zero_point=1)
    assert "scales along dimension 1" in refused(weight_scale=np.array([0.1, 0.2, 0.1]), axis=1)
    assert "a bias of type int16" in refused(bias=np.zeros(3, np.int16))
    assert "a bias of 4 for 3 channels" in refused(bias=np.zeros(4, np.int32))
    assert "the fused activation TANH" in refused(options={**case.options, "fused_activation_function": "TANH"})
    assert "stride 0" in refused(options={**case.options, "stride_h": 0})
    assert "dilation -1" in refused(options={**case.options, "dilation_w_factor": -1})
    assert "a window of 9 on 5 pixels" in refused(options={**case.options, "dilation_h_factor": 4})
    assert "spans 2147483647 pixels" in refused(options={**case.options, "dilation_h_factor": (1 << 30) - 1})
    assert "the zero point 128" in refused(quant=((0.05, 128), (0.2, 0)))
    assert "the scale 0" in refused(quant=((0.05, 0), (0.0, 0)))
    assert "RELU6 with an output scale of 1e-09" in refused(
        quant=((0.05, 0), (1e-9, 0)), options={**case.options, "fused_activation_function": "RELU6"}
    )


def test_sums_that_leave_int32_are_refused() -> None:
    """An input is at most 255 away from a zero point of 127: with all weights -128 and one of 3 taps that is 97,920."""
    room = (1 << 31) - (1 << 8) - 3 * 128 * 255
    quant = ((0.05, 127), (100.0, 0))
    case = plain((1, 1, 1, 3), (1, 1, 1, 3), weights=np.full((1, 1, 1, 3), -128, np.int8), quant=quant)
    assert layer_of(replace(case, bias=np.array([room - 1], np.int32)))
    assert layer_of(replace(case, bias=np.array([1 - room], np.int32)))
    assert "channel 0, whose sums reach 2.15e+09" in refusal(network([replace(case, bias=np.array([room], np.int32))]))
    assert "sums that fit into int32" in refusal(network([replace(case, bias=np.array([-1 << 31], np.int32))]))
    shifted = replace(case, quant=((0.05, 127), (1e-7, 0)))
    assert "shifted left by 13" in refusal(network([replace(shifted, bias=np.array([1 << 18], np.int32))]))
    assert layer_of(replace(shifted, bias=np.array([1 << 17], np.int32)))


def test_operands_computed_at_run_time_are_refused() -> None:
    made = Network()
    image, weights = made.input((1, 5, 6, 2), 0.1), made.input((3, 3, 3, 2), 0.1)
    options = {"padding": "VALID", "stride_h": 1, "stride_w": 1}
    data = made.pack(made.op("CONV_2D", [image, weights], (1, 3, 4, 3), 0.1, **options))
    assert "filter computed at run time" in refusal(data)
    made = Network()
    image = made.input((1, 5, 6, 2), 0.1)
    assert "a missing filter" in refusal(made.pack(made.op("CONV_2D", [image], (1, 3, 4, 3), 0.1, **options)))


def test_int16_is_tflite_micro(tmp_path: Path) -> None:
    """An int64 bias or none, with sums that fit into int32 and others; or an int32 bias."""
    random = np.random.default_rng(16)
    cases = some_int16(random, random_conv, 60)
    assert {layer_of(case).fields["rounding"] for case in cases} == {0, 1, 2}
    assert_reference_is_tflite_micro(cases, random)
    assert_compiled_is_tflite_micro(cases[:9], tmp_path, random)
