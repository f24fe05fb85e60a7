"""Training: seeded, checkpointed after every epoch, resumable at the last finished one.

The same seed on the same machine gives the same weights, and a training that was killed and resumed ends with the
weights of an unbroken one: the order of samples depends on the seed and the epoch alone (``feed.py``), and the
checkpoint holds weights, their averages, optimizer, dropout generators and the history, from which early stopping and
schedules follow (``checkpoint.py``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecnn.data import DataSet
from edgecnn.errors import EdgecnnError, UsageError, first_line
from edgecnn.files import whole_file
from edgecnn.keras_quiet import import_keras, quiet_native
from edgecnn.preprocess import PreprocessKind
from edgecnn.preprocess.audio import AudioKind
from edgecnn.recipe import TrainSection
from edgecnn.runs import CHECKPOINT, KERAS, DataUsed, Run, Training
from edgecnn.training import callbacks, checkpoint, feed, transfer
from edgecnn.training.augment import check as check_augment
from edgecnn.training.average import WeightAverage
from edgecnn.training.callbacks import HISTORY_CSV, Watcher, is_over
from edgecnn.training.checkpoint import Progress, State
from edgecnn.training.distributed import Cluster, Exchange
from edgecnn.training.keras_objects import make_optimizer
from edgecnn.training.losses import Objective, make_objective
from edgecnn.training.metrics import check_monitor, make_metrics
from edgecnn.training.precision import in_precision
from edgecnn.training.schedules import own_schedule
from edgecnn.training.splits import TrainingSplits, training_splits
from edgecnn.zoo import build_model

__all__ = ["TrainingSplits", "Watcher", "built_model", "predict_outputs", "train", "training_splits"]


def train(
    run: Run, dataset: DataSet, watcher: Watcher, resume: bool = False, cluster: Cluster | None = None
) -> None:
    """Train the model of a run by its recipe, from the start or from its last finished epoch, to ``model.keras``.

    Args:
        run: A run folder with ``run.json`` and ``model.py``. A worker that is not the chief needs one of its own, in
            which it leaves nothing but that.
        dataset: What the recipe's ``[data]`` names.
        watcher: Told of every batch and epoch.
        resume: Go on from the checkpoint, where there is one.
        cluster: The processes that share this training.

    Raises:
        UsageError: The recipe names something that Keras or the data set does not have, or contradicts itself.
        EdgecnnError: The data is not what the run began with, the loss is no longer a number, or the folder cannot be
            written.
    """
    recipe = run.info.recipe
    _check(recipe.train, cluster)
    transfer.check(recipe)
    if isinstance(recipe.preprocess, AudioKind):
        recipe.preprocess.check_rate(dataset.rate)
    splits = training_splits(dataset, recipe)
    keras = import_keras("training")
    exchange = Exchange(cluster) if cluster is not None else None    # before TensorFlow computes anything
    keras.utils.set_random_seed(recipe.train.seed)
    _require_determinism()
    run.record(preprocess=recipe.preprocess.fit(splits.train.x))
    task = _task(run, dataset, splits)
    state = _begun(task, recipe.train)
    chief = cluster is None or cluster.chief
    if resume:
        _refuse_other_data(run, dataset)
        if chief:
            checkpoint.sweep(run.path)
            if run.file(CHECKPOINT).is_file():
                checkpoint.load_checkpoint(run.path, state)
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
    if exchange is not None:
        exchange.begin(state)
    if not is_over(state.progress, recipe.train):
        _fit(run, task, state, watcher, exchange)
    if not chief:
        return
    checkpoint.restore(task.model, state.best)
    # Saved without the optimizer: its state is that of the last epoch, and twice the size of the weights.
    plain = built_model(run, dataset)
    plain.set_weights(task.model.get_weights())
    _finish(run, plain, state.progress)


def _check(section: TrainSection, cluster: Cluster | None) -> None:
    """Refuse settings that contradict each other."""
    if section.keep == "last" and section.early_stopping is not None:
        raise UsageError(
            "train.keep = 'last' keeps the weights at the end of a fixed schedule, and train.early_stopping ends at "
            "an epoch that nobody fixed: remove one of the two."
        )
    if cluster is not None and section.batch < len(cluster.workers):
        raise UsageError(
            f"train.batch = {section.batch} cannot be divided over {len(cluster.workers)} workers. Use a larger one."
        )


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


@dataclass(frozen=True)
class _Task:
    """What is to be learned, by what, from what.

    Attributes:
        model: Compiled, its optimizer built.
        rate: Learning rate of the optimizer before any step.
        objective: What is minimised.
        metrics: What is counted.
        splits: Raw samples.
        targets: Of the samples that are learned from, as the loss takes them.
        held_targets: Of those that are held back.
    """

    model: Any
    rate: float
    objective: Objective
    metrics: list[Any]
    splits: TrainingSplits
    targets: np.ndarray
    held_targets: np.ndarray


def _task(run: Run, dataset: DataSet, splits: TrainingSplits) -> _Task:
    recipe, labels = run.info.recipe, dataset.labels
    model = in_precision(built_model(run, dataset), recipe.train.precision)
    task, outputs = recipe.model.task, model.output_shape[-1]
    objective = make_objective(recipe, outputs, labels, splits.train.y)
    metrics = make_metrics(task, outputs, len(labels), objective.indices)
    check_monitor(recipe.train.monitor, metrics)
    steps = math.ceil(len(splits.train) / recipe.train.batch)
    model.compile(optimizer=make_optimizer(recipe.train, steps), loss=objective.loss, metrics=metrics)
    model.optimizer.build(model.trainable_variables)
    learned, held = (
        feed.targets(part.y, task, len(labels), objective.indices, outputs)
        for part in (splits.train, splits.validation)
    )
    check_augment(splits.train.x, learned, run.info.preprocessing, recipe.data.augment)
    return _Task(model, float(np.asarray(model.optimizer.learning_rate)), objective, metrics, splits, learned, held)


def _begun(task: _Task, section: TrainSection) -> State:
    average = WeightAverage(task.model, section.average) if section.average is not None else None
    return State(task.model, [np.array(variable) for variable in task.model.variables], average)


def _followers(run: Run, task: _Task, state: State, watcher: Watcher, exchange: Exchange | None) -> list[Any]:
    """The callbacks of ``model.fit``, in order: what changes the training first, what records it last."""
    section = run.info.recipe.train

    def write() -> None:
        if exchange is None or exchange.cluster.chief:
            checkpoint.save_checkpoint(run.path, state)
            callbacks.write_history(run.path / HISTORY_CSV, state.progress)

    found = transfer.freezing(task.model, run.info.recipe)
    found += [] if state.average is None else [state.average.callback()]
    schedule = None if section.schedule is None else own_schedule(section.schedule, section.epochs)
    if schedule is not None:
        found.append(callbacks.rate_callback(schedule, task.rate, section.epochs, state.progress))
    agree = dict if exchange is None else exchange.agree
    return [*found, callbacks.Recorder(state, section, watcher, agree, write).callback()]


def _fit(run: Run, task: _Task, state: State, watcher: Watcher, exchange: Exchange | None) -> None:
    """One ``model.fit`` over the epochs that are left."""
    recipe, preprocess = run.info.recipe, run.info.preprocessing
    model, splits, first = task.model, task.splits, state.progress.finished
    shape, dtype = model.input_shape[1:], str(model.inputs[0].dtype)
    steps = math.ceil(len(splits.train) / recipe.train.batch)
    waiting = feed.Waiting()

    def batches() -> Iterator[feed.Batch]:
        made = feed.training_batches(
            splits.train,
            task.targets,
            preprocess,
            recipe.data.augment,
            batch=recipe.train.batch,
            seed=recipe.train.seed,
            epochs=range(first, recipe.train.epochs),
        )
        return made if exchange is None else exchange.shares(made)

    if exchange is not None:
        exchange.join(model, task.metrics)    # before any layer is frozen: what does not learn now are statistics
    held = [*feed.evaluation_batches(splits.validation, task.held_targets, preprocess)]
    followers = _followers(run, task, state, watcher, exchange)
    try:
        with callbacks.tensorboard(run.path) as tensorboard:
            model.fit(
                feed.as_dataset(batches, shape, dtype, task.targets, steps * (recipe.train.epochs - first), waiting),
                steps_per_epoch=steps,
                initial_epoch=first,
                epochs=recipe.train.epochs,
                validation_data=(np.concatenate([x for x, _ in held]).reshape(-1, *shape), task.held_targets),
                validation_batch_size=512,
                # First of all the one that adds to what the others see.
                callbacks=[feed.waiting_callback(waiting), tensorboard, *followers],
                shuffle=False,    # the feed shuffles
                verbose=0,
            )
    except EdgecnnError:
        raise
    except Exception as error:    # a loss that does not fit the output, a layer that does not fit its input, …
        reason = _reason(error)
        if exchange is not None and "Collective" in str(error):
            raise EdgecnnError(
                f"a worker is gone, and the others cannot go on without it: {reason}. Every finished epoch is kept by "
                "the chief: start all workers again with --resume."
            ) from error
        raise EdgecnnError(
            f"training failed: {reason}. Check that train.loss ({task.objective.name}) and model.py fit "
            "each other; --debug shows where."
        ) from error


def _reason(error: Exception) -> str:
    """What a failure in TensorFlow's graph was: the line before the one that names the node, below a traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = next((number for number, line in enumerate(lines) if line.startswith("[[{{node")), 0)
    return first_line(Exception(lines[named - 1])) if named else first_line(error)


def built_model(run: Run, dataset: DataSet) -> Any:
    """The untrained network of a run: its recipe and ``model.py``, for samples of the data set; not compiled."""
    info = run.info
    shape = info.preprocessing.sample_shape(dataset.train.x)
    with quiet_native():
        return build_model(
            run.file("model.py"), info.recipe.model, shape, len(dataset.labels), **transfer.offered(run, shape)
        )


def _require_determinism() -> None:
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()


def _finish(run: Run, model: Any, progress: Progress) -> None:
    """Write the model with the weights that were kept and the learning curve, then drop the checkpoint."""
    with whole_file(run.file(KERAS)) as temporary, quiet_native():
        model.save(temporary)
    history = callbacks.history_record(progress, run.info.recipe.train)
    from edgecnn.report import learning_curve_png

    learning_curve_png(history, run.file("history.png"))
    kept = progress.history[progress.best_epoch]
    run.record(
        KERAS,
        training=Training(
            epochs=progress.finished,
            best_epoch=progress.best_epoch + 1,
            seconds=round(sum(values["seconds"] for values in progress.history), 1),
            val_accuracy=kept["val_accuracy"],
            val_loss=kept["val_loss"],
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
