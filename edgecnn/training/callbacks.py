"""What follows ``model.fit``: the learning rate of each batch, the state after each epoch, the learning curve."""

from __future__ import annotations

import contextlib
import csv
import io
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgecnn.errors import EdgecnnError
from edgecnn.files import write_text
from edgecnn.keras_quiet import import_keras, quiet_native
from edgecnn.recipe import TrainSection
from edgecnn.results import HistoryRecord
from edgecnn.training.average import snapshot
from edgecnn.training.checkpoint import Progress, State
from edgecnn.training.metrics import HIGHER_IS_BETTER
from edgecnn.training.schedules import Schedule

HISTORY_CSV = "history.csv"
TENSORBOARD = "tensorboard"


class Watcher(Protocol):
    """Who wants to follow a training."""

    def batch(self, epoch: int, step: int, steps: int, logs: dict[str, float]) -> None:
        """A batch is done; ``epoch`` and ``step`` count from 0."""

    def epoch(self, epoch: int, epochs: int, values: dict[str, float], best: bool) -> None:
        """An epoch is done and its checkpoint is written."""


def better(candidate: dict[str, float], best: dict[str, float], monitor: str) -> bool:
    """Of lower loss on the validation split, or of a higher figure there and, where those are equal, of lower loss."""
    if monitor in HIGHER_IS_BETTER:
        return (candidate[monitor], -candidate["val_loss"]) > (best[monitor], -best["val_loss"])
    return candidate["val_loss"] < best["val_loss"]


def is_over(progress: Progress, section: TrainSection) -> bool:
    """Whether all epochs are done, or early stopping has waited long enough."""
    patience = section.early_stopping
    waited = progress.finished - 1 - progress.best_epoch
    return progress.finished >= section.epochs or (
        patience is not None and progress.best_epoch >= 0 and waited >= patience
    )


def rate_callback(schedule: Schedule, initial: float, epochs: int, progress: Progress) -> Any:
    """A Keras callback that sets the learning rate of each batch.

    Args:
        schedule: Gives it.
        initial: The optimizer's own rate.
        epochs: Of the whole training.
        progress: Of the training, whose history grows with every epoch.
    """
    keras = import_keras("training")

    class Callback(keras.callbacks.Callback):    # type: ignore[misc, name-defined]
        """Made here because Keras is imported late."""

        def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            del logs
            self._epoch, self._set = epoch, math.nan

        def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            del logs
            steps = int(self.params["steps"])
            rate = schedule.rate(initial, self._epoch * steps + batch, steps, epochs, progress.history)
            if rate != self._set:
                self.model.optimizer.learning_rate = self._set = rate

    return Callback()


class Recorder:
    """Keeps the weights that are worth it and the history, stops early.

    Args:
        state: Grows with every epoch.
        section: ``[train]``.
        watcher: Told of every batch and epoch.
        agree: Gives the figures that count from those that were found here.
        write: Called after each epoch, to put the state away.
    """

    def __init__(
        self,
        state: State,
        section: TrainSection,
        watcher: Watcher,
        agree: Callable[[dict[str, float]], dict[str, float]],
        write: Callable[[], None],
    ) -> None:
        self._state, self._section, self._watcher = state, section, watcher
        self._agree, self._write = agree, write
        self._epoch = self._steps = 0
        self._started = time.perf_counter()

    def callback(self) -> Any:
        """The Keras callback."""
        keras, recorder = import_keras("training"), self

        class Callback(keras.callbacks.Callback):    # type: ignore[misc, name-defined]
            """Hands Keras's events on; made here because Keras is imported late."""

            def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
                del logs
                recorder._epoch, recorder._steps = epoch, int(self.params["steps"])
                recorder._started = time.perf_counter()

            def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
                recorder._watcher.batch(recorder._epoch, batch, recorder._steps, dict(logs or {}))

            def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
                recorder._epoch_done(self.model, epoch, dict(logs or {}))

        return Callback()

    def _epoch_done(self, model: Any, epoch: int, logs: dict[str, Any]) -> None:
        values = {name: float(value) for name, value in logs.items()}
        values["learning_rate"] = float(np.asarray(model.optimizer.learning_rate))
        values["seconds"] = time.perf_counter() - self._started
        values = self._agree(values)
        if not all(math.isfinite(value) for value in values.values()):
            raise EdgecnnError(
                f"epoch {epoch + 1}: the loss is no longer a number. Train anew with a lower learning rate, such as "
                f"--set train.{_rate_key(self._section)}=0.0003, or clip gradients: "
                "--set train.optimizer.clipnorm=1.0"
            )
        state, progress, section = self._state, self._state.progress, self._section
        best = progress.best_epoch < 0 or better(values, progress.history[progress.best_epoch], section.monitor)
        progress.history.append(values)
        progress.finished = epoch + 1
        if best or section.keep == "last":
            progress.best_epoch, state.best = epoch, snapshot(model, state.average)
        self._write()
        model.stop_training = is_over(progress, section)
        self._watcher.epoch(epoch, section.epochs, values, best and section.keep == "best")


def _rate_key(section: TrainSection) -> str:
    """The key below ``train`` that holds the learning rate."""
    if section.schedule is None or "learning_rate" in section.optimizer.arguments():
        return "optimizer.learning_rate"
    return "schedule.initial_learning_rate"


@contextlib.contextmanager
def tensorboard(folder: Path) -> Iterator[Any]:
    """TensorBoard's callback, whose writers are closed whatever happens."""
    callback = import_keras("training").callbacks.TensorBoard(str(folder / TENSORBOARD), write_graph=False)
    try:
        yield callback
    finally:
        with quiet_native():
            callback.on_train_end()


def write_history(path: Path, progress: Progress) -> None:
    """The learning curve as CSV: one line per epoch, ``epoch`` from 1."""
    text = io.StringIO()
    names = list(progress.history[0])
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["epoch", *names])
    for number, values in enumerate(progress.history, start=1):
        writer.writerow([number, *(f"{values[name]:.6g}" for name in names)])
    write_text(path, text.getvalue())


def history_record(progress: Progress, section: TrainSection) -> HistoryRecord:
    """The learning curve for ``run.json``, ``results.json`` and plots."""
    names = list(progress.history[0])
    return HistoryRecord(
        epochs=list(range(1, progress.finished + 1)),
        values={name: [values[name] for values in progress.history] for name in names},
        best_epoch=progress.best_epoch + 1 if section.keep == "best" else None,
    )
