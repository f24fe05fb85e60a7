"""Transfer: the layers of a trained run as the backbone of a new network (``model.base``).

What the first layers of a network have learned serves other tasks too (Yosinski, Clune, Bengio, Lipson 2014,
arXiv:1411.1792). The new run holds a copy of the old one's model (``base.keras``), so it can be resumed where the old
run is no more. Training has two parts: for ``train.head_epochs`` all of the backbone is frozen and the new head learns;
then everything learns but the first ``train.freeze`` layers. A frozen batch normalization keeps its averages and works
by them, as in inference.
"""

from __future__ import annotations

from typing import Any

from edgecnn.errors import UsageError, first_line
from edgecnn.keras_quiet import import_keras, load_keras_model
from edgecnn.recipe import Recipe, TrainSection
from edgecnn.runs import BASE, Run

PREFIX = "base_"
"""What the names of layers begin with that come from the base; the new ones' do not."""

TO_VECTORS = (
    "Flatten",
    *(f"Global{kind}Pooling{rank}D" for kind in ("Average", "Max") for rank in (1, 2, 3)),
)
"""Keras layers that end the part of a network in which places are places: the head begins there."""


def check(recipe: Recipe) -> None:
    """Refuse settings of a transfer without one.

    Raises:
        UsageError: As the message says.
    """
    if recipe.model.base is not None and recipe.model.architecture is not None:
        raise UsageError("model.base and model.architecture are both given: a notation has no place for a base.")
    for name in ("freeze", "head_epochs"):
        if recipe.model.base is None and getattr(recipe.train, name):
            raise UsageError(
                f"train.{name} = {getattr(recipe.train, name)}: there is no trained run whose layers could be frozen. "
                "Name one with --from RUN, or as model.base in the recipe."
            )


def offered(run: Run, shape: tuple[int, ...]) -> dict[str, Any]:
    """What ``build()`` of a run that continues another one may declare.

    Args:
        run: With ``base.keras``, or an ordinary one.
        shape: Of one preprocessed sample, without batch.

    Returns:
        ``base``, the backbone; nothing for an ordinary run.

    Raises:
        UsageError: No backbone can be made of the base for such samples.
    """
    if run.info.recipe.model.base is None:
        return {}
    return {"base": backbone(load_keras_model(run.require(BASE, "edgecnn train"), "training"), shape)}


def backbone(model: Any, shape: tuple[int, ...]) -> Any:
    """The layers of a trained model up to the last one of ``TO_VECTORS``, for samples of another size.

    Args:
        model: A trained functional or Sequential ``keras.Model``.
        shape: Of one sample, without batch; with the channels that the model has learned from.

    Returns:
        A ``keras.Model`` ``[N, *shape]`` to feature maps, with the model's weights; names begin with ``PREFIX``.

    Raises:
        UsageError: The model has no such layer, or does not fit the samples.
    """
    keras = import_keras("training")
    own = tuple(model.input_shape[1:])
    if len(own) != len(shape) or own[-1] != shape[-1]:
        raise UsageError(
            f"model.base: {model.name} has learned from {own} samples, the data gives {tuple(shape)}. Their size may "
            "differ, their channels may not. Choose another base or another [data] set."
        )
    ends = [layer for layer in model.layers if type(layer).__name__ in TO_VECTORS]
    if not ends:
        raise UsageError(
            f"model.base: {model.name} has no layer that ends its feature maps ({', '.join(TO_VECTORS)}), so there is "
            "nothing to put a new head on. Choose a convolutional base."
        )
    features = keras.Model(model.inputs[0], ends[-1].input)

    def renamed(layer: Any) -> Any:
        config = {**layer.get_config(), "name": f"{PREFIX}{layer.name.removeprefix(PREFIX)}", "trainable": True}
        return layer.__class__.from_config(config)

    try:
        grown = keras.models.clone_model(features, input_tensors=keras.Input(shape), clone_function=renamed)
        grown.set_weights(features.get_weights())
    except ValueError as error:    # a window larger than the image, weights that depend on its size, …
        raise UsageError(
            f"model.base: {model.name} cannot work on {tuple(shape)} samples: {first_line(error)}. It has learned from "
            f"{own}."
        ) from error
    return grown


def base_layers(model: Any) -> list[Any]:
    """The layers with weights that come from the base, in the order of the network."""
    layers = model._flatten_layers(include_self=False, recursive=True)
    return [one for one in layers if one.name.startswith(PREFIX) and one.weights and not hasattr(one, "layers")]


def freeze(model: Any, section: TrainSection, epoch: int) -> bool:
    """Make those layers trainable that learn in an epoch.

    Args:
        model: Built on a backbone.
        section: ``[train]``.
        epoch: From 0.

    Returns:
        Whether anything changed, so that the training step must be made anew.

    Raises:
        UsageError: ``train.freeze`` is more than there is.
    """
    layers = base_layers(model)
    if section.freeze > len(layers):
        raise UsageError(
            f"train.freeze = {section.freeze}: {len(layers)} layers with weights come from the base. Freeze at most "
            "as many."
        )
    frozen = len(layers) if epoch < section.head_epochs else section.freeze
    wanted = [number >= frozen for number in range(len(layers))]
    changed = wanted != [bool(layer.trainable) for layer in layers]
    for layer, learns in zip(layers, wanted, strict=True):
        layer.trainable = learns
    return changed


def freezing(model: Any, recipe: Recipe) -> list[Any]:
    """The callback that freezes and thaws layers; none for a network without a base.

    Args:
        model: Compiled, its optimizer built for all of its weights.
        recipe: Of the run.

    Raises:
        UsageError: ``train.freeze`` is more than there is.
    """
    if recipe.model.base is None:
        return []
    freeze(model, recipe.train, 0)
    keras = import_keras("training")

    class Freezing(keras.callbacks.Callback):    # type: ignore[misc, name-defined]
        """Made here because Keras is imported late."""

        def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            del logs
            if freeze(self.model, recipe.train, epoch):
                self.model.make_train_function(force=True)

    return [Freezing()]
