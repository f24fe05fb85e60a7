"""From raw samples to training batches. What epoch ``e`` sees depends on the seed and on ``e`` alone.

So a training that was killed and resumed at epoch ``e`` goes on with exactly the batches, the order and the
augmentation that it would have seen. Each batch has a generator of its own, so several threads make batches at a time
and nothing depends on which of them is first.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecnn.data.base import Samples
from edgecnn.keras_quiet import import_keras
from edgecnn.preprocess import PreprocessKind
from edgecnn.recipe import AugmentSection
from edgecnn.tasks import Task
from edgecnn.training import augment as changes

Batch = tuple[np.ndarray, np.ndarray]
"""``(x [B, ...], y [B, ...])``, as the network and the loss take them."""

PREFETCH = 2
"""Batches that are ready as tensors; twice as many as there are workers wait before them as arrays."""

_MOST_WORKERS = 4
_THREAD = "edgecnn-feed"


def targets(y: np.ndarray, task: Task, classes: int, indices: bool, outputs: int | None = None) -> np.ndarray:
    """Classes as a loss takes them.

    Args:
        y: int64, ``[N]`` or for segmentation ``[N, H, W]``.
        task: What the network is for.
        classes: Of the data.
        indices: The loss wants class indices.
        outputs: Values in the last dimension of the network's output; by default as few as the task needs.

    Returns:
        ``y`` itself for indices; float32 ``[N, 1]`` or ``[N, H, W, 1]`` of zeros and ones where one output stands for
        two classes; otherwise one-hot float32 ``[N, …, classes]``.
    """
    if indices:
        return y
    if (outputs or usual_outputs(task, classes)) == 1:
        return y[..., np.newaxis].astype(np.float32)
    one_hot: np.ndarray = np.eye(classes, dtype=np.float32)[y]
    return one_hot


def usual_outputs(task: Task, classes: int) -> int:
    """Values in the last dimension of an output: as few as the task needs."""
    return 1 if task == "binary" or (task == "segmentation" and classes == 2) else classes


def training_batches(
    samples: Samples,
    y: np.ndarray,
    preprocess: PreprocessKind,
    augment: AugmentSection,
    *,
    batch: int,
    seed: int,
    epochs: range,
    workers: int | None = None,
) -> Iterator[Batch]:
    """Shuffled, augmented, preprocessed batches of one epoch after the other.

    Args:
        samples: Raw training samples ``[N, ...]``.
        y: Targets of the loss, ``[N, ...]``.
        preprocess: Applied after the augmentation: the same code that the contract stands for.
        augment: Random changes to raw samples.
        batch: Samples a batch; the last one of an epoch may be smaller.
        seed: Of the order and of the augmentation.
        epochs: Which epochs, from 0.
        workers: Threads that make batches, a few of them ahead; by default one for each core, at most 4. With 0 a batch
            is made when it is asked for. The batches are the same.

    Returns:
        The batches, the threads of which end with the iterator.

    Raises:
        UsageError: The augmentation is not one for these samples or targets.
    """
    changes.check(samples.x, y, preprocess, augment)

    def make(job: _Job) -> Batch:
        generator = np.random.default_rng([seed, job.epoch, job.number])
        x, wanted = changes.augment_raw(samples.x[job.chosen], y[job.chosen], preprocess, augment, generator)
        return changes.augment_inputs(preprocess.apply(x), wanted, preprocess, augment, generator)

    jobs = _jobs(len(samples), batch, seed, epochs)
    count = _cores() if workers is None else workers
    return _made_ahead(make, jobs, count) if count else map(make, jobs)


@dataclass(frozen=True)
class _Job:
    """A batch that is to be made.

    Attributes:
        epoch: From 0.
        number: Of the batch in its epoch, from 1: a seed's trailing zeros change nothing, and the epoch's order has
            the seed without a number.
        chosen: Its samples.
    """

    epoch: int
    number: int
    chosen: np.ndarray


def _jobs(count: int, batch: int, seed: int, epochs: range) -> Iterator[_Job]:
    for epoch in epochs:
        order = np.random.default_rng([seed, epoch]).permutation(count)
        for number, start in enumerate(range(0, count, batch), start=1):
            yield _Job(epoch, number, order[start : start + batch])


def _cores() -> int:
    """Cores that this process may use, up to a few: NumPy holds the interpreter's lock between its loops."""
    try:
        there = len(os.sched_getaffinity(0))
    except AttributeError:    # macOS, Windows
        there = os.cpu_count() or 1
    return min(there, _MOST_WORKERS)


