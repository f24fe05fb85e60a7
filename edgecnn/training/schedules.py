"""Learning rates over a training, as plain functions of how much of it is done.

Let A be the initial learning rate, t the epochs that are done and T those of the whole training; t grows with every
batch, so that after half of the third epoch it is 2.5. With ``warmup_epochs = w`` the rate first rises in a straight
line to A, and after that t and T count from the end of the warm-up.

============================  =========================================================================================
constant                      A
step                          A · factor^⌊t / every⌋
exponential                   A · e^(−k·t)
inverse_time                  A / (k·t + 1)
cosine                        A · (final + (1 − final) · (1 + cos(π·t/T)) / 2)
reduce_on_plateau             A · factor^n; n grows after ``patience`` epochs in which ``monitor`` became no better
============================  =========================================================================================

The first four are the usual decays (Goodfellow, Bengio, Courville 2016, *Deep Learning*, 8.3.1; Duchi, Hazan and
Singer 2011 for 1/t); cosine is Loshchilov and Hutter 2017, *SGDR*, equation 5, without restarts; the warm-up is Goyal
et al. 2017, *Accurate, large minibatch SGD*, section 2.2.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgecnn.errors import UsageError, unknown_name
from edgecnn.recipe import NamedOptions

History = Sequence[Mapping[str, float]]
"""What each finished epoch came to, by Keras's names (``val_loss``, …)."""


class Schedule(BaseModel, ABC):
    """A schedule of edgecnn's own.

    Attributes:
        initial_learning_rate: A; None for the optimizer's.
        warmup_epochs: w, in epochs or parts of one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    initial_learning_rate: float | None = Field(default=None, gt=0)
    warmup_epochs: float = Field(default=0.0, ge=0)

    @abstractmethod
    def factor(self, t: float, epochs: float, history: History) -> float:
        """What A is multiplied by.

        Args:
            t: Epochs done, at most ``epochs``.
            epochs: Of the whole training.
            history: Of the finished epochs.
        """

    def rate(self, initial: float, step: int, steps: int, epochs: int, history: History = ()) -> float:
        """The learning rate of one batch.

        Args:
            initial: A, where the schedule has none of its own.
            step: Batches done since the training began.
            steps: Batches in an epoch.
            epochs: Of the whole training, warm-up included.
            history: Of the finished epochs.
        """
        highest = self.initial_learning_rate or initial
        done = step / steps
        if done < self.warmup_epochs:    # the first batch already learns something
            return highest * min(1.0, (step + 1) / (self.warmup_epochs * steps))
        return highest * self.factor(done - self.warmup_epochs, epochs - self.warmup_epochs, history)


class Constant(Schedule):
    """A."""

    def factor(self, t: float, epochs: float, history: History) -> float:
        """1."""
        del t, epochs, history
        return 1.0


class Step(Schedule):
    """A · factor^⌊t / every⌋: a tenth (or whatever ``factor`` is) after each ``every`` epochs."""

    drop: float = Field(default=0.1, gt=0, lt=1, alias="factor")
    every: float = Field(gt=0, description="Epochs between two drops.")

    def factor(self, t: float, epochs: float, history: History) -> float:
        """factor^⌊t / every⌋."""
        del epochs, history
        return float(self.drop ** math.floor(t / self.every))


class Exponential(Schedule):
    """A · e^(−k·t)."""

    k: float = Field(gt=0, description="Decay per epoch.")

    def factor(self, t: float, epochs: float, history: History) -> float:
        """e^(−k·t)."""
        del epochs, history
        return math.exp(-self.k * t)


class InverseTime(Schedule):
    """A / (k·t + 1)."""

    k: float = Field(gt=0, description="Decay per epoch.")

    def factor(self, t: float, epochs: float, history: History) -> float:
        """1 / (k·t + 1)."""
        del epochs, history
        return 1 / (self.k * t + 1)


class Cosine(Schedule):
    """A · (final + (1 − final) · (1 + cos(π·t/T)) / 2): from A to ``final`` of it at the end of the training."""

    final: float = Field(default=0.0, ge=0, lt=1, description="Share of A that is left at the end.")

    def factor(self, t: float, epochs: float, history: History) -> float:
        """final + (1 − final) · (1 + cos(π·t/T)) / 2."""
        del history
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * min(1.0, t / epochs))) / 2


class ReduceOnPlateau(Schedule):
    """A · factor^n: multiplied by ``factor`` whenever ``monitor`` did not get better for ``patience`` epochs.

    All that it knows follows from the history of the training, which is in the checkpoint: a resumed training goes on
    with the rate of an unbroken one.
    """

    drop: float = Field(default=0.5, gt=0, lt=1, alias="factor")
    patience: int = Field(default=5, gt=0, description="Epochs without a better value.")
    min_delta: float = Field(default=1e-4, ge=0, description="What counts as better.")
    cooldown: int = Field(default=0, ge=0, description="Epochs after a drop; the last one counts, as in Keras.")
    lowest: float = Field(default=0.0, ge=0, lt=1, description="Share of A below which it does not go.")
    monitor: Literal["val_loss", "val_accuracy", "loss"] = "val_loss"

    def factor(self, t: float, epochs: float, history: History) -> float:
        """The product of all drops so far, at least ``lowest``."""
        del t, epochs
        sign = -1.0 if self.monitor.endswith("accuracy") else 1.0
        best, waited, resting, result = math.inf, 0, 0, 1.0
        for values in history:
            value = sign * values[self.monitor]
            if resting:
                resting, waited = resting - 1, 0
            if value < best - self.min_delta:
                best, waited = value, 0
            elif not resting:
                waited += 1
                if waited >= self.patience:
                    result, resting, waited = result * self.drop, self.cooldown, 0
        return max(result, self.lowest)


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "step": Step,
    "exponential": Exponential,
    "inverse_time": InverseTime,
    "cosine": Cosine,
    "reduce_on_plateau": ReduceOnPlateau,
}
"""What ``train.schedule`` may name, beside Keras's own classes."""


def canonical(name: str) -> str:
    """``CosineDecay``, ``cosine_decay`` and ``cosinedecay`` are one name."""
    return name.replace("_", "").lower()


def own_schedule(options: NamedOptions, epochs: int) -> Schedule | None:
    """The schedule that a recipe names, where it is one of these.

    Args:
        options: ``train.schedule``.
        epochs: Of the training.

    Raises:
        UsageError: It is one of these, and an argument is unknown, missing or out of range.
    """
    found = {canonical(name): kind for name, kind in SCHEDULES.items()}.get(canonical(options.name))
    if found is None:
        return None
    allowed = [field.alias or name for name, field in found.model_fields.items()]
    for name in options.arguments():
        if name not in allowed:
            raise unknown_name(f"argument of train.schedule {options.name!r}", name, allowed)
    try:
        schedule = found.model_validate(options.arguments())
    except ValidationError as error:
        first = error.errors()[0]
        key, message = ".".join(map(str, first["loc"])), first["msg"]
        where = f"train.schedule {options.name!r}: {key}"
        if first["type"] == "missing":
            raise UsageError(f"{where} is required and is not there. It takes: {', '.join(allowed)}.") from error
        raise UsageError(f"{where}: found {first['input']!r}: {message[0].lower()}{message[1:]}.") from error
    if schedule.warmup_epochs >= epochs:
        raise UsageError(
            f"train.schedule {options.name!r}: warmup_epochs = {schedule.warmup_epochs:g} leaves nothing of "
            f"{epochs} epochs. Use less, or more train.epochs."
        )
    return schedule
