"""Keras optimizers and schedules by the names that a recipe uses.

With g the gradient of the loss, w the weights and η the learning rate, all of them Keras's, element by element:

==============  =======================================================================================================
sgd             w ← w − η·g
momentum        v ← β·v − η·g, w ← w + v                                                    (β = 0.9)
nesterov        v ← β·v − η·g, w ← w + β·v − η·g: the step after the next one, looked up now (β = 0.9)
adagrad         s ← s + g², w ← w − η·g / √(s + ε)                                  (Duchi, Hazan and Singer 2011)
rmsprop         s ← ρ·s + (1 − ρ)·g², w ← w − η·g / √(s + ε)                        (Tieleman and Hinton 2012)
adam            means of g and of g², both corrected for their beginning at 0, w ← w − η·m̂ / (√v̂ + ε)
                                                                                    (Kingma and Ba 2015)
adamw           adam, and w ← w − η·λ·w beside it                                   (Loshchilov and Hutter 2019)
==============  =======================================================================================================

Each takes ``clipnorm`` (of every gradient tensor), ``global_clipnorm`` (of all together) or ``clipvalue``.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from edgecnn.errors import UsageError, unknown_name
from edgecnn.keras_quiet import import_keras
from edgecnn.recipe import NamedOptions, TrainSection
from edgecnn.training.schedules import SCHEDULES, canonical, own_schedule

ALIASES: dict[str, dict[str, Any]] = {
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
}
"""Names of the books for what Keras calls SGD with arguments."""

_OF_OTHERS = frozenset({"lossscaleoptimizer", "multioptimizer"})
"""What Keras wraps around optimizers is none that a recipe can name."""


def classes_in(module: Any, base: type) -> dict[str, type]:
    """Canonical name to class of all that ``module`` has of ``base``."""
    return {
        canonical(name): member
        for name, member in vars(module).items()
        if inspect.isclass(member) and issubclass(member, base) and member is not base
    }


def construct(key: str, found: type, options: NamedOptions, extra: Mapping[str, Any] | None = None) -> Any:
    """Call a Keras class with a recipe's arguments, explaining a wrong one.

    Args:
        key: Of the recipe.
        found: The class.
        options: Its name and arguments as the recipe has them.
        extra: Arguments that the recipe's replace.

    Raises:
        UsageError: The class does not take an argument, or not that value.
    """
    parameters = inspect.signature(found).parameters
    allowed = [name for name in parameters if name not in ("self", "kwargs", "name")]
    given = options.arguments()
    for name, value in given.items():
        if name not in allowed:
            raise unknown_name(f"argument of {key} {options.name!r}", name, allowed)
        if isinstance(parameters[name].default, float) and not _is_number(value):    # Keras looks at it much later
            raise UsageError(f"{key} {options.name!r}: {name} = {value!r}: a number is expected.")
    try:
        return found(**{**(extra or {}), **given})
    except (TypeError, ValueError) as error:
        raise UsageError(f"{key} {options.name!r}: {error}. It takes: {', '.join(allowed)}.") from error


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def make_optimizer(section: TrainSection, steps_per_epoch: int) -> Any:
    """The recipe's optimizer, with its learning-rate schedule where that is one of Keras's.

    A schedule of Keras's that has ``decay_steps`` and is given none decays over the whole training; each takes
    ``warmup_epochs``. A schedule of ``schedules.py`` is followed by a callback instead.

    Args:
        section: ``[train]``.
        steps_per_epoch: Batches in an epoch.

    Raises:
        UsageError: A name or an argument is not Keras's, or two parts of the recipe contradict each other.
    """
    keras = import_keras("training")
    options, extra = section.optimizer, dict[str, Any]()
    optimizers = classes_in(keras.optimizers, keras.optimizers.Optimizer)
    optimizers = {name: found for name, found in optimizers.items() if name not in _OF_OTHERS}
    name = canonical(options.name)
    if name in ALIASES:
        name, extra = "sgd", dict(ALIASES[name])
    if name not in optimizers:
        raise unknown_name("optimizer", options.name, {*optimizers, *ALIASES})
    if options.arguments().get("use_ema"):
        raise UsageError("train.optimizer.use_ema: a moving average of the weights is train.average, such as 0.999.")
    if section.schedule is not None:
        own = own_schedule(section.schedule, section.epochs)
        if "learning_rate" in options.arguments() and (own is None or own.initial_learning_rate is not None):
            raise UsageError("train.optimizer and train.schedule both set the learning rate: remove one of the two.")
        if own is None:
            extra["learning_rate"] = keras_schedule(section.schedule, section.epochs, steps_per_epoch)
    return construct("train.optimizer", optimizers[name], options, extra)


def keras_schedule(options: NamedOptions, epochs: int, steps_per_epoch: int) -> Any:
    """A ``keras.optimizers.schedules`` object.

    Args:
        options: Its name and arguments; ``warmup_epochs`` lets the rate rise in a straight line before it begins.
        epochs: Of the whole training.
        steps_per_epoch: Batches in an epoch.

    Raises:
        UsageError: The name or an argument is not Keras's.
    """
    keras = import_keras("training")
    schedules = classes_in(keras.optimizers.schedules, keras.optimizers.schedules.LearningRateSchedule)
    name = canonical(options.name)
    if name not in schedules:
        raise unknown_name("schedule", options.name, {*schedules, *SCHEDULES})
    found = schedules[name]
    arguments = options.arguments()
    warmup = arguments.pop("warmup_epochs", 0)
    if not _is_number(warmup) or not 0 <= warmup < epochs:
        raise UsageError(
            f"train.schedule {options.name!r}: warmup_epochs = {warmup!r}: a number of epochs is expected, 0 or more "
            f"and less than the {epochs} of the training."
        )
    first = round(warmup * steps_per_epoch)
    parameters = inspect.signature(found).parameters
    extra = {"decay_steps": epochs * steps_per_epoch - first} if "decay_steps" in parameters else {}
    made = construct("train.schedule", found, NamedOptions(name=options.name, **arguments), extra)
    try:
        float(made(0))
    except Exception as error:    # TensorFlow's, of arguments that are no numbers
        given = ", ".join(f"{name} = {value!r}" for name, value in arguments.items())
        raise UsageError(f"train.schedule {options.name!r} gives no learning rate with {given}.") from error
    return _warmed(made, first) if first else made


def _warmed(schedule: Any, steps: int) -> Any:
    """``schedule``, begun after ``steps`` in which the rate rises in a straight line to its first one."""
    keras = import_keras("training")
    ops = keras.ops

    class Warmed(keras.optimizers.schedules.LearningRateSchedule):    # type: ignore[misc, name-defined]
        """Made here because Keras is imported late."""

        def __call__(self, step: Any) -> Any:
            step = ops.cast(step, "float32")
            rising = schedule(0) * (step + 1) / steps
            return ops.where(step < steps, rising, schedule(ops.maximum(step - steps, 0)))

        def get_config(self) -> dict[str, Any]:
            return {"schedule": schedule.get_config(), "steps": steps}

    return Warmed()
