"""How often a model is right, and how sure that figure is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgecnn.errors import EdgecnnError
from edgecnn.results import ClassRecord, Evaluation
from edgecnn.statistics import Interval, area_under_roc, confusion_matrix, mean_interval, per_class, wilson
from edgecnn.tasks import Task, decide


def evaluate_outputs(task: Task, truth: np.ndarray, outputs: np.ndarray, labels: Sequence[str]) -> Evaluation:
    """All figures from true classes and a model's outputs.

    Args:
        task: What the model is for; not ``filter``.
        truth: Class indices, ``[N]`` or for segmentation ``[N, H, W]``.
        outputs: ``[N, ...]`` real values.
        labels: Class names.

    Raises:
        EdgecnnError: There is no sample.
    """
    if len(truth) == 0:
        raise EdgecnnError("there are no samples to evaluate on: the test split is empty.")
    classes = decide(task, outputs)
    matrix = confusion_matrix(truth.reshape(-1), classes.reshape(-1), len(labels))
    right = hits(truth, classes)
    interval = _interval(right)
    figures = per_class(matrix, tuple(labels))
    overlaps = [one.iou for one in figures if one.iou is not None]
    scores = [one.f1 for one in figures if one.f1 is not None]
    return Evaluation(
        samples=len(truth),
        correct=int(np.trace(matrix)),
        accuracy=interval.value,
        accuracy_low=interval.low,
        accuracy_high=interval.high,
        auc=area_under_roc(truth == 1, outputs.reshape(len(truth))) if task == "binary" else None,
        macro_f1=float(np.mean(scores)) if scores else None,
        mean_iou=float(np.mean(overlaps)) if task == "segmentation" and overlaps else None,
        confusion_matrix=matrix.tolist(),
        per_class=[ClassRecord(**vars(one)) for one in figures],
    )


def hits(truth: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """How right each sample is: booleans ``[N]``; for segmentation the share of right pixels, float64 ``[N]``."""
    same: np.ndarray = truth == classes
    return same if same.ndim == 1 else same.reshape(len(same), -1).mean(axis=1)


def _interval(right: np.ndarray) -> Interval:
    """Of the mean of ``hits``: Wilson's for right and wrong, that of a mean over images for shares of pixels."""
    return wilson(int(right.sum()), len(right)) if right.dtype == np.bool_ else mean_interval(right)
