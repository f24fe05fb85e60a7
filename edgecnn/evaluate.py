"""How often a model is right, and how sure that figure is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgecnn.errors import EdgecnnError
from edgecnn.results import ClassRecord, Evaluation
from edgecnn.statistics import confusion_matrix, per_class, wilson


def evaluate_predictions(truth: np.ndarray, predicted: np.ndarray, labels: Sequence[str]) -> Evaluation:
    """All figures from true and predicted classes.

    Args:
        truth: ``[N]`` class indices.
        predicted: ``[N]`` class indices.
        labels: Class names.

    Raises:
        EdgecnnError: There is no sample.
    """
    if len(truth) == 0:
        raise EdgecnnError("there are no samples to evaluate on: the test split is empty.")
    matrix = confusion_matrix(truth, predicted, len(labels))
    correct = int(np.trace(matrix))
    interval = wilson(correct, len(truth))
    return Evaluation(
        samples=len(truth),
        correct=correct,
        accuracy=interval.value,
        accuracy_low=interval.low,
        accuracy_high=interval.high,
        confusion_matrix=matrix.tolist(),
        per_class=[ClassRecord(**vars(figures)) for figures in per_class(matrix, tuple(labels))],
    )
