"""Keras optimizers, schedules and losses by the names that a recipe uses."""

from __future__ import annotations

import inspect
from typing import Any

from edgecnn.errors import UsageError, unknown_name
from edgecnn.keras_quiet import import_keras
from edgecnn.recipe import NamedOptions, TrainSection
from edgecnn.tasks import Task


def _canonical(name: str) -> str:
    """``CosineDecay``, ``cosine_decay`` and ``cosinedecay`` are one name."""
    return name.replace("_", "").lower()


def _classes(module: Any, base: type) -> dict[str, type]:
    return {
        _canonical(name): member
        for name, member in vars(module).items()
        if inspect.isclass(member) and issubclass(member, base) and member is not base
    }


def _construct(key: str, found: type, options: NamedOptions, extra: dict[str, Any]) -> Any:
    """Call a Keras class with a recipe's arguments, explaining a wrong one."""
    allowed = [name for name in inspect.signature(found).parameters if name not in ("self", "kwargs", "name")]
    given = options.arguments()
    for name in given:
        if name not in allowed:
            raise unknown_name(f"argument of {key} {options.name!r}", name, allowed)
    try:
        return found(**{**extra, **given})
    except (TypeError, ValueError) as error:
        raise UsageError(f"{key} {options.name!r}: {error}. It takes: {', '.join(allowed)}.") from error


def make_optimizer(section: TrainSection, steps_per_epoch: int) -> Any:
    """The recipe's optimizer with its learning-rate schedule.

    A schedule that has ``decay_steps`` and is given none decays over the whole training.

    Args:
        section: ``[train]``.
        steps_per_epoch: Batches in an epoch.

    Raises:
        UsageError: A name or an argument is not Keras's.
    """
    keras = import_keras("training")
    optimizers = _classes(keras.optimizers, keras.optimizers.Optimizer)
    name = _canonical(section.optimizer.name)
    if name not in optimizers:
        raise unknown_name("optimizer", section.optimizer.name, optimizers)
    extra: dict[str, Any] = {}
    if section.schedule is not None:
        if "learning_rate" in section.optimizer.arguments():
            raise UsageError("train.optimizer and train.schedule both set the learning rate: remove one of the two.")
        extra["learning_rate"] = make_schedule(section.schedule, section.epochs * steps_per_epoch)
    return _construct("train.optimizer", optimizers[name], section.optimizer, extra)


def make_schedule(options: NamedOptions, total_steps: int) -> Any:
    """A ``keras.optimizers.schedules`` object.

    Args:
        options: Its name and arguments.
        total_steps: Batches in the whole training, the default of ``decay_steps``.
    """
    keras = import_keras("training")
    schedules = _classes(keras.optimizers.schedules, keras.optimizers.schedules.LearningRateSchedule)
    name = _canonical(options.name)
    if name not in schedules:
        raise unknown_name("schedule", options.name, schedules)
    found = schedules[name]
    parameters = inspect.signature(found).parameters
    extra = {"decay_steps": total_steps} if "decay_steps" in parameters else {}
    return _construct("train.schedule", found, options, extra)


LOSSES: dict[Task, str] = {
    "classification": "sparse_categorical_crossentropy",
    "binary": "binary_crossentropy",
    "segmentation": "binary_crossentropy",
    "filter": "mean_squared_error",
}
"""What a recipe without a loss gets."""


def loss_options(section: TrainSection, task: Task, classes: int) -> NamedOptions:
    """The recipe's loss, or that of its task."""
    if section.loss is not None:
        return section.loss
    return NamedOptions(name=LOSSES["classification" if task == "segmentation" and classes > 2 else task])


def make_loss(options: NamedOptions) -> Any:
    """A Keras loss by the name of its class or function, with the arguments of the class.

    Raises:
        UsageError: Keras has no such loss, or it does not take an argument.
    """
    name = options.name
    keras = import_keras("training")
    known = _classes(keras.losses, keras.losses.Loss)
    functions = {_canonical(key): key for key, value in vars(keras.losses).items() if inspect.isfunction(value)}
    wanted = _canonical(name)
    if wanted in known:
        return _construct("train.loss", known[wanted], options, {})
    if wanted in functions and not options.arguments():
        return keras.losses.get(functions[wanted])
    raise unknown_name("loss", name, {*known, *(set(functions) - {"get", "serialize", "deserialize"})})


def takes_class_indices(loss: str) -> bool:
    """Whether the loss wants class indices; all others get one-hot targets."""
    return _canonical(loss).startswith("sparse")
