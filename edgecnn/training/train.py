"""Training: seeded, checkpointed after every epoch, resumable at the last finished one.

The same seed on the same machine gives the same weights, and a training that was killed and resumed ends with the
weights of an unbroken one: the order of samples depends on the seed and the epoch alone (``feed.py``), and the
checkpoint holds weights, optimizer, dropout generators and what early stopping knows (``checkpoint.py``).
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgecnn.data import DataSet, Samples
from edgecnn.data.split import group_split, stratified_split, stratified_subset
from edgecnn.errors import EdgecnnError, UsageError, first_line
from edgecnn.files import whole_file, write_text
from edgecnn.keras_quiet import import_keras, quiet_native
from edgecnn.preprocess import PreprocessKind
from edgecnn.recipe import Recipe
from edgecnn.results import HistoryRecord
from edgecnn.runs import CHECKPOINT, KERAS, DataUsed, Run, RunInfo, Training
from edgecnn.training import checkpoint, feed
from edgecnn.training.checkpoint import Progress
from edgecnn.training.keras_objects import loss_options, make_loss, make_optimizer, takes_class_indices
from edgecnn.training.precision import in_precision
from edgecnn.zoo import build_model

HISTORY_CSV = "history.csv"
TENSORBOARD = "tensorboard"


class Watcher(Protocol):
    """Who wants to follow a training."""

    def batch(self, epoch: int, step: int, steps: int, logs: dict[str, float]) -> None:
        """A batch is done; ``epoch`` and ``step`` count from 0."""

    def epoch(self, epoch: int, epochs: int, values: dict[str, float], best: bool) -> None:
        """An epoch is done and its checkpoint is written."""


@dataclass(frozen=True)
class TrainingSplits:
    """What a training may see, and what it is judged by while it runs. The test split is no part of it.

    Attributes:
        train: Samples that are learned from.
        validation: Samples that choose the best epoch.
    """

    train: Samples
    validation: Samples


def training_splits(dataset: DataSet, recipe: Recipe) -> TrainingSplits:
    """The training split divided into what is learned from and what is held back, stratified and seeded.

    Raises:
        UsageError: ``data.limit`` or ``data.validation`` leaves too few samples.
    """
    samples = dataset.train
    classes = len(dataset.labels)
    if recipe.data.limit is not None:
        samples = samples.take(stratified_subset(samples.strata, recipe.data.limit, recipe.train.seed))
    if len(samples) < 2 * classes:
        raise UsageError(
            f"{len(samples)} training samples are too few for {classes} classes. Use at least {2 * classes} (--limit)."
        )
    seed, share = recipe.train.seed, recipe.data.validation
    if samples.groups is not None and len(np.unique(samples.groups)) > 1:
        learned, held = group_split(samples.groups, share, seed)
    else:
        learned, held = stratified_split(samples.strata, share, seed)
    return TrainingSplits(samples.take(learned), samples.take(held))


def train(run: Run, dataset: DataSet, watcher: Watcher, resume: bool = False) -> None:
    """Train the model of a run by its recipe, from the start or from its last finished epoch, to ``model.keras``.

    Args:
        run: A run folder with ``run.json`` and ``model.py``.
        dataset: What the recipe's ``[data]`` names.
        watcher: Told of every batch and epoch.
        resume: Go on from the checkpoint, where there is one.

    Raises:
        UsageError: The recipe names something that Keras or the data set does not have.
        EdgecnnError: The data is not what the run began with, the loss is no longer a number, or the folder cannot be
            written.
    """
    recipe = run.info.recipe
    splits = training_splits(dataset, recipe)
    keras = import_keras("training")
    keras.utils.set_random_seed(recipe.train.seed)
    _require_determinism()
    preprocess = recipe.preprocess.fit(splits.train.x)
    run.record(preprocess=preprocess)
    model = _compiled_model(run, dataset, len(splits.train))
    progress, best = Progress(), _snapshot(model)
    if resume:
        _refuse_other_data(run, dataset)
        checkpoint.sweep(run.path)
        if run.file(CHECKPOINT).is_file():
            best, progress = checkpoint.load_checkpoint(run.path, model)
    run.record(
        data=DataUsed(
            set=recipe.data.set,
            source=dataset.source,
            sha256=dict(dataset.sha256),
            labels=list(dataset.labels),
            training_samples=len(splits.train),
            validation_samples=len(splits.validation),
        )
    )
    if not _stopped_early(progress, recipe):
        recorder = _Recorder(keras, run, recipe, progress, best, watcher)
        with _tensorboard(keras, run.path) as tensorboard:
            _fit(model, splits, run.info, len(dataset.labels), progress.finished, [tensorboard, recorder.callback])
        best = recorder.best
    checkpoint.restore(model, best)
    # Saved without the optimizer: its state is that of the last epoch, and twice the size of the weights.
    plain = _built_model(run, dataset)
    plain.set_weights(model.get_weights())
    _finish(run, plain, progress)


def _refuse_other_data(run: Run, dataset: DataSet) -> None:
    """A resumed training must go on with the data that it began with, or it is another training."""
    before = run.info.data
    if before is None:
        return
    changed = [name for name, digest in before.sha256.items() if dataset.sha256.get(name, digest) != digest]
    if changed or before.labels != list(dataset.labels):
        what = f"{changed[0]} has other content" if changed else "it has other classes"
        raise EdgecnnError(
            f"{dataset.source}: this is not the data that {run.path} began with: {what}. Bring the old data back, or "
            "train anew without --resume."
        )


def _fit(
    model: Any, splits: TrainingSplits, info: RunInfo, classes: int, first: int, callbacks: list[Any]
) -> None:
    """One ``model.fit`` over the epochs that are left."""
    recipe, preprocess = info.recipe, info.preprocessing
    loss = loss_options(recipe.train, recipe.model.task, classes).name
    indices = takes_class_indices(loss)
    y, y_held = (
        feed.targets(part.y, recipe.model.task, classes, indices) for part in (splits.train, splits.validation)
    )
    shape, dtype = model.input_shape[1:], str(model.inputs[0].dtype)
    batches = feed.training_batches(
        splits.train,
        y,
        preprocess,
        recipe.data.augment,
        batch=recipe.train.batch,
        seed=recipe.train.seed,
        epochs=range(first, recipe.train.epochs),
    )
    held = [*feed.evaluation_batches(splits.validation, y_held, preprocess)]
    try:
        model.fit(
            feed.as_dataset(batches, shape, dtype, y),
            steps_per_epoch=math.ceil(len(splits.train) / recipe.train.batch),
            initial_epoch=first,
            epochs=recipe.train.epochs,
            validation_data=(np.concatenate([x for x, _ in held]).reshape(-1, *shape), y_held),
            validation_batch_size=512,
            callbacks=callbacks,
            shuffle=False,    # the feed shuffles
            verbose=0,
        )
    except EdgecnnError:
        raise
    except Exception as error:    # a loss that does not fit the output, a layer that does not fit its input, …
        raise EdgecnnError(
            f"training failed: {first_line(error)}. Check that train.loss ({loss}) and model.py fit each "
            "other; --debug shows where."
        ) from error


def _built_model(run: Run, dataset: DataSet) -> Any:
    info = run.info
    shape = info.preprocessing.sample_shape(dataset.train.x)
    with quiet_native():
        return build_model(run.file("model.py"), info.recipe.model, shape, len(dataset.labels))


def _compiled_model(run: Run, dataset: DataSet, samples: int) -> Any:
    recipe = run.info.recipe
    model = in_precision(_built_model(run, dataset), recipe.train.precision)
    model.compile(
        optimizer=make_optimizer(recipe.train, math.ceil(samples / recipe.train.batch)),
        loss=make_loss(loss_options(recipe.train, recipe.model.task, len(dataset.labels))),
        metrics=["accuracy"],
    )
    model.optimizer.build(model.trainable_variables)
    return model


def _require_determinism() -> None:
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()


def _snapshot(model: Any) -> list[np.ndarray]:
    return [np.array(variable) for variable in model.variables]


def _better(candidate: dict[str, float], best: dict[str, float], monitor: str) -> bool:
    """Of lower loss on the validation split, or more accurate there and, at equal accuracy, of lower loss."""
    if monitor == "val_loss":
        return candidate["val_loss"] < best["val_loss"]
    return (candidate["val_accuracy"], -candidate["val_loss"]) > (best["val_accuracy"], -best["val_loss"])


def _stopped_early(progress: Progress, recipe: Recipe) -> bool:
    patience = recipe.train.early_stopping
    waited = progress.finished - 1 - progress.best_epoch
    return progress.finished >= recipe.train.epochs or (
        patience is not None and progress.best_epoch >= 0 and waited >= patience
    )


class _Recorder:
    """Follows ``model.fit``: keeps the best weights, writes the checkpoint and the history, stops early."""

    def __init__(
        self, keras: Any, run: Run, recipe: Recipe, progress: Progress, best: list[np.ndarray], watcher: Watcher
    ) -> None:
        self.best = best
        self._run, self._recipe, self._progress, self._watcher = run, recipe, progress, watcher
        self._steps = 0
        self._started = time.perf_counter()
        recorder = self

        class Callback(keras.callbacks.Callback):    # type: ignore[misc, name-defined]
            """Hands Keras's events on; made here because Keras is imported late."""

            def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
                del logs
                recorder._epoch, recorder._started = epoch, time.perf_counter()
                recorder._steps = int(self.params["steps"])

            def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
                watcher.batch(recorder._epoch, batch, recorder._steps, dict(logs or {}))

            def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
                recorder._epoch_done(self.model, epoch, dict(logs or {}))

        self._epoch = progress.finished
        self.callback = Callback()

    def _epoch_done(self, model: Any, epoch: int, logs: dict[str, Any]) -> None:
        values = {name: float(value) for name, value in logs.items()}
        values["learning_rate"] = float(np.asarray(model.optimizer.learning_rate))
        values["seconds"] = time.perf_counter() - self._started
        if not all(math.isfinite(value) for value in values.values()):
            schedule = self._recipe.train.schedule
            key = "optimizer.learning_rate" if schedule is None else "schedule.initial_learning_rate"
            raise EdgecnnError(
                f"epoch {epoch + 1}: the loss is no longer a number. Train anew with a lower learning rate, such as "
                f"--set train.{key}=0.0003, or clip gradients: --set train.optimizer.clipnorm=1.0"
            )
        progress = self._progress
        best = progress.best_epoch < 0 or _better(
            values, progress.history[progress.best_epoch], self._recipe.train.monitor
        )
        progress.history.append(values)
        progress.finished = epoch + 1
        if best:
            progress.best_epoch, self.best = epoch, _snapshot(model)
        checkpoint.save_checkpoint(self._run.path, model, self.best, progress)
        write_history(self._run.path / HISTORY_CSV, progress)
        model.stop_training = _stopped_early(progress, self._recipe)
        self._watcher.epoch(epoch, self._recipe.train.epochs, values, best)


