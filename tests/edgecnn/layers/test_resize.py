"""Upsampling by repeating pixels: the arithmetic, the saved model, and what becomes of it in int8."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow


def test_every_pixel_is_repeated_and_the_layer_survives_saving(tmp_path: Path) -> None:
    import keras

    from edgecnn.keras_quiet import load_keras_model
    from edgecnn.layers import NearestUpsampling2D

    x = np.random.default_rng(0).random((2, 3, 4, 2), np.float32)
    for factor in (1, 2, 3):
        image = keras.Input((3, 4, 2))
        model = keras.Model(image, NearestUpsampling2D(factor)(image))
        assert model.output_shape == (None, 3 * factor, 4 * factor, 2)
        expected = x.repeat(factor, axis=1).repeat(factor, axis=2)
        assert np.array_equal(np.asarray(model(x)), expected)
        model.save(tmp_path / "model.keras")
        again = load_keras_model(tmp_path / "model.keras", "the test")
        assert np.array_equal(np.asarray(again(x)), expected)
    with pytest.raises(ValueError, match="factor=0"):
        NearestUpsampling2D(0)
    with pytest.raises(ValueError, match="must be fixed"):
        NearestUpsampling2D(2)(keras.Input((None, 4, 2)))


def test_it_converts_to_one_operator_that_tflite_micro_and_the_compiler_take() -> None:
    import keras

    from edgecnn.layers import NearestUpsampling2D
    from edgecnn.quantization.convert import convert
    from firmware_export.tflite import read_model

    image = keras.Input((4, 4, 2))
    x = keras.layers.Conv2D(3, 3, padding="same", activation="relu")(image)
    x = keras.layers.Concatenate()([NearestUpsampling2D(2)(x), NearestUpsampling2D(2)(image)])
    model = keras.Model(image, keras.layers.Conv2D(1, 1)(x))
    inputs = np.random.default_rng(0).random((8, 4, 4, 2), np.float32)
    names = [node.op for node in read_model(convert(model, inputs).int8_tflite).nodes]
    assert names.count("RESIZE_NEAREST_NEIGHBOR") == 2
    assert set(names) <= {"CONV_2D", "RESIZE_NEAREST_NEIGHBOR", "CONCATENATION", "QUANTIZE"}
