"""The Keras model of an int8 file against the files themselves: float without rounding, every integer with it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.errors import EdgecnnError
from edgecnn.layers.fake_quantization import FakeQuantization, rounded, rounded_weights
from edgecnn.quantization.convert import Converted, convert
from edgecnn.quantization.graph_layers import INPUTS, fake_quantized, trained
from edgecnn.quantization.pair import Pair, match_graphs
from edgecnn.quantization.requantize import Range, groups_of, requantized
from firmware_export.tflite import read_model
from tests.edgecnn.quantization.running import run_reference

SHARED = Path(__file__).resolve().parents[4] / "shared" / "models"
SAMPLES = 8

layers = keras.layers


def pair_of(files: Converted) -> Pair:
    return match_graphs(read_model(files.float_tflite, "float"), read_model(files.int8_tflite, "int8"))


def outputs_of(model: Any, samples: np.ndarray) -> np.ndarray:
    return np.asarray(model(samples))


def steps_apart(pair: Pair, first: np.ndarray, second: np.ndarray) -> int:
    quant = pair.quantized.tensors[pair.quantized.outputs[0]].quant
    assert quant is not None
    return int(np.abs(np.rint((first - second) / quant.scale[0])).max())


def mobile(x: Any) -> Any:
    """As MobileNet: ReLU6, strides and dilations of depthwise convolutions, a residue, a mean."""
    x = layers.ReLU(6.0)(layers.Conv2D(8, 3, strides=2, padding="same")(x))
    y = layers.ReLU(6.0)(layers.DepthwiseConv2D(3, padding="same", dilation_rate=2)(x))
    x = layers.Add()([x, layers.Conv2D(8, 1)(y)])
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, activation="relu")(x)
    return layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling2D()(x))


def elementwise(x: Any) -> Any:
    """Activations and operators of two values."""
    x = layers.Activation("hard_swish")(layers.Conv2D(6, 3, dilation_rate=2)(x))
    a, b = layers.LeakyReLU(0.2)(x), layers.PReLU(shared_axes=(1, 2), alpha_initializer="random_uniform")(x)
    x = layers.Maximum()([layers.Multiply()([a, b]), layers.Subtract()([a, b])])
    x = layers.Activation("tanh")(layers.Minimum()([x, layers.ReLU(6.0)(a)]))
    return layers.Dense(3)(layers.Flatten()(layers.MaxPooling2D(2, padding="same")(x)))


def shapes(x: Any) -> Any:
    """What moves, resizes, cuts and joins."""
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same")(x)
    parts = keras.ops.split(x, 2, axis=-1)
    x = layers.Concatenate()([layers.ZeroPadding2D(1)(parts[0]), layers.ZeroPadding2D(1)(parts[1])])
    x = layers.UpSampling2D(2, interpolation="bilinear")(layers.AveragePooling2D(2)(x))
    x = keras.ops.stack([x[:, 1:, ::2], keras.ops.flip(x, 2)[:, :-1, ::2]], axis=3)
    x = layers.Conv2D(3, 3, padding="same")(layers.Reshape((17, -1, 8))(keras.ops.transpose(x, (0, 1, 3, 2, 4))))
    return layers.Dense(2, activation="sigmoid")(layers.GlobalMaxPooling2D()(x))


@functools.cache
def made(body: Callable[[Any], Any]) -> tuple[Converted, np.ndarray]:
    """The files of an untrained network, and samples."""
    keras.utils.set_random_seed(3)
    given = keras.Input((16, 16, 3))
    model = keras.Model(given, body(given))
    samples = np.random.default_rng(0).normal(0.3, 1, (SAMPLES, 16, 16, 3)).astype(np.float32)
    return convert(model, samples), samples


# Kernels of hard_swish, leaky_relu, mul and of resizing have roundings of their own on the way.
@pytest.mark.parametrize(("body", "steps"), [(mobile, 0), (elementwise, 1), (shapes, 1)])
def test_model_computes_what_the_files_compute(body: Callable[[Any], Any], steps: int) -> None:
    files, samples = made(body)
    pair = pair_of(files)
    exact = outputs_of(fake_quantized(pair, quantize=()), samples)
    np.testing.assert_allclose(exact, run_reference(files.float_tflite, samples), atol=2e-5)
    found = outputs_of(fake_quantized(pair), samples)
    assert steps_apart(pair, found, run_reference(files.int8_tflite, samples)) <= steps


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared models are not here")
def test_a_foreign_pair_is_taken() -> None:
    files = Converted(*((SHARED / f"ic_resnet8_{kind}.tflite").read_bytes() for kind in ("float", "int8")))
    pair, samples = pair_of(files), np.random.default_rng(0).integers(0, 256, (SAMPLES, 32, 32, 3)).astype(np.float32)
    exact = outputs_of(fake_quantized(pair, quantize=()), samples)
    np.testing.assert_allclose(exact, run_reference(files.float_tflite, samples), atol=1e-5)
    assert steps_apart(pair, outputs_of(fake_quantized(pair), samples), run_reference(files.int8_tflite, samples)) <= 1


@pytest.fixture(scope="module")
def mobile_pair() -> tuple[Converted, Pair, np.ndarray]:
    files, samples = made(mobile)
    return files, pair_of(files), samples


def test_one_layer_is_quantized_at_a_time(mobile_pair: tuple[Converted, Pair, np.ndarray]) -> None:
    _, pair, samples = mobile_pair
    exact = outputs_of(fake_quantized(pair, quantize=()), samples)
    alone = [
        np.abs(outputs_of(fake_quantized(pair, quantize=(index,)), samples) - exact).max()
        for index in (INPUTS, *(match.quantized.index for match in pair.layers()))
    ]
    whole = np.abs(outputs_of(fake_quantized(pair), samples) - exact).max()
    assert all(error > 0 for error in alone) and whole < sum(alone) * 3


def test_given_ranges_and_constants_are_those_of_the_exported_file(
    mobile_pair: tuple[Converted, Pair, np.ndarray],
) -> None:
    files, pair, samples = mobile_pair
    model = fake_quantized(pair)
    constants = {index: array * 1.1 for index, array in trained(model, pair).constants.items()}
    entering = groups_of(pair)[pair.quantized.inputs[0]]
    ranges = {group: Range(-0.7, 1.3) for group in set(groups_of(pair).values()) - {entering}}
    found = outputs_of(fake_quantized(pair, ranges, constants=constants), samples)
    exported = requantized(pair, files.int8_tflite, ranges, constants)
    assert steps_apart(pair, found, run_reference(exported, samples)) == 0


def test_trained_numbers_survive_saving(mobile_pair: tuple[Converted, Pair, np.ndarray], tmp_path: Path) -> None:
    _, pair, samples = mobile_pair
    model = fake_quantized(pair, kind="learned", round_output=False)
    for variable in model.trainable_variables:
        variable.assign(variable.value * 1.05)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(outputs_of(loaded, samples), outputs_of(model, samples))
    before, after = trained(model, pair), trained(loaded, pair)
    assert before.ranges == after.ranges and before.constants.keys() == after.constants.keys()
    assert before.ranges and groups_of(pair)[pair.quantized.inputs[0]] not in before.ranges


def test_operators_without_a_counterpart_are_refused_before_anything_is_built(
    mobile_pair: tuple[Converted, Pair, np.ndarray],
) -> None:
    _, pair, _ = mobile_pair
    nodes = tuple(dataclasses.replace(node, op="TOPK_V2") if node.index == 2 else node for node in pair.quantized.nodes)
    odd = dataclasses.replace(pair, quantized=dataclasses.replace(pair.quantized, nodes=nodes))
    with pytest.raises(EdgecnnError, match=r"node 2 TOPK_V2.*cannot be simulated"):
        fake_quantized(odd)


@settings(max_examples=60, deadline=None)
@given(st.floats(-50, 3), st.floats(-3, 50), st.sampled_from(["int8", "int16"]))
def test_simulated_scale_and_zero_point_are_those_of_the_file(low: float, high: float, number: str) -> None:
    layer = FakeQuantization(min(low, 0.0), max(high, 0.0), number, kind="learned")
    layer.build(None)
    quant = Range(*layer.range()).quant(number)
    first, last, scale = (float(one) for one in layer._nudged())
    assert scale == quant.scale[0]
    limits = (-128, 127) if number == "int8" else (-32768, 32767)
    for end, limit in zip((first, last), limits, strict=True):
        assert end == pytest.approx((limit - quant.zero_point[0]) * scale, rel=1e-6, abs=1e-30)


def test_ranges_learn_from_what_they_clip_and_from_what_they_round() -> None:
    low, high = tf.Variable(-128 / 64), tf.Variable(127 / 64)    # steps of 1/64
    values = tf.constant([-5.0, -3.0, 0.3, 7.0])
    with tf.GradientTape() as tape:
        tape.watch(values)
        result = tf.reduce_sum(rounded(values, low, high, 8))
    to_values, to_low, to_high = tape.gradient(result, (values, low, high))
    np.testing.assert_array_equal(to_values, [0, 0, 1, 0])
    pull = (np.round(0.3 * 64) / 64 - 0.3) / (255 / 64)
    assert float(to_low) == pytest.approx(2 - pull, abs=1e-6)
    assert float(to_high) == pytest.approx(1 + pull, abs=1e-6)


def test_an_end_at_zero_stays_there() -> None:
    layer = FakeQuantization(0.0, 6.0, kind="learned")
    layer.build(None)
    assert [variable.name for variable in layer.trainable_variables] == ["high"]


def test_moving_ranges_hold_all_members_and_stop() -> None:
    layer = FakeQuantization(0.0, 1.0, kind="moving", members=2, updates=20)
    first, second = np.array([-4, 2], np.float32), np.array([0, 8], np.float32)
    for _ in range(20):
        layer([first], member=1, training=True)
        layer([second], member=0, training=True)
    share = 1 - 0.99**19 * 0.99    # of the way from the ends at first
    assert layer.range() == pytest.approx((-4 * share, 1 + 7 * share))
    held = layer.range()
    layer([100 * second], member=0, training=True)
    layer([100 * first], training=False)
    assert layer.range() == held


def test_weights_are_rounded_half_away_from_zero_with_a_gradient_of_one() -> None:
    weights = tf.Variable([[127.0, 0.5, -0.5, 1.4], [1.27, -0.005, 0.0149, 0.0]])
    with tf.GradientTape() as tape:
        found, scales = rounded_weights(weights, 0)
        total = tf.reduce_sum(found)
    np.testing.assert_allclose(found, np.array([[127, 1, -1, 1], [1.27, -0.01, 0.01, 0]]), atol=1e-6)
    np.testing.assert_allclose(scales, [1, 0.01], rtol=1e-6)
    np.testing.assert_array_equal(tape.gradient(total, weights), np.ones((2, 4)))