@contextlib.contextmanager
def _tensorboard(keras: Any, folder: Path) -> Iterator[Any]:
    """TensorBoard's callback, whose writers are closed whatever happens."""
    callback = keras.callbacks.TensorBoard(str(folder / TENSORBOARD), write_graph=False)
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


def history_record(progress: Progress) -> HistoryRecord:
    """The learning curve for ``run.json``, ``results.json`` and plots."""
    names = list(progress.history[0])
    return HistoryRecord(
        epochs=list(range(1, progress.finished + 1)),
        values={name: [values[name] for values in progress.history] for name in names},
        best_epoch=progress.best_epoch + 1,
    )


def _finish(run: Run, model: Any, progress: Progress) -> None:
    """Write the model of the best epoch and the learning curve, then drop the checkpoint."""
    with whole_file(run.file(KERAS)) as temporary, quiet_native():
        model.save(temporary)
    history = history_record(progress)
    from edgecnn.report import learning_curve_png

    learning_curve_png(history, run.file("history.png"))
    best = progress.history[progress.best_epoch]
    run.record(
        KERAS,
        training=Training(
            epochs=progress.finished,
            best_epoch=progress.best_epoch + 1,
            seconds=round(sum(values["seconds"] for values in progress.history), 1),
            val_accuracy=best["val_accuracy"],
            val_loss=best["val_loss"],
            parameters=int(model.count_params()),
            history=history,
        ),
    )
    run.file(CHECKPOINT).unlink(missing_ok=True)


def predict_outputs(model: Any, preprocess: PreprocessKind, raw: np.ndarray) -> np.ndarray:
    """What a float Keras model gives for raw samples, in large batches; ``[N, ...]`` float32."""
    step, shape = 500, model.input_shape[1:]
    parts = [
        np.asarray(model(preprocess.apply(raw[start : start + step]).reshape(-1, *shape), training=False))
        for start in range(0, len(raw), step)
    ]
    return np.concatenate(parts).astype(np.float32)
