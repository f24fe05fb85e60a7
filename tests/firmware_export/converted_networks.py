"""Random Keras models, quantized to int8 by TensorFlow's own converter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgecnn.keras_quiet import import_keras, quiet_native
from tests.firmware_export.growing import Input
from tests.firmware_export.random_networks import RandomNetwork, ops_of

SAMPLES = 4
"""Of noise, for the converter to calibrate with."""


def converted_network(seed: int) -> RandomNetwork:
    """A random model of up to about twelve layers.

    Args:
        seed: The same seed gives the same model.
    """
    chance = np.random.default_rng([seed, 7])
    shape = tuple(int(chance.integers(low, high)) for low, high in ((4, 24), (4, 24), (1, 6)))
    if chance.random() < 0.25:
        shape = (int(chance.integers(6, 40)), int(chance.integers(1, 6)))
    real = bool(chance.random() < 0.3)
    # An open batch, as most people's models have it, brings SHAPE, STRIDED_SLICE and PACK with it. With a dilation it
    # makes TFLite Micro work beyond the ends of its tensors, which is nothing to compare with.
    open_batch = bool(chance.random() < 0.3)
    data = _converted(seed, shape, real, open_batch)
    if open_batch and "SPACE_TO_BATCH_ND" in ops_of(data):
        data = _converted(seed, shape, real, open_batch=False)
    given = Input((1, *shape), "float32", -3, 3) if real else Input((1, *shape), "int8")
    return RandomNetwork(seed, data, (given,), 1, ops_of(data), 0, frozenset())


def _converted(seed: int, shape: tuple[int, ...], real: bool, open_batch: bool) -> bytes:
    keras = import_keras()
    import tensorflow as tf

    chance = np.random.default_rng([seed, 8])
    keras.utils.set_random_seed(seed)
    entry = keras.Input(shape=shape) if open_batch else keras.Input(batch_shape=(1, *shape))
    model = keras.Model(entry, _layers(keras, chance, entry))
    for weight in model.weights:    # also batch normalization's, which begin as ones and zeros
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(chance.uniform(0.5, 2, weight.shape))
        elif weight.name in ("bias", "beta", "moving_mean", "alpha"):
            weight.assign(chance.normal(0, 0.2, weight.shape))
    samples = chance.normal(0, 1, (SAMPLES, 1, *shape)).astype(np.float32)
    with quiet_native():
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample] for sample in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if not real:
            converter.inference_input_type = converter.inference_output_type = tf.int8
        return bytes(converter.convert())


def _layers(keras: Any, chance: np.random.Generator, value: Any) -> Any:
    layers = keras.layers
    for _ in range(int(chance.integers(1, 10))):
        rank = len(value.shape)
        choices = IMAGE if rank == 4 else SEQUENCE if rank == 3 else VECTOR
        value = choices[int(chance.integers(len(choices)))](layers, chance, value)
        if len(value.shape) == 4 and max(int(size) for size in value.shape[1:3]) > 40:
            value = layers.AveragePooling2D(3)(value)
    if len(value.shape) > 2:
        pool = {4: layers.GlobalAveragePooling2D, 3: layers.GlobalAveragePooling1D}[len(value.shape)]
        value = (layers.Flatten() if chance.random() < 0.5 else pool())(value)
    if chance.random() < 0.7:
        value = layers.Dense(int(chance.integers(1, 12)), activation=_pick(chance, None, "softmax", "sigmoid"))(value)
    return value


def _pick(chance: np.random.Generator, *choices: Any) -> Any:
    return choices[int(chance.integers(len(choices)))]


Make = Callable[[Any, np.random.Generator, Any], Any]


def _activation(chance: np.random.Generator) -> Any:
    return _pick(chance, None, "relu", "relu", "relu6", "tanh", "sigmoid", "hard_swish")


def _conv(layers: Any, chance: np.random.Generator, value: Any) -> Any:
    dilation = _pick(chance, 1, 1, 1, 2)
    return layers.Conv2D(
        int(chance.integers(1, 13)),
        (int(chance.integers(1, 5)), int(chance.integers(1, 5))),
        strides=1 if dilation > 1 else _pick(chance, 1, 1, 2, (2, 1)),
        padding="same",
        dilation_rate=dilation,
        use_bias=bool(chance.random() < 0.7),
        activation=_activation(chance),
    )(value)


def _normalized(layers: Any, chance: np.random.Generator, value: Any) -> Any:
    value = layers.Conv2D(int(chance.integers(2, 10)), 3, padding="same", use_bias=False)(value)
    return layers.ReLU(max_value=_pick(chance, None, 6.0))(layers.BatchNormalization()(value))


def _depthwise(layers: Any, chance: np.random.Generator, value: Any) -> Any:
    stride, multiplier = _pick(chance, 1, 1, 2), _pick(chance, 1, 1, 2)
    return layers.DepthwiseConv2D(3, stride, "same", multiplier, activation=_activation(chance))(value)


def _transposed(layers: Any, chance: np.random.Generator, value: Any) -> Any:
    channels, kernel = int(chance.integers(1, 8)), int(chance.integers(1, 4))
    return layers.Conv2DTranspose(channels, kernel, strides=2, padding=_pick(chance, "same", "valid"))(value)


def _residual(layers: Any, chance: np.random.Generator, value: Any) -> Any:
    other = layers.Conv2D(int(value.shape[-1]), 3, padding="same", activation="relu")(value)
    join = _pick(chance, layers.Add, layers.Multiply, layers.Concatenate, layers.Maximum, layers.Subtract)
    return join()([value, other])


def _squeezed(layers: Any, chance: np.random.Generator, value: Any) -> Any:
    """Squeeze and excitation: a factor for each channel."""
    channels = int(value.shape[-1])
    factors = layers.Dense(channels, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(value))
    del chance
    return layers.Multiply()([value, factors])


def _pooled(layers: Any, chance: np.random.Generator, value: Any) -> Any:
    pool = _pick(chance, layers.MaxPooling2D, layers.AveragePooling2D)
    return pool(int(chance.integers(1, 4)), padding="same")(value)


def _bordered(layers: Any, chance: np.random.Generator, value: Any) -> Any:
    return layers.ZeroPadding2D(((int(chance.integers(0, 3)), 1), (1, int(chance.integers(0, 3)))))(value)


def _cropped(layers: Any, chance: np.random.Generator, value: Any) -> Any:
    height, width = int(value.shape[1]), int(value.shape[2])
    del chance
    return layers.Cropping2D(((0, int(height > 2)), (int(width > 2), 0)))(value)


def _enlarged(layers: Any, chance: np.random.Generator, value: Any) -> Any:
    del chance
    return layers.UpSampling2D(2, interpolation="bilinear")(value)


def _pointwise(layers: Any, chance: np.random.Generator, value: Any) -> Any:
    slopes = layers.PReLU(shared_axes=[1, 2][: len(value.shape) - 2])
    return _pick(chance, layers.LeakyReLU(), slopes, layers.Softmax())(value)


def _turned(layers: Any, chance: np.random.Generator, value: Any) -> Any:
    return layers.Permute(_pick(chance, (2, 1, 3), (3, 1, 2)))(value)


def _as_sequence(layers: Any, chance: np.random.Generator, value: Any) -> Any:
    del chance
    return layers.Reshape((-1, int(value.shape[-1])))(value)


def _conv_1d(layers: Any, chance: np.random.Generator, value: Any) -> Any:
    padding, dilation = _pick(chance, ("same", 1), ("valid", 1), ("causal", 1), ("causal", 2), ("same", 2))
    kernel = min(int(chance.integers(1, 6)), max(1, int(value.shape[1]) // 2))
    channels = int(chance.integers(1, 10))
    options = {"padding": padding, "dilation_rate": dilation, "activation": _activation(chance)}
    return layers.Conv1D(channels, kernel, **options)(value)


def _pooled_1d(layers: Any, chance: np.random.Generator, value: Any) -> Any:
    return _pick(chance, layers.MaxPooling1D, layers.AveragePooling1D)(2, padding="same")(value)


def _dense(layers: Any, chance: np.random.Generator, value: Any) -> Any:
    return layers.Dense(int(chance.integers(1, 20)), activation=_activation(chance))(value)


IMAGE: tuple[Make, ...] = (
    *(_conv, _conv, _conv, _normalized, _depthwise, _depthwise, _transposed, _residual, _residual, _squeezed),
    *(_pooled, _pooled, _bordered, _cropped, _enlarged, _pointwise, _turned, _as_sequence, _dense),
)
SEQUENCE: tuple[Make, ...] = (_conv_1d, _conv_1d, _conv_1d, _pooled_1d, _pointwise, _dense)
VECTOR: tuple[Make, ...] = (_dense, _pointwise)
