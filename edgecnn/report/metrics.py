"""Figures that a task has beside accuracy: what they are called and how they are written, everywhere the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edgecnn.formats import ABSENT, percent
from edgecnn.tasks import THRESHOLD


@dataclass(frozen=True)
class Metric:
    """A figure.

    Attributes:
        field: Of ``Evaluation`` and ``Entry``.
        title: For people.
        short: For the heading of a narrow column.
        everywhere: Any task with classes has it; the others belong to one task.
    """

    field: str
    title: str
    short: str
    everywhere: bool = False

    def text(self, value: float | None) -> str:
        """``0.9534`` for an area under a curve, ``95.34 %`` for a share."""
        if value is None or self.field != "auc":
            return percent(value)
        return f"{value:.4f}"

    def of(self, record: Any) -> float | None:
        """The value in a record, or in a dict of names to values."""
        value: float | None = record.get(self.field) if isinstance(record, Mapping) else getattr(record, self.field)
        return value


METRICS = (
    Metric("auc", "AUC", "AUC"),
    Metric("mean_iou", "mean IoU", "mIoU\n%"),
    Metric("macro_f1", "macro F1", "F1\n%", everywhere=True),
)


def known(records: Iterable[Any]) -> list[Metric]:
    """Those that any of the records has."""
    records = list(records)
    return [metric for metric in METRICS if any(metric.of(record) is not None for record in records)]


def in_words(record: Any) -> str:
    """``AUC 0.9534, macro F1 95.34 %``; empty where a record has none."""
    return ", ".join(f"{metric.title} {metric.text(metric.of(record))}" for metric in known([record]))


def cell(metric: Metric, record: Any) -> str:
    """A value without its unit, for a narrow column."""
    value = metric.of(record)
    return ABSENT if value is None else metric.text(value).removesuffix(" %")


def accuracy_title(task: str) -> str:
    """What accuracy is the share of."""
    return "pixel accuracy" if task == "segmentation" else "accuracy"


def explained(task: str) -> str | None:
    """How the figures of a task are meant, in a sentence; None where there is nothing to explain."""
    if task == "binary":
        return f"The second class is decided for from a probability of {THRESHOLD:g} on; AUC is that of all thresholds."
    if task == "segmentation":
        return (
            "Accuracy is the share of right pixels, with the 95 % interval of its mean over images; the confusion "
            "matrix and the figures of each class count pixels."
        )
    return None
