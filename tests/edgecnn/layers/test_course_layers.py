"""Layers of the networks of 1989 and 2012: their arithmetic, saving and loading, and int8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow

CHANCE = np.random.default_rng(0)


def saved_and_loaded(model: Any, folder: Path) -> Any:
    from edgecnn.keras_quiet import load_keras_model

    model.save(folder / "model.keras")
    return load_keras_model(folder / "model.keras", "the test")


@pytest.mark.parametrize(("stride", "padding"), [(1, "same"), (2, "same"), (2, "valid")])
def test_a_partial_convolution_is_a_whole_one_with_zeros(tmp_path: Path, stride: int, padding: str) -> None:
    import keras

    from edgecnn.layers import PartialConv2D

    groups, filters = [[0, 1, 2], [3, 0, 4], [2]], [2, 1, 3]
    image = keras.Input((7, 6, 5))
    layer = PartialConv2D(groups, filters, 3, stride, padding)
    model = keras.Model(image, layer(image))
    assert model.count_params() == 9 * (3 * 2 + 3 * 1 + 1 * 3)
    whole, at = np.zeros((3, 3, 5, 6), np.float32), 0
    for group, kernel in zip(groups, layer.kernels, strict=True):
        whole[:, :, group, at : at + kernel.shape[3]] = np.asarray(kernel)
        at += kernel.shape[3]
    x = CHANCE.normal(size=(2, 7, 6, 5)).astype(np.float32)
    expected = np.asarray(keras.ops.conv(x, whole, strides=stride, padding=padding))
    np.testing.assert_allclose(np.asarray(model(x)), expected, rtol=1e-5, atol=1e-5)
    assert np.array_equal(np.asarray(saved_and_loaded(model, tmp_path)(x)), np.asarray(model(x)))


def test_a_partial_convolution_says_which_map_is_not_there() -> None:
    import keras

    from edgecnn.layers import PartialConv2D

    with pytest.raises(ValueError, match=r"group 1 reads the maps \[3, 5\]; the input has 5"):
        PartialConv2D([[0], [3, 5]], [1, 1], 3)(keras.Input((7, 6, 5)))
    with pytest.raises(ValueError, match="2 lists of inputs, 1 numbers of filters"):
        PartialConv2D([[0], [1]], [1], 3)


def test_a_bias_for_every_unit(tmp_path: Path) -> None:
    import keras

    from edgecnn.layers import UnitBias

    image = keras.Input((3, 4, 2))
    layer = UnitBias()
    model = keras.Model(image, layer(image))
    assert model.count_params() == 24 and not np.asarray(layer.bias).any()
    bias = CHANCE.normal(size=(3, 4, 2)).astype(np.float32)
    layer.set_weights([bias])
    x = CHANCE.normal(size=(5, 3, 4, 2)).astype(np.float32)
    assert np.array_equal(np.asarray(saved_and_loaded(model, tmp_path)(x)), x + bias)


def test_local_response_normalization_is_that_of_the_paper_and_of_tensorflow(tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    from edgecnn.layers import LocalResponseNormalization

    image = keras.Input((2, 3, 7))
    model = keras.Model(image, LocalResponseNormalization(radius=2, k=2.0, alpha=0.1, beta=0.75)(image))
    x = CHANCE.normal(size=(4, 2, 3, 7)).astype(np.float32)
    found = np.asarray(saved_and_loaded(model, tmp_path)(x))
    for channel in range(7):    # section 3.3, word by word
        first, last = max(0, channel - 2), min(6, channel + 2)
        energy = (x[..., first : last + 1] ** 2).sum(axis=-1)
        expected = x[..., channel] / (2.0 + 0.1 * energy) ** 0.75
        np.testing.assert_allclose(found[..., channel], expected, rtol=1e-5)
    theirs = tf.nn.local_response_normalization(x, depth_radius=2, bias=2.0, alpha=0.1, beta=0.75)
    np.testing.assert_allclose(found, theirs.numpy(), rtol=1e-5)


def test_lenet89_becomes_int8_and_the_same_c(tmp_path: Path) -> None:
    from edgecnn.quantization.convert import convert
    from edgecnn.recipe import ModelSection
    from edgecnn.zoo import build_model, find_model
    from tests.firmware_export.c_build import build
    from tests.networks import tflite_micro

    model = build_model(find_model("lenet89").source, ModelSection(name="lenet89"), (28, 28, 1), 10)
    for layer in model.layers:
        if layer.name.endswith("_bias"):
            layer.set_weights([CHANCE.normal(0, 0.3, layer.bias.shape)])
    data = convert(model, CHANCE.random((16, 28, 28, 1), np.float32)).int8_tflite
    program = build(data, tmp_path, flags=("-O1",))
    images = CHANCE.integers(-128, 128, (3, 1, 28, 28, 1), np.int8)
    results = [program.run(image)[0] for image in images]
    for image, result in zip(images, results, strict=True):
        assert np.array_equal(result, tflite_micro(data, image)[0])
    assert not np.array_equal(results[0], results[1])
