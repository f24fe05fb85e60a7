"""What a network is for, and how its outputs become decisions."""

from __future__ import annotations

from typing import Literal

import numpy as np

Task = Literal["classification", "binary", "segmentation", "filter"]
"""``classification``: one output a class, the largest wins. ``binary``: one output, the probability of the second of
two classes. ``segmentation``: a map of classes, or for two classes a map of the second one's probability. ``filter``: a
fixed network that turns a signal into another one; there is nothing to be right about."""

THRESHOLD = 0.5
"""From this probability on, a binary decision falls for the second class."""


def outputs_wanted(task: Task, classes: int) -> tuple[int, ...]:
    """How many values the last dimension of a network's output may have; empty where any number will do.

    Args:
        task: What the network is for.
        classes: Of the data.
    """
    if task == "filter":
        return ()
    if task == "binary":
        return (1,)
    if task == "segmentation" and classes == 2:
        return (1, 2)
    return (classes,)


def decide(task: Task, outputs: np.ndarray) -> np.ndarray:
    """Outputs to classes; the first one where several tie.

    Args:
        task: Not ``filter``.
        outputs: ``[N, ...]`` real values, as the network gives them.

    Returns:
        int64; ``[N]``, for segmentation ``[N, H, W]``.
    """
    if task == "binary":
        decisions = outputs.reshape(len(outputs)) >= THRESHOLD
    elif task == "segmentation" and outputs.shape[-1] == 1:
        decisions = outputs[..., 0] >= THRESHOLD
    elif task == "segmentation":
        decisions = outputs.argmax(axis=-1)
    else:
        decisions = outputs.reshape(len(outputs), -1).argmax(axis=1)
    classes: np.ndarray = decisions.astype(np.int64)
    return classes
