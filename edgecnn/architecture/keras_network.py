"""A planned network as a Keras model."""

from __future__ import annotations

from typing import Any

from edgecnn.architecture.plan import OUTPUT, PlannedLayer, plan, shapes
from edgecnn.architecture.settings import ArchitectureSettings
from edgecnn.errors import UsageError
from edgecnn.keras_quiet import import_keras
from edgecnn.tasks import Task

_LAST = {"classification": "softmax", "binary": "sigmoid"}
"""Activation of the classifier, by the task."""


def build_network(
    text: str, settings: ArchitectureSettings, name: str, task: Task, input_shape: tuple[int, ...], classes: int
) -> Any:
    """Build the network that a notation stands for.

    Convolutions are 1-D for signals ``[T, C]`` and 2-D for images ``[H, W, C]``; all have biases. C, S and F compute no
    activation of their own: write R behind them. The first F flattens what is not flat yet. The last one has a softmax
    over the classes, or for the task ``binary`` one sigmoid.

    Args:
        text: The notation.
        settings: The sizes beside it.
        name: Of the model.
        task: What the network is for.
        input_shape: Of one preprocessed sample.
        classes: Of the data.

    Returns:
        A ``keras.Sequential``, built and not compiled.

    Raises:
        UsageError: The notation, the settings, the task and the data do not fit each other.
    """
    if task not in _LAST:
        raise UsageError(
            f"architecture {text!r}: the last F classifies, and model.task is {task!r}. Supported: "
            f"{', '.join(_LAST)}. Write a model.py for other tasks."
        )
    layers = plan(text, settings)
    outputs = 1 if task == "binary" else classes
    before = (input_shape, *shapes(text, layers, input_shape, outputs))
    keras = import_keras("building a network")
    parts = [keras.Input(input_shape)]
    for layer, shape in zip(layers, before, strict=False):
        if layer.letter == "F" and len(shape) > 1:
            parts.append(keras.layers.Flatten(name=f"flatten_{layer.name}"))
        parts.append(_keras_layer(keras, layer, len(input_shape) - 1, outputs, _LAST[task]))
    return keras.Sequential(parts, name=name)


def _keras_layer(keras: Any, layer: PlannedLayer, axes: int, outputs: int, last: str) -> Any:
    """The Keras layer of one letter.

    Args:
        keras: The module.
        layer: What is to be built.
        axes: 1 for signals, 2 for images.
        outputs: Units of the classifier.
        last: Its activation.
    """
    of_keras = keras.layers
    if layer.letter == "F" and layer.name == OUTPUT:
        return of_keras.Dense(outputs, activation=last, name=layer.name)
    if layer.letter == "F":
        return of_keras.Dense(layer.units, name=layer.name)
    if layer.letter == "R":
        return of_keras.ReLU(name=layer.name)
    if layer.letter == "B":
        return of_keras.BatchNormalization(name=layer.name)
    if layer.letter == "D":
        return of_keras.Dropout(layer.rate, name=layer.name)
    kinds = {"C": "Conv", "S": "SeparableConv", "P": "MaxPooling", "A": "AveragePooling", "G": "GlobalAveragePooling"}
    kind = getattr(of_keras, f"{kinds[layer.letter]}{axes}D")
    if layer.letter == "G":
        return kind(name=layer.name)
    if layer.letter in "PA":
        return kind(layer.window, name=layer.name)
    return kind(layer.units, layer.window, strides=layer.stride, padding=layer.padding, name=layer.name)
