"""One training on several processes: ``tf.distribute.MultiWorkerMirroredStrategy``, set up by ``TF_CONFIG``.

Each process makes the same batches from the same seed and computes on its own share of every batch. The gradients are
summed over the workers, so that each takes the step that one process would take on the whole batch: the order of a
floating-point sum is all that differs. Clipping, averages, schedules and the checkpoint see the sum, and validation
runs on every worker over all held-back samples. What is drawn or measured inside a share remains of the share: masks of
dropout differ between workers, and batch norm normalizes by the share's statistics (its moving ones are the mean).

Keras 3.15's ``fit`` takes a batch away from a distributed data set before it begins, and fails on what a worker of this
strategy gives it. So ``fit`` sees an ordinary model on ordinary data here, and the strategy does in its training step
what it is for: to connect the workers and to sum.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecnn.errors import EdgecnnError, UsageError, first_line
from edgecnn.keras_quiet import quiet_native
from edgecnn.training.checkpoint import State, pack, unpack
from edgecnn.training.feed import Batch

VARIABLE = "TF_CONFIG"
EXAMPLE = (
    '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}'
)


@dataclass(frozen=True)
class Cluster:
    """The processes of one training.

    Attributes:
        workers: ``host:port`` of each, the chief's first.
        index: Of this process.
    """

    workers: tuple[str, ...]
    index: int

    @property
    def chief(self) -> bool:
        """Whether this process writes the run."""
        return self.index == 0


def cluster_from_environment(environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """What ``TF_CONFIG`` says; None where it is not set, or names one process only.

    Raises:
        UsageError: It is malformed, or describes a cluster of another kind.
    """
    text = environment.get(VARIABLE, "").strip()
    if not text:
        return None
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise _wrong(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise _wrong(f"found {text[:40]}")
    cluster, task = document.get("cluster"), document.get("task")
    if not isinstance(cluster, dict) or not cluster:
        raise _wrong("no cluster in it, with the addresses of the workers")
    for job, addresses in cluster.items():
        if job not in ("chief", "worker"):
            raise _wrong(f"cluster has {job!r}; supported are worker and chief")
        if not isinstance(addresses, list) or not all(map(_is_address, addresses)):
            raise _wrong(f"cluster.{job} is {addresses!r}; a list of 'host:port' is expected")
    chiefs, workers = cluster.get("chief", []), cluster.get("worker", [])
    if len(chiefs) > 1:
        raise _wrong(f"cluster.chief has {len(chiefs)} addresses; there is one chief")
    everyone = (*chiefs, *workers)
    if len(set(everyone)) < len(everyone):
        raise _wrong("an address stands in cluster twice")
    found = task.get("type") if isinstance(task, dict) else task
    if not isinstance(task, dict) or not isinstance(found, str) or found not in cluster:
        raise _wrong(f"task.type is {found!r}; it must be one of cluster: {', '.join(cluster)}")
    index, count = task.get("index"), len(cluster[task["type"]])
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < count:
        raise _wrong(f"task.index is {index!r}; cluster.{task['type']} has {count}, counted from 0")
    if len(everyone) == 1:
        return None
    return Cluster(everyone, index + (len(chiefs) if task["type"] == "worker" else 0))


def _is_address(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/]+):\d{1,5}", value) is not None


def _wrong(what: str) -> UsageError:
    return UsageError(
        f"{VARIABLE}: {what.rstrip('.')}. Expected, for the first of two workers: {VARIABLE}='{EXAMPLE}'. "
        f"Unset it to train in one process."
    )


class Exchange:
    """What the workers of a training tell each other. Every worker must make the same calls in the same order.

    Args:
        cluster: The processes; this one waits here until all of them are there.

    Raises:
        EdgecnnError: The workers cannot be connected.
    """

    def __init__(self, cluster: Cluster) -> None:
        import tensorflow as tf

        self.cluster = cluster
        try:
            with quiet_native():
                # One share a process: several accelerators of a machine want a process each.
                tf.config.set_visible_devices(tf.config.list_physical_devices("GPU")[:1], "GPU")
                strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except Exception as error:
            raise EdgecnnError(
                f"worker {cluster.index} ({cluster.workers[cluster.index]}) cannot join the others: "
                f"{first_line(error)}. Is the port free, and the same {VARIABLE} but for task.index set everywhere?"
            ) from error

        def summed(value: Any) -> Any:
            # The copy is made on this worker's own device, by which the strategy finds its partners.
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))

        self._sum: Callable[[Any], Any] = lambda value: strategy.run(summed, args=(value,))
        self._sum_now: Callable[[Any], Any] = tf.function(self._sum, reduce_retracing=True)

    def from_chief(self, data: bytes) -> bytes:
        """The chief's ``data``, on every worker."""
        mine = self.cluster.chief
        length = int(self._sum_now(np.array([len(data) if mine else 0], np.int64))[0])
        words = np.zeros(-(-length // 4), np.int32)
        if mine:
            words.view(np.uint8)[:length] = np.frombuffer(data, np.uint8)
        return np.asarray(self._sum_now(words)).tobytes()[:length]

    def agree(self, values: dict[str, float]) -> dict[str, float]:
        """The chief's figures, on every worker: none may stop or slow down alone because its last bit differs."""
        found: dict[str, float] = json.loads(self.from_chief(json.dumps(values).encode()))
        return found

    def begin(self, state: State) -> None:
        """Bring every worker to the chief's state, with masks of dropout of its own."""
        data = self.from_chief(pack(state) if self.cluster.chief else b"")
        if self.cluster.chief:
            return
        unpack(data, state)
        for variable in state.model.variables:
            if str(variable.dtype) == "uint32":    # keras.random.SeedGenerator: [seed, count]
                variable.assign(np.asarray(variable) + np.array([self.cluster.index, 0], np.uint32))

    def shares(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """This worker's share of each batch; a batch of fewer samples than workers goes to all of them whole."""
        count = len(self.cluster.workers)
        for x, y in batches:
            if len(x) < count:
                yield x, y
            else:
                part = np.array_split(np.arange(len(x)), count)[self.cluster.index]
                yield x[part], y[part]

    def join(self, model: Any, metrics: Sequence[Any]) -> None:
        """Make ``model.fit`` learn from the shares of all workers.

        Let n be the samples of this worker's share and N their sum: the gradient of the whole batch is the sum over
        workers of n/N times the gradient of the share. Metrics count sums, which are added up likewise.

        Args:
            model: Compiled; what of it cannot be trained are moving statistics.
            metrics: Those that it was compiled with.
        """
        import tensorflow as tf

        tracker = next(metric for metric in model.metrics if metric.name == "loss")
        moving = [v for v in model.non_trainable_variables if tf.as_dtype(v.dtype).is_floating]

        def train_step(data: tuple[Any, Any]) -> dict[str, Any]:
            x, y = data
            counters = [variable for metric in (tracker, *metrics) for variable in metric.variables]
            before = [tf.identity(variable.value) for variable in counters]
            with tf.GradientTape() as tape:
                outputs = model(x, training=True)
                loss = model.compute_loss(x=x, y=y, y_pred=outputs, training=True)
            learned = model.trainable_variables
            gradients = tape.gradient(loss, learned, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            samples = tf.cast(tf.shape(x)[0], tf.float32)
            tracker.update_state(loss, sample_weight=samples)
            model.compute_metrics(x, y, outputs)
            # All in one vector: one message a batch.
            parts = [
                *(samples * tf.convert_to_tensor(gradient) for gradient in gradients),
                *(samples * variable.value for variable in moving),
                *(tf.cast(v.value - b, tf.float32) for v, b in zip(counters, before, strict=True)),
                tf.reshape(samples, [1]),
            ]
            shapes = [part.shape for part in parts]
            whole = self._sum(tf.concat([tf.reshape(part, [-1]) for part in parts], axis=0))
            pieces = tf.split(whole, [shape.num_elements() for shape in shapes])
            summed = [tf.reshape(piece, shape) for piece, shape in zip(pieces, shapes, strict=True)]
            total = summed[-1][0]
            model.optimizer.apply_gradients(
                zip([part / total for part in summed[: len(learned)]], learned, strict=True)
            )
            for variable, part in zip(moving, summed[len(learned) :], strict=False):
                variable.assign(part / total)
            for variable, first, part in zip(counters, before, summed[len(learned) + len(moving) : -1], strict=True):
                variable.assign(first + tf.cast(part, first.dtype))
            results: dict[str, Any] = model.get_metrics_result()
            return results

        model.train_step = train_step
