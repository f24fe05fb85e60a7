"""Keras layers that do not convert to int8, exchanged for ones that compute the same and do, before a conversion.

``LOWERINGS`` names the layers. A user's model is converted as it stands; what is trained and saved stays Keras's own.
A batch normalization behind a convolution is folded into its weights, and a ReLU behind that into its activation: the
exchanged convolution ends in operators behind which the converter would not look for them.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecnn.errors import EdgecnnError
from edgecnn.keras_quiet import import_keras

LOWERINGS: dict[str, tuple[str, str]] = {
    "Conv3D": ("edgecnn.layers.frames", "FramesConv3D"),
    "MaxPooling3D": ("edgecnn.layers.frames", "FramesMaxPooling3D"),
    "AveragePooling3D": ("edgecnn.layers.frames", "FramesAveragePooling3D"),
    "GlobalMaxPooling3D": ("edgecnn.layers.frames", "FramesGlobalMaxPooling3D"),
    "GlobalAveragePooling3D": ("edgecnn.layers.frames", "FramesGlobalAveragePooling3D"),
}
"""Name of Keras's class to the module and class of the layer that stands in for it: same arguments, same weights."""

_FOLDING = frozenset({"Conv3D"})
"""Those that a batch normalization and an activation behind them are folded into."""


@dataclass(frozen=True)
class _Fold:
    """What stands behind a convolution and goes into it."""

    normalization: Any | None
    activation: Any | None


def lowered(model: Any, inputs: Any) -> Any:
    """A model of batch 1 in which every layer of ``LOWERINGS`` is exchanged.

    Layers that stay are shared with ``model``, weights and all.

    Args:
        model: A functional or Sequential ``keras.Model``, other models inside it included.
        inputs: The ``keras.Input`` of batch 1 that the result is built on.

    Returns:
        A model that gives what ``model`` gives in inference, but for the order of float additions; ``model`` itself
        where it has no such layer.

    Raises:
        EdgecnnError: A layer has a form that nothing stands in for.
    """
    models = [*_models_in(model)]
    found = [layer for one in models for layer in one.layers if _keras_name(layer) in LOWERINGS]
    if not found:
        return model
    for layer in found:
        _require_supported(layer)
    keras = import_keras("quantization")
    from edgecnn.layers import FoldedNorm

    folds = {id(layer): fold for one in models for layer, fold in _folds(keras, one)}
    gone = {id(layer) for fold in folds.values() for layer in (fold.normalization, fold.activation) if layer}
    exchanged = []

    def clone(layer: Any) -> Any:
        if id(layer) in gone:
            return FoldedNorm(name=layer.name)
        name = _keras_name(layer)
        if name not in LOWERINGS:
            return layer
        module, kind = LOWERINGS[name]
        config = layer.get_config()
        if (fold := folds.get(id(layer))) is not None:
            config |= {"use_bias": True} if fold.normalization is not None else {}
            config |= {"activation": "relu"} if fold.activation is not None else {}
        new = getattr(importlib.import_module(module), kind).from_config(config)
        exchanged.append((layer, new))
        return new

    single = keras.models.clone_model(model, input_tensors=inputs, clone_function=clone, recursive=True)
    for layer, new in exchanged:
        weights = [np.asarray(weight) for weight in layer.weights]
        fold = folds.get(id(layer))
        if fold is not None and fold.normalization is not None:
            weights = _folded(weights, fold.normalization)
        new.set_weights(weights)
    return single


def _keras_name(layer: Any) -> str:
    """The class's name where it is Keras's own: a user's subclass computes something else."""
    return type(layer).__name__ if type(layer).__module__.partition(".")[0] == "keras" else ""


def _models_in(model: Any) -> Iterator[Any]:
    """The model and those inside it, as far as their layers are known."""
    yield model
    for layer in getattr(model, "layers", ()):
        if hasattr(layer, "layers") and getattr(layer, "_nodes_by_depth", None) is not None:
            yield from _models_in(layer)


def _require_supported(layer: Any) -> None:
    found = ""
    if layer.data_format != "channels_last":
        found, supported = f"data_format={layer.data_format!r}", "'channels_last'"
    elif getattr(layer, "groups", 1) != 1:
        found, supported = f"groups={layer.groups}", "1"
    if found:
        raise EdgecnnError(
            f"layer {layer.name!r}: {type(layer).__name__} with {found} cannot be made int8 (supported: {supported}). "
            "Change it in model.py and train again."
        )


def _folds(keras: Any, model: Any) -> Iterator[tuple[Any, _Fold]]:
    """Each convolution of a model with what goes into it."""
    consumers = _consumers(model)
    for layer in model.layers:
        if _keras_name(layer) not in _FOLDING:
            continue
        normalization = activation = None
        following: Any = consumers.get(id(layer))
        if keras.activations.serialize(layer.activation) == "linear":
            if _keras_name(following) == "BatchNormalization" and following.axis in (-1, 4):
                normalization, following = following, consumers.get(id(following))
            if _is_relu(keras, following):
                activation = following
        if normalization is not None or activation is not None:
            yield layer, _Fold(normalization, activation)


def _is_relu(keras: Any, layer: Any) -> bool:
    if _keras_name(layer) == "Activation":
        return bool(keras.activations.serialize(layer.activation) == "relu")
    # Keras's ReLU has a bound, a slope and a threshold; only the plain one is an activation by name.
    plain = (None, 0.0, 0.0)
    return _keras_name(layer) == "ReLU" and (layer.max_value, layer.negative_slope, layer.threshold) == plain


def _consumers(model: Any) -> dict[int, Any]:
    """For each layer that is used once and whose output goes to one other such layer alone, that layer."""
    # Keras has no public way to a model's nodes, and a layer's own list has its uses in other models too.
    functional = getattr(model, "_functional", None) or model
    nodes = [node for nodes in functional._nodes_by_depth.values() for node in nodes]
    uses: dict[int, int] = {}
    readers: dict[int, list[Any]] = {}
    for node in nodes:
        uses[id(node.operation)] = uses.get(id(node.operation), 0) + 1
        for tensor in node.input_tensors:
            readers.setdefault(id(tensor._keras_history.operation), []).append(node.operation)
    for tensor in functional.outputs:
        readers.setdefault(id(tensor._keras_history.operation), []).append(None)
    return {
        source: found[0]
        for source, found in readers.items()
        if len(found) == 1 and found[0] is not None and uses[source] == 1 and uses[id(found[0])] == 1
    }


def _folded(weights: list[np.ndarray], normalization: Any) -> list[np.ndarray]:
    """Kernel and bias of a convolution with the batch normalization behind it in them.

    ``gamma * (k * x + b - mean) / sqrt(variance + epsilon) + beta`` is a convolution again (Jacob et al. 2018,
    arXiv:1712.05877, section 3.2).
    """
    kernel, bias = weights[0].astype(np.float64), weights[1] if len(weights) > 1 else 0.0
    mean, variance = (np.asarray(value, np.float64) for value in (
        normalization.moving_mean, normalization.moving_variance
    ))
    factor = 1 / np.sqrt(variance + normalization.epsilon)
    if normalization.scale:
        factor *= np.asarray(normalization.gamma)
    offset = np.asarray(normalization.beta) if normalization.center else 0.0
    return [(kernel * factor).astype(np.float32), ((bias - mean) * factor + offset).astype(np.float32)]