def _made_ahead(make: Callable[[_Job], Batch], jobs: Iterator[_Job], workers: int) -> Iterator[Batch]:
    """What ``make`` gives for each job, in their order, made by several threads a few jobs ahead."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix=_THREAD)
    waiting: deque[Future[Batch]] = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(make, job))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def evaluation_batches(
    samples: Samples, y: np.ndarray, preprocess: PreprocessKind, batch: int = 512
) -> Iterator[Batch]:
    """Preprocessed batches in the order of the samples, without augmentation."""
    for start in range(0, len(samples), batch):
        part = slice(start, start + batch)
        yield preprocess.apply(samples.x[part]), y[part]


@dataclass
class Waiting:
    """How long a training waited for its batches.

    Attributes:
        seconds: Since the epoch began.
    """

    seconds: float = 0.0


def waiting_callback(waiting: Waiting) -> Any:
    """A Keras callback that adds ``waiting`` to an epoch's logs, for those that stand after it in the list.

    It is the share, 0 to 1, of the time from an epoch's first batch to its last in which the network had to wait for
    data.
    """
    keras = import_keras("training")

    class Callback(keras.callbacks.Callback):    # type: ignore[misc, name-defined]
        """Made here because Keras is imported late."""

        def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            del epoch, logs
            waiting.seconds = 0.0
            self._first = self._last = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            del batch, logs
            self._last = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            del epoch
            if logs is not None:
                logs["waiting"] = waiting.seconds / max(self._last - self._first, 1e-9)

    return Callback()


def as_dataset(
    make: Callable[[], Iterator[Batch]], shape: tuple[int, ...], dtype: str, y: np.ndarray, count: int, waiting: Waiting
) -> Any:
    """A ``tf.data.Dataset`` that draws from an iterator, a few batches ahead.

    TensorFlow takes every ``prefetch`` out of a data set that calls Python once its operators must be deterministic
    (``make_deterministic`` of its graph rewrites), and a training then waits for each batch. So what is made ahead is
    made here, up to the tensors: a step finds them ready.

    Args:
        make: Gives ``(x, y)`` pairs from the first one on; called whenever the data set is iterated anew.
        shape: Of one sample as the network takes it: that of the batches, but for dimensions of 1.
        dtype: Of the network's input.
        y: All targets, for their shape and type.
        count: How many pairs ``make`` gives.
        waiting: The time that a step stands still for its batch is added to it.
    """
    import tensorflow as tf

    types = (tf.as_dtype(dtype), tf.as_dtype(y.dtype))

    def tensors() -> Iterator[Any]:
        for x, wanted in make():
            yield tf.constant(x.reshape(-1, *shape), types[0]), tf.constant(wanted, types[1])

    source: Generator[Any, None, None] = _read_ahead(iter(()))

    def draw(number: Any) -> Any:
        nonlocal source
        start = time.perf_counter()
        if int(number) == 0:
            source = _read_ahead(tensors())
        pair = next(source)
        if int(number) == count - 1:
            source.close()    # its threads end with it
        waiting.seconds += time.perf_counter() - start
        return pair

    def shaped(number: Any) -> Any:
        x, wanted = tf.py_function(draw, [number], types)
        x.set_shape([None, *shape])
        wanted.set_shape([None, *y.shape[1:]])
        return x, wanted

    options = tf.data.Options()    # one after the other, and only when a step wants it: the same without determinism
    options.autotune.enabled = False
    options.experimental_optimization.map_parallelization = False
    options.experimental_optimization.inject_prefetch = False
    return tf.data.Dataset.range(count).map(shaped).with_options(options)


def _read_ahead(pairs: Iterator[Any]) -> Generator[Any, None, None]:
    """The same pairs, ``PREFETCH`` of them read ahead on a thread."""
    pool = ThreadPoolExecutor(1, thread_name_prefix=_THREAD)
    waiting = deque(pool.submit(next, pairs, None) for _ in range(PREFETCH))
    try:
        while (pair := waiting.popleft().result()) is not None:
            waiting.append(pool.submit(next, pairs, None))
            yield pair
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
