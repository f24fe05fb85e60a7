"""From raw samples to training batches. What epoch ``e`` sees depends on the seed and on ``e`` alone.

So a training that was killed and resumed at epoch ``e`` goes on with exactly the batches, the order and the
augmentation that it would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from edgecnn.data.base import Samples
from edgecnn.preprocess import Preprocess
from edgecnn.recipe import AugmentSection

PREFETCH = 4
"""Batches made ahead on a second thread while the network computes."""


def targets(y: np.ndarray, classes: int, indices: bool) -> np.ndarray:
    """Class indices ``[N]`` int64 as they are, or one-hot ``[N, classes]`` float32."""
    return y if indices else np.eye(classes, dtype=np.float32)[y]


def augment_images(x: np.ndarray, augment: AugmentSection, generator: np.random.Generator) -> np.ndarray:
    """Random shifts and flips of a batch ``[B, H, W, C]``; what is shifted in repeats the edge."""
    count, height, width = x.shape[:3]
    dy, dx = round(augment.shift * height), round(augment.shift * width)
    if dy or dx:
        down, right = generator.integers(-dy, dy + 1, (count, 1)), generator.integers(-dx, dx + 1, (count, 1))
        rows = np.clip(np.arange(height) - down, 0, height - 1)       # [B, H]
        columns = np.clip(np.arange(width) - right, 0, width - 1)     # [B, W]
        samples = np.arange(count)
        x = x[samples[:, None, None], rows[:, :, None], columns[:, None, :]]
    for direction, axis in (("horizontal", 2), ("vertical", 1)):
        if augment.flip in (direction, "both"):
            flipped = generator.random((count, 1, 1, 1)) < 0.5
            x = np.where(flipped, np.flip(x, axis), x)
    return x


def training_batches(
    samples: Samples,
    y: np.ndarray,
    preprocess: Preprocess,
    augment: AugmentSection,
    *,
    batch: int,
    seed: int,
    epochs: range,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Shuffled, augmented, preprocessed batches of one epoch after the other.

    Args:
        samples: Raw training samples, uint8 ``[N, H, W, C]``.
        y: Targets, ``[N]`` or ``[N, classes]``.
        preprocess: Applied after the augmentation: the same code that the contract stands for.
        augment: Random changes to raw samples.
        batch: Samples a batch; the last one of an epoch may be smaller.
        seed: Of the order and of the augmentation.
        epochs: Which epochs, from 0.

    Yields:
        ``(x float32 [B, H, W, C], y [B, ...])``.
    """
    for epoch in epochs:
        generator = np.random.default_rng([seed, epoch])
        order = generator.permutation(len(samples))
        for start in range(0, len(samples), batch):
            chosen = order[start : start + batch]
            yield preprocess.apply(augment_images(samples.x[chosen], augment, generator)), y[chosen]


def evaluation_batches(
    samples: Samples, y: np.ndarray, preprocess: Preprocess, batch: int = 512
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Preprocessed batches in the order of the samples, without augmentation."""
    for start in range(0, len(samples), batch):
        part = slice(start, start + batch)
        yield preprocess.apply(samples.x[part]), y[part]


def as_dataset(batches: Iterator[tuple[np.ndarray, np.ndarray]], shape: tuple[int, ...], y: np.ndarray) -> Any:
    """A ``tf.data.Dataset`` that draws from an iterator once, a few batches ahead.

    Args:
        batches: ``(x, y)`` pairs.
        shape: Of one sample as the network takes it: that of the batches, but for dimensions of 1.
        y: All targets, for their shape and type.
    """
    import tensorflow as tf

    signature = (
        tf.TensorSpec([None, *shape], tf.float32),
        tf.TensorSpec([None, *y.shape[1:]], tf.as_dtype(y.dtype)),
    )
    shaped = ((x.reshape(-1, *shape), targets) for x, targets in batches)
    return tf.data.Dataset.from_generator(lambda: shaped, output_signature=signature).prefetch(PREFETCH)
