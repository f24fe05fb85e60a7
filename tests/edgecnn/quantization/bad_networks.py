"""Small networks for scikit-learn's digits with one layer made bad on purpose, and the pair of files of each.

Two convolutions, a global pooling and a dense layer, trained for some epochs; then a change that float does not notice.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecnn.contract import Contract
from edgecnn.data.base import Samples
from edgecnn.keras_quiet import import_keras
from edgecnn.preprocess import ImagePreprocess
from edgecnn.quantization.convert import convert, tensor_contracts
from edgecnn.quantization.pair import Pair, match_graphs
from firmware_export.tflite import read_model

LABELS = tuple("0123456789")


@dataclass(frozen=True)
class Case:
    """A network in both forms, and samples that it was neither trained nor calibrated on."""

    pair: Pair
    float_model: bytes
    int8_model: bytes
    samples: Samples
    contracts: tuple[Contract, Contract]


@functools.cache
def digits() -> tuple[Samples, Samples]:
    """Training and test samples, ``uint8 [N, 8, 8, 1]``."""
    from sklearn.datasets import load_digits

    images, classes = load_digits(return_X_y=True)
    x, y = np.minimum(images * 16, 255).astype(np.uint8).reshape(-1, 8, 8, 1), classes.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(y))
    samples = Samples(x, y)
    return samples.take(order[:1200]), samples.take(order[1200:])


def network(norm_after: bool = False) -> Any:
    """Not trained."""
    keras = import_keras("tests")
    keras.utils.set_random_seed(3)
    layers = keras.layers
    norms = [layers.BatchNormalization(name="late_norm")] if norm_after else []
    return keras.Sequential([
        keras.Input((8, 8, 1)),
        layers.Conv2D(16, 3, activation="relu", name="first"),
        *norms,
        layers.Conv2D(24, 3, padding="same", activation="relu", name="second"),
        layers.GlobalAveragePooling2D(name="pooling"),
        layers.Dense(10, name="scores"),
    ])


def trained(model: Any, preprocess: ImagePreprocess) -> Any:
    """After 25 epochs."""
    keras = import_keras("tests")
    train, _ = digits()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(4e-3), loss)
    model.fit(preprocess.apply(train.x), train.y, batch_size=64, epochs=25, verbose=0)
    return model


def case(model: Any, preprocess: ImagePreprocess, fold: bool = True) -> Case:
    """Both files of a trained model."""
    train, test = digits()
    made = convert(model, preprocess.apply(train.x[:200]), fold=fold)
    graphs = read_model(made.float_tflite, "float.tflite"), read_model(made.int8_tflite, "int8.tflite")
    ends = [tensor_contracts(graph) for graph in graphs]
    contracts = [
        Contract(name="digits", labels=LABELS, preprocess=preprocess, input=first, output=last) for first, last in ends
    ]
    return Case(match_graphs(*graphs), made.float_tflite, made.int8_tflite, test, (contracts[0], contracts[1]))


@functools.cache
def sound() -> Any:
    """A trained network of which nothing is bad."""
    return trained(network(), ImagePreprocess())


@functools.cache
def plain() -> Case:
    """Nothing made bad."""
    return case(sound(), ImagePreprocess())


@functools.cache
def off_zero() -> Case:
    """Inputs from 20 to 21, which the first layer's bias takes back."""
    model = copy_of(sound())
    kernel, bias = model.get_layer("first").get_weights()
    model.get_layer("first").set_weights([kernel, bias - 20 * kernel.sum(axis=(0, 1, 2))])
    return case(model, ImagePreprocess(scale=1 / 255, offset=20.0))


@functools.cache
def unequal() -> Case:
    """The first layer's channels of scales from 1 to 1000, which the second layer takes back."""
    model = copy_of(sound())
    factors = np.where(np.arange(16) % 8 == 0, 1000.0, np.linspace(1, 4, 16)).astype(np.float32)
    kernel, bias = model.get_layer("first").get_weights()
    model.get_layer("first").set_weights([kernel * factors, bias * factors])
    kernel, bias = model.get_layer("second").get_weights()
    model.get_layer("second").set_weights([kernel / factors[:, np.newaxis], bias])
    return case(model, ImagePreprocess())


def copy_of(model: Any) -> Any:
    """The same weights in a new model."""
    found = network()
    found.set_weights(model.get_weights())
    return found


@functools.cache
def heavy_tail() -> Case:
    """The second layer's values cubed and multiplied: few of them are very large."""
    keras = import_keras("tests")
    preprocess = ImagePreprocess()
    keras.utils.set_random_seed(3)
    layers = keras.layers
    given = keras.Input((8, 8, 1))
    value = layers.Conv2D(16, 3, padding="same", activation="relu", name="first")(given)
    value = layers.Conv2D(24, 3, padding="same", activation="relu", name="second")(value)
    square = layers.Multiply(name="square")([value, value])
    value = layers.Multiply(name="cube")([square, value])
    value = layers.Conv2D(24, 1, activation="relu", name="third")(value)
    value = layers.GlobalAveragePooling2D(name="pooling")(value)
    return case(trained(keras.Model(given, layers.Dense(10, name="scores")(value)), preprocess), preprocess)


@functools.cache
def late_norm() -> Case:
    """Batch norm after the activation, as other converters leave it."""
    preprocess = ImagePreprocess()
    return case(trained(network(norm_after=True), preprocess), preprocess, fold=False)
