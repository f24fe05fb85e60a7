"""From raw samples to training batches. What epoch ``e`` sees depends on the seed and on ``e`` alone.

So a training that was killed and resumed at epoch ``e`` goes on with exactly the batches, the order and the
augmentation that it would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from edgecnn.data.base import Samples
from edgecnn.preprocess import PreprocessKind
from edgecnn.recipe import AugmentSection
from edgecnn.tasks import Task
from edgecnn.training.augment import augment_inputs, augment_raw

PREFETCH = 4
"""Batches made ahead on a second thread while the network computes."""


def targets(y: np.ndarray, task: Task, classes: int, indices: bool) -> np.ndarray:
    """Classes as a loss takes them.

    Args:
        y: int64, ``[N]`` or for segmentation ``[N, H, W]``.
        task: What the network is for.
        classes: Of the data.
        indices: The loss wants class indices.

    Returns:
        ``y`` itself for indices; float32 ``[N, 1]`` or ``[N, H, W, 1]`` of zeros and ones where one output stands for
        two classes; otherwise one-hot float32 ``[N, …, classes]``.
    """
    if indices:
        return y
    if task == "binary" or (task == "segmentation" and classes == 2):
        return y[..., np.newaxis].astype(np.float32)
    one_hot: np.ndarray = np.eye(classes, dtype=np.float32)[y]
    return one_hot


def training_batches(
    samples: Samples,
    y: np.ndarray,
    preprocess: PreprocessKind,
    augment: AugmentSection,
    *,
    batch: int,
    seed: int,
    epochs: range,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Shuffled, augmented, preprocessed batches of one epoch after the other.

    Args:
        samples: Raw training samples ``[N, ...]``.
        y: Targets of the loss, ``[N, ...]``.
        preprocess: Applied after the augmentation: the same code that the contract stands for.
        augment: Random changes to raw samples.
        batch: Samples a batch; the last one of an epoch may be smaller.
        seed: Of the order and of the augmentation.
        epochs: Which epochs, from 0.

    Yields:
        ``(x [B, ...], y [B, ...])``, as the network and the loss take them.
    """
    for epoch in epochs:
        generator = np.random.default_rng([seed, epoch])
        order = generator.permutation(len(samples))
        for start in range(0, len(samples), batch):
            chosen = order[start : start + batch]
            x, classes = augment_raw(samples.x[chosen], y[chosen], preprocess, augment, generator)
            yield augment_inputs(preprocess.apply(x), classes, preprocess, augment, generator)


def evaluation_batches(
    samples: Samples, y: np.ndarray, preprocess: PreprocessKind, batch: int = 512
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Preprocessed batches in the order of the samples, without augmentation."""
    for start in range(0, len(samples), batch):
        part = slice(start, start + batch)
        yield preprocess.apply(samples.x[part]), y[part]


def as_dataset(
    batches: Iterator[tuple[np.ndarray, np.ndarray]], shape: tuple[int, ...], dtype: str, y: np.ndarray
) -> Any:
    """A ``tf.data.Dataset`` that draws from an iterator once, a few batches ahead.

    Args:
        batches: ``(x, y)`` pairs.
        shape: Of one sample as the network takes it: that of the batches, but for dimensions of 1.
        dtype: Of the network's input.
        y: All targets, for their shape and type.
    """
    import tensorflow as tf

    signature = (
        tf.TensorSpec([None, *shape], tf.as_dtype(dtype)),
        tf.TensorSpec([None, *y.shape[1:]], tf.as_dtype(y.dtype)),
    )
    shaped = ((x.reshape(-1, *shape), targets) for x, targets in batches)
    return tf.data.Dataset.from_generator(lambda: shaped, output_signature=signature).prefetch(PREFETCH)
