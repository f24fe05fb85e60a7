"""DEPTHWISE_CONV_2D against TFLite Micro: the reference, the compiled C in both forms, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.compiler import compile_model
from firmware_export.tflite import read_model
from tests.firmware_export.c_build import build
from tests.firmware_export.evaluation import evaluate
from tests.firmware_export.ops.common import refusal
from tests.firmware_export.ops.weighted import (
    FLAGS,
    Case,
    assert_compiled_is_tflite_micro,
    assert_reference_is_tflite_micro,
    layer_of,
    network,
    random_depthwise,
    some,
    some_int16,
)
from tests.networks import Network, tflite_micro


def plain(shape: tuple[int, ...] = (1, 5, 6, 3), multiplier: int = 2, **changes: Any) -> Case:
    """A convolution of 3×3 without padding."""
    channels = shape[-1] * multiplier
    weights = np.random.default_rng(0).integers(-127, 128, (1, 3, 3, channels)).astype(np.int8)
    options = {"padding": "VALID", "stride_h": 1, "stride_w": 1, "depth_multiplier": multiplier}
    out = (1, 3, 4, channels)
    quant = ((0.05, 3), (0.2, -4))
    case = Case("DEPTHWISE_CONV_2D", shape, out, weights, np.array([0.01]), 3, quant=quant, options=options)
    return replace(case, **changes)


def test_reference_is_tflite_micro() -> None:
    random = np.random.default_rng(1)
    assert_reference_is_tflite_micro(some(random, random_depthwise, 200), random)


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    cases = some(random, random_depthwise, 32)
    layers = [layer_of(case) for case in cases]
    assert {layer.kernel for layer in layers} == {"depthwise_conv_2d", "conv_2d"}
    assert {layer.fields["large_factors"] for layer in layers} == {0, 1}
    assert_compiled_is_tflite_micro(cases, tmp_path, random)


@pytest.mark.parametrize("channels", [1, 7, 8, 9, 19])
def test_weights_take_no_more_than_their_bytes(channels: int) -> None:
    fields = layer_of(plain((1, 5, 6, channels), 1)).fields
    assert fields["weights"].data.size == channels * 9    # type: ignore[union-attr]


def test_a_window_over_all_rows_takes_a_row_at_a_time(tmp_path: Path) -> None:
    """As MobileFaceNet ends: a depthwise convolution of the size of the image, here with something beside it."""
    random = np.random.default_rng(3)
    weights = random.integers(-127, 128, (1, 5, 4, 19)).astype(np.int8)
    case = replace(plain((1, 5, 6, 19), 1), out=(1, 1, 3, 19), weights=weights)
    layer = layer_of(case)
    streamed = layer if layer.sums_bytes else layer.accumulating
    assert streamed is not None
    assert (streamed.steps, streamed.rows, streamed.sums_bytes) == (5, 1, 4 * 3 * 19)
    assert_compiled_is_tflite_micro([case], tmp_path, random)


@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("pads", [(0, 1, 2, 0), (3, 3, 3, 3), (5, 0, 0, 6)])
def test_padding_of_any_width(tmp_path: Path, pads: tuple[int, int, int, int], multiplier: int) -> None:
    """A PAD becomes the convolution's own padding; windows may lie in it entirely."""
    top, bottom, left, right = pads
    random = np.random.default_rng(5)
    made = Network()
    image = made.input((1, 4, 5, 9), 0.05, 9)
    borders = made.constant(np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32))
    grown = (4 + top + bottom, 5 + left + right)
    padded = made.op("PAD", [image, borders], (1, *grown, 9), 0.05, 9)
    channels = 9 * multiplier
    weights = random.integers(-127, 128, (1, 3, 2, channels)).astype(np.int8)
    operands = [padded, made.constant(weights, random.uniform(0.01, 0.02, channels), axis=3)]
    operands.append(made.constant(random.integers(-900, 900, channels).astype(np.int32), 0.0005))
    out = (1, (grown[0] - 3) // 2 + 1, grown[1] - 1, channels)
    options = {"padding": "VALID", "stride_h": 2, "stride_w": 1, "depth_multiplier": multiplier}
    data = made.pack(made.op("DEPTHWISE_CONV_2D", operands, out, 0.1, -20, **options))
    assert [layer.op for layer in compile_model(data, "net", "net").plan.program.layers] == ["DEPTHWISE_CONV_2D"]
    built = build(data, tmp_path, flags=FLAGS)
    for _ in range(3):
        sample = random.integers(-128, 128, (1, 4, 5, 9)).astype(np.int8)
        assert np.array_equal(built.run(sample)[0], tflite_micro(data, sample)[0])


def test_without_bias_operand() -> None:
    """TFLite Micro dies of a bias that is listed but absent: it means what no bias means."""
    case = plain()
    sample = case.sample(np.random.default_rng(6))
    expected = tflite_micro(network([case]), sample)[0]
    made = Network()
    operands = [made.input(case.shape, *case.quant[0]), made.constant(case.weights, case.weight_scale, axis=3), -1]
    data = made.pack(made.op(case.op, operands, case.out, *case.quant[1], **case.options))
    assert np.array_equal(evaluate(read_model(data), sample)[0], expected)


def refused(**changes: Any) -> str:
    return refusal(network([plain(**changes)]))


def test_refusals() -> None:
    case = plain()
    assert "a batch of 2" in refused(shape=(2, 5, 6, 3), out=(2, 3, 4, 6))
    assert "[1, 3, 3, 6] on 3 channels with multiplier 1" in refused(options={**case.options, "depth_multiplier": 1})
    assert "with multiplier 0" in refused(options={**case.options, "depth_multiplier": 0})
    assert "[2, 3, 3, 6] on 3 channels" in refused(weights=np.zeros((2, 3, 3, 6), np.int8))
    assert "[1, 3, 3, 7] on 3 channels" in refused(weights=np.zeros((1, 3, 3, 7), np.int8))
    assert "an output of [1, 3, 3, 6] is not supported (supported: [1, 3, 4, 6] here)" in refused(out=(1, 3, 3, 6))
    assert "an output of shape [3, 4, 6]" in refused(out=(3, 4, 6))
    assert "a filter of type int32" in refused(weights=case.weights.astype(np.int32))
    assert "scales along dimension 1" in refused(weight_scale=np.array([0.1, 0.2, 0.1]), axis=1, multiplier=1)
    assert "a filter with 3 scales for 6 channels" in refused(weight_scale=np.array([0.1, 0.2, 0.1]), axis=1)
    assert "a filter with a zero point that is not 0" in refused(weights_zero_point=-1)
    assert "a bias of 1 for 6 channels" in refused(bias=np.zeros(1, np.int32))
    assert "the fused activation SIGN_BIT" in refused(options={**case.options, "fused_activation_function": "SIGN_BIT"})
    assert "a window of 5 on 4 pixels" in refused(shape=(1, 4, 6, 3), options={**case.options, "dilation_h_factor": 2})
    assert "sums that fit into int32" in refused(bias=np.full(6, 1 << 30, np.int32) * np.int32(-2))


def test_int16_is_tflite_micro(tmp_path: Path) -> None:
    """An int64 bias or none, with sums that fit into int32 and others."""
    random = np.random.default_rng(16)
    cases = some_int16(random, random_depthwise, 60)
    assert {layer_of(case).fields["rounding"] for case in cases} == {0, 1}
    assert_reference_is_tflite_micro(cases, random)
    assert_compiled_is_tflite_micro(cases[:9], tmp_path, random)
