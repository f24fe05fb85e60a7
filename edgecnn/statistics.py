"""The figures behind every claim: accuracy with its interval, the difference of two, latency percentiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Z95 = 1.959963984540054
"""The 97.5 % point of the standard normal distribution: two-sided 95 %."""


@dataclass(frozen=True)
class Interval:
    """A proportion or a difference of two, with its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(correct: int, total: int) -> Interval:
    """Wilson's 95 % score interval of a proportion (Wilson 1927, JASA 22:209).

    Raises:
        ValueError: ``total`` is not positive.
    """
    if total <= 0:
        raise ValueError("an interval needs at least one sample")
    share, z2 = correct / total, Z95**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    # At 0 and at 1 the bound is the share itself, which rounding would miss by an ulp.
    return Interval(share, min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)))


def paired_drop(before: np.ndarray, after: np.ndarray) -> Interval:
    """How much accuracy fell between two models on the same samples, with its 95 % interval.

    The samples are paired, so only those on which exactly one model is right carry variance. The interval is that of
    Agresti and Min (2005, Statistics in Medicine 24:729): Wald's, after half a sample is added to each cell of the
    2x2 table, so that two models that never disagree still have an interval of some width.

    Args:
        before: ``[N]`` booleans: the first model is right.
        after: ``[N]`` booleans: the second model is right.

    Returns:
        ``value`` is the plain difference, positive where the second model is worse.
    """
    total = len(before)
    lost, won = int(np.sum(before & ~after)), int(np.sum(~before & after))
    adjusted = total + 2
    centre = (lost - won) / adjusted
    half = Z95 * math.sqrt((lost + won + 1) - (lost - won) ** 2 / adjusted) / adjusted
    return Interval((lost - won) / total, centre - half, centre + half)


def mean_interval(values: np.ndarray) -> Interval:
    """The mean of ``[N]`` shares or differences of shares with its 95 % interval by the normal approximation.

    One value has no interval: its ends are the value.
    """
    mean = float(np.mean(values))
    half = Z95 * float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return Interval(mean, mean - half, mean + half)


def area_under_roc(positive: np.ndarray, score: np.ndarray) -> float | None:
    """Chance that a positive sample scores above a negative one, ties counted half (Hanley and McNeil 1982).

    Args:
        positive: ``[N]`` booleans.
        score: ``[N]``.

    Returns:
        None where all samples are of one class.
    """
    count, others = int(positive.sum()), int((~positive).sum())
    if not count or not others:
        return None
    values, inverse, sizes = np.unique(score, return_inverse=True, return_counts=True)
    ranks = np.cumsum(sizes) - (sizes - 1) / 2    # mean rank of each distinct score, from 1
    total = float(ranks[inverse][positive].sum())
    del values
    return (total - count * (count + 1) / 2) / (count * others)


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """``[classes, classes]`` counts: row is the true class, column the predicted one."""
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True)
class ClassFigures:
    """One class, from a confusion matrix: a rate is None where nothing was predicted or present."""

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    iou: float | None
    support: int


def per_class(matrix: np.ndarray, labels: tuple[str, ...]) -> list[ClassFigures]:
    """Precision, recall, F1, intersection over union and number of true samples of each class."""
    figures = []
    for index, label in enumerate(labels):
        hit, truth, said = int(matrix[index, index]), int(matrix[index].sum()), int(matrix[:, index].sum())
        precision = hit / said if said else None
        recall = hit / truth if truth else None
        f1 = 2 * hit / (truth + said) if truth + said else None
        iou = hit / (truth + said - hit) if truth + said else None
        figures.append(ClassFigures(label, precision, recall, f1, iou, truth))
    return figures


@dataclass(frozen=True)
class Confusion:
    """How many samples of class ``true`` were taken for class ``predicted``; both are indices."""

    true: int
    predicted: int
    samples: int


def confusions(matrix: Sequence[Sequence[int]]) -> list[Confusion]:
    """The mistakes in a confusion matrix, the commonest first, equal ones in the order of their classes."""
    found = [
        Confusion(true, predicted, samples)
        for true, row in enumerate(matrix)
        for predicted, samples in enumerate(row)
        if true != predicted and samples
    ]
    return sorted(found, key=lambda one: -one.samples)
