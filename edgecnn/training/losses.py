"""What a training minimises: the loss of the recipe, the form of targets that it takes, and the weight of each class.

Let y be a target, p what the network gives for it, and the mean that over samples (and outputs, or pixels):

===============================  ======================================================================================
mean_squared_error               mean of (y − p)²: the maximum likelihood of Gaussian errors of one variance
mean_absolute_error              mean of abs(y − p): that of Laplace's errors; far ones count less
binary_crossentropy              −mean of y·ln p + (1 − y)·ln(1 − p): y is 1 with probability p (Bernoulli)
categorical_crossentropy         −mean of Σ y_c·ln p_c over classes c, y one-hot
sparse_categorical_crossentropy  the same, y being the class's index: −mean of ln p_y
dice                             1 − 2·Σ y·p / (Σ y + Σ p), over a batch of masks (Milletari et al. 2016, *V-Net*, 3)
===============================  ======================================================================================

They and all others are Keras's. Label smoothing by s puts y·(1 − s) + s/K in place of y, K being the number of classes
(Szegedy et al. 2016, *Rethinking the Inception architecture*, section 7), for one output y·(1 − s) + s/2.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edgecnn.errors import UsageError, unknown_name
from edgecnn.keras_quiet import import_keras
from edgecnn.recipe import NamedOptions, Recipe
from edgecnn.training.keras_objects import classes_in, construct
from edgecnn.training.schedules import canonical

SPARSE = "sparse_categorical_crossentropy"
ONE_HOT = "categorical_crossentropy"
BINARY = "binary_crossentropy"

_SHORT = {"mse": "mean_squared_error", "mae": "mean_absolute_error"}
_NEED_A_CLASS_EACH = frozenset({SPARSE, ONE_HOT, "categorical_focal_crossentropy", "categorical_hinge"})
"""Over one output these say nothing: a distribution over a single class is always right."""


@dataclass(frozen=True)
class Objective:
    """What is minimised.

    Attributes:
        loss: A ``keras.losses.Loss`` or function.
        name: As Keras has it.
        indices: It takes class indices; otherwise one-hot targets, or one value for one output.
    """

    loss: Any
    name: str
    indices: bool


def loss_options(recipe: Recipe, outputs: int) -> NamedOptions:
    """The recipe's loss, or the cross-entropy that fits the outputs."""
    if recipe.train.loss is not None:
        return recipe.train.loss
    if recipe.model.task == "filter":
        return NamedOptions(name="mean_squared_error")
    return NamedOptions(name=BINARY if outputs == 1 else SPARSE)


def takes_indices(recipe: Recipe, outputs: int) -> bool:
    """Whether targets are class indices: for a sparse loss, unless something mixes or smooths them.

    Args:
        recipe: Its ``train.loss`` and ``data.augment``.
        outputs: Values in the last dimension of the network's output.
    """
    options = loss_options(recipe, outputs)
    soft = "label_smoothing" in options.arguments() or recipe.data.augment.mixup > 0
    return canonical(options.name).startswith("sparse") and not soft


def make_objective(recipe: Recipe, outputs: int, labels: Sequence[str], y: np.ndarray) -> Objective:
    """The recipe's loss, with label smoothing and class weights.

    Label smoothing and mixtures of samples (``data.augment.mixup``) need targets between 0 and 1: with them the sparse
    cross-entropy becomes the one over one-hot targets, which is the same function.

    Args:
        recipe: Its ``train.loss``, ``train.class_weight`` and ``data.augment``.
        outputs: Values in the last dimension of the network's output.
        labels: Names of the classes.
        y: Classes of the training samples, ``[N]`` or ``[N, H, W]``: what ``balanced`` counts.

    Raises:
        UsageError: Keras has no such loss, an argument is wrong, or the loss does not fit the network's outputs.
    """
    section, options = recipe.train, loss_options(recipe, outputs)
    name = _known_name(options.name)
    if outputs == 1 and name in _NEED_A_CLASS_EACH:
        raise UsageError(
            f"train.loss {options.name!r} needs an output for each class, and this network has one output: use "
            f"{BINARY} or dice, or give the network {len(labels)} outputs."
        )
    indices = takes_indices(recipe, outputs)
    if name == SPARSE and not indices:
        name = ONE_HOT
    loss = make_loss(options.model_copy(update={"name": name}))
    weights = class_weights(section.class_weight, y, labels)
    if weights is not None:
        if name in ("dice", "tversky"):
            raise UsageError(f"train.class_weight: {name} is a figure of a whole batch, so no class can be weighted.")
        loss = _weighted(loss, weights, outputs, indices)
    return Objective(loss, name, indices)


