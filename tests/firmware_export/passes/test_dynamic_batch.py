"""What TensorFlow's converter makes of Keras models whose batch is not fixed.

TFLite is the oracle for dilated convolutions: TFLite Micro takes the batch between SPACE_TO_BATCH_ND and
BATCH_TO_SPACE_ND for 1 and gives garbage.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.tflite import read_model
from tests.firmware_export.c_build import build
from tests.firmware_export.ops.movements import tflite
from tests.firmware_export.passes.support import ops, prepared, samples_of
from tests.networks import tflite_micro

pytestmark = pytest.mark.slow


def converted(shape: tuple[int, ...], layers: Callable[[Any, Any], Any]) -> bytes:
    """An int8 file of ``layers(keras.layers, input)`` with a batch of any size."""
    from edgecnn.keras_quiet import import_keras, quiet_native

    keras = import_keras()
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    image = keras.Input(shape)
    random = np.random.default_rng(1)
    samples = [random.normal(size=(1, *shape)).astype(np.float32) for _ in range(10)]
    with quiet_native():
        converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, layers(keras.layers, image)))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample] for sample in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        return bytes(converter.convert())


@pytest.mark.parametrize(
    ("shape", "layers"),
    [
        ((11, 12, 3), lambda layers, x: layers.Conv2D(4, 3, dilation_rate=2, padding="same", activation="relu")(x)),
        ((11, 12, 3), lambda layers, x: layers.Conv2D(4, 3, dilation_rate=(2, 3))(x)),
        ((12, 11, 3), lambda layers, x: layers.DepthwiseConv2D(3, dilation_rate=3, padding="same")(x)),
        ((19, 3), lambda layers, x: layers.Conv1D(4, 3, dilation_rate=2, padding="causal", activation="relu")(x)),
        ((19, 3), lambda layers, x: layers.SeparableConv1D(4, 3, dilation_rate=4, padding="same")(x)),
    ],
)
def test_dilated_convolutions_are_what_tflite_computes(shape: Any, layers: Any, tmp_path: Path) -> None:
    data = converted(shape, layers)
    assert "SPACE_TO_BATCH_ND" in ops(read_model(data))
    graph = prepared(data)
    assert not {"SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"} & set(ops(graph))
    built = build(data, tmp_path)
    for inputs in samples_of(graph, 5, 5):
        assert np.array_equal(built.run(*inputs)[0].reshape(-1), tflite(data, *inputs)[0].reshape(-1))


@pytest.mark.parametrize(
    ("shape", "layers"),
    [
        ((8, 8, 3), lambda layers, x: layers.Dense(5)(layers.Flatten()(layers.Conv2D(4, 3)(x)))),
        ((8, 8, 3), lambda layers, x: layers.Conv2D(4, 3)(layers.Reshape((8, 4, 6))(x))),
        ((8, 8, 3), lambda layers, x: layers.Conv2DTranspose(4, 3, strides=2, padding="same")(x)),
        ((24, 3), lambda layers, x: layers.Dense(5)(layers.Flatten()(layers.MaxPooling1D(2)(layers.Conv1D(4, 3)(x))))),
    ],
)
def test_shapes_vanish(shape: Any, layers: Any, tmp_path: Path) -> None:
    data = converted(shape, layers)
    assert "SHAPE" in ops(read_model(data))
    graph = prepared(data)
    assert not {"SHAPE", "PACK", "STRIDED_SLICE"} & set(ops(graph))
    built = build(data, tmp_path)
    for inputs in samples_of(graph, 5, 5):
        assert np.array_equal(built.run(*inputs)[0].reshape(-1), tflite_micro(data, *inputs)[0].reshape(-1))
