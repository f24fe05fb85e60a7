"""Networks with known faults, converted once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgecnn.quantization.convert import Converted, convert


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    """Real images, ``[N, 8, 8, 1]`` from 0 to 1."""
    from sklearn.datasets import load_digits

    return np.asarray(load_digits().images[..., None] / 16, np.float32)


def weights(seed: int, kernel: str = "kernel_initializer") -> dict[str, Any]:
    """Arguments of a layer: reproducible weights, and a bias as every trained layer has one."""
    from keras import initializers

    return {kernel: initializers.GlorotUniform(seed), "bias_initializer": initializers.RandomNormal(0.05, 0.05, seed)}


@pytest.fixture(scope="session")
def unequal(digits: np.ndarray) -> Converted:
    """Layers with a ReLU6 between them whose channels differ by a factor of 2,000, a depthwise one among them."""
    from keras import Sequential, layers

    def relu6_convolution(filters: int, seed: int) -> layers.Layer:
        return layers.Conv2D(filters, 3, activation="relu6", **weights(seed))

    network = Sequential([
        layers.Input((8, 8, 1)),
        relu6_convolution(8, 1),
        layers.DepthwiseConv2D(3, activation="relu6", **weights(2, "depthwise_initializer")),
        layers.Conv2D(6, 1, activation="relu", **weights(3)),
        layers.MaxPooling2D(2),
        layers.Conv2D(4, 1, activation="relu", **weights(4)),
        layers.Flatten(),
        layers.Dense(5, **weights(5)),
    ])
    _spread(network.layers[0], network.layers[1], np.geomspace(1, 1 / 2000, 8))
    _spread(network.layers[2], network.layers[4], np.geomspace(1 / 500, 1, 6))
    return convert(network, digits[:200])


def _spread(first: Any, second: Any, factors: np.ndarray) -> None:
    """Make channels unequal without changing what two layers compute together."""
    kernel, bias = first.get_weights()
    first.set_weights([kernel * factors, bias * factors])
    kernel, bias = second.get_weights()
    second.set_weights([kernel / factors.reshape(-1, 1), bias])    # [h, w, in, out]


@pytest.fixture(scope="session")
def branches(digits: np.ndarray) -> Converted:
    """Two alike branches from one value, joined, with an addition, a pool, and a softmax."""
    import keras
    from keras import layers

    entry = keras.Input((8, 8, 1))
    ways = [
        layers.Conv2D(3, 3, activation="relu", **weights(seed))(entry)
        for seed in (1, 2)
    ]
    joined = layers.MaxPooling2D(2)(layers.Concatenate()(ways))
    added = layers.Add()([joined, layers.Conv2D(6, 1, **weights(3))(joined)])
    flat = layers.Flatten()(added)
    scores = layers.Dense(4, activation="softmax", **weights(4))(flat)
    return convert(keras.Model(entry, scores), digits[:100])


@pytest.fixture(scope="session")
def same_output() -> Callable[[bytes, bytes, np.ndarray], float]:
    """The largest difference between the outputs of two files."""
    from edgecnn.quantization.observe import activations
    from firmware_export.tflite import read_model

    def difference(first: bytes, second: bytes, inputs: np.ndarray) -> float:
        found = []
        for model in (first, second):
            output = read_model(model).outputs[0]
            found.append(np.stack([values[output] for values in activations(model, inputs, [output])]))
        return float(np.abs(found[0] - found[1]).max())

    return difference