def _known_name(name: str) -> str:
    """The name of a loss as Keras's functions have it, whichever way it is written.

    Raises:
        UsageError: There is none.
    """
    losses = import_keras("training").losses
    functions = {key for key, value in vars(losses).items() if inspect.isfunction(value)}
    known: dict[str, str] = {canonical(key): key for key in functions - {"get", "serialize", "deserialize"}}
    wanted = canonical(_SHORT.get(name.lower(), name))
    if wanted not in known:
        raise unknown_name("loss", name, {*known.values(), *_SHORT})
    return known[wanted]


def make_loss(options: NamedOptions) -> Any:
    """A Keras loss by the name of its class or function, with the arguments of the class.

    Raises:
        UsageError: Keras has no such loss, or it does not take an argument.
    """
    losses = import_keras("training").losses
    smoothing = options.arguments().get("label_smoothing", 0.0)
    if isinstance(smoothing, int | float) and not 0 <= smoothing < 1:
        raise UsageError(f"train.loss {options.name!r}: label_smoothing = {smoothing:g}: 0 or more, below 1.")
    found = classes_in(losses, losses.Loss)[canonical(_known_name(options.name))]    # each function has its class
    return construct("train.loss", found, options)


def class_weights(
    setting: Literal["none", "balanced"] | dict[str, float], y: np.ndarray, labels: Sequence[str]
) -> np.ndarray | None:
    """The weight of each class in the loss.

    Args:
        setting: ``train.class_weight``. ``balanced`` gives N / (K · n_c) for n_c of N samples (pixels of masks) in
            each of K classes (King and Zeng 2001, *Logistic regression in rare events data*), so that every class
            weighs the same and the mean over all samples is 1. A dict gives weights by label; others have 1.
        y: Classes of the training samples, ``[N]`` or ``[N, H, W]``.
        labels: Names of the classes.

    Returns:
        float32 ``[classes]``, or None where all weigh the same.

    Raises:
        UsageError: A label is not the data's, or a weight is negative.
    """
    if setting == "none":
        return None
    if setting == "balanced":
        counts = np.bincount(y.reshape(-1), minlength=len(labels))
        return (y.size / (len(labels) * np.maximum(counts, 1))).astype(np.float32)
    weights = np.ones(len(labels), np.float32)
    for label, weight in setting.items():
        if label not in labels:
            raise unknown_name("label in train.class_weight", label, list(labels))
        if weight < 0:
            raise UsageError(f"train.class_weight: {label} = {weight:g}: a weight of 0 or more is expected.")
        weights[list(labels).index(label)] = weight
    return weights


def _weighted(loss: Any, weights: np.ndarray, outputs: int, indices: bool) -> Any:
    """A loss whose value for each sample (each pixel of a mask) is multiplied by the weight of its class.

    A mixture of classes has the mixture of their weights. It weighs validation samples too, so that the two losses of
    an epoch can be compared.
    """
    keras = import_keras("training")
    single = weights if outputs > 1 else weights[1] - weights[0]

    class Weighted(keras.losses.Loss):    # type: ignore[misc, name-defined]
        """Made here because Keras is imported late."""

        def call(self, y_true: Any, y_pred: Any) -> Any:
            values = loss.call(y_true, y_pred)
            if indices:
                weight = keras.ops.take(weights, keras.ops.cast(y_true, "int32"))
            elif outputs > 1:
                weight = keras.ops.sum(y_true * single, axis=-1)
            else:
                weight = weights[0] + keras.ops.squeeze(y_true, -1) * single
            return values * keras.ops.cast(keras.ops.reshape(weight, keras.ops.shape(values)), values.dtype)

    return Weighted(name=f"weighted_{loss.name}")
