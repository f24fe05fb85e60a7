"""What the terminal table, the Markdown and the HTML report all need to know of a results document."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from edgecnn.formats import ABSENT, count, milliseconds, percent
from edgecnn.memory_plan import arithmetic
from edgecnn.results import BoardEntry, ClassRecord, Entry, HistoryRecord, Results

# Values that are logged beside the metrics and that are no learning curve.
_NOT_METRICS = frozenset({"lr", "learning_rate", "seconds", "waiting"})
_UNITS = (("G", 1e9), ("M", 1e6), ("k", 1e3))

_ABBREVIATED = {"auc": "AUC", "mean_iou": "mean IoU"}


@dataclass(frozen=True)
class Curve:
    """One metric over the epochs, for training and, where it was held out, validation.

    Attributes:
        metric: Keras's name without ``val_``, such as ``loss``.
        epochs: Epoch numbers, from 1.
        train: One value per epoch, or empty.
        validation: One value per epoch, or empty.
    """

    metric: str
    epochs: list[int]
    train: list[float]
    validation: list[float]


@dataclass(frozen=True)
class Fact:
    """A name and what is said of it."""

    name: str
    text: str


def stem(record: Entry | BoardEntry) -> str:
    """The artefact's name without its suffix, which the runtime implies."""
    return PurePath(record.artefact).stem


def entry_labels(entries: Sequence[Entry]) -> list[str]:
    """A short name for each entry, no two alike: the shortest of a few forms that tells them all apart.

    What was measured on another machine says so: ``litert int8 on pi@garage:22``.
    """
    forms: tuple[Callable[[Entry], str], ...] = (
        lambda entry: f"{entry.runtime} {entry.precision}",
        lambda entry: f"{entry.runtime} {stem(entry)}",
        lambda entry: f"{entry.runtime} {stem(entry)} ×{entry.threads}",
    )
    labels: list[str] = []
    for form in forms:
        labels = [form(entry) + on_device(entry) for entry in entries]
        if len(set(labels)) == len(labels):
            return labels
    return [f"{number}. {label}" for number, label in enumerate(labels, start=1)]


def on_device(entry: Entry) -> str:
    """`` on pi@garage:22``; empty for this machine."""
    return f" on {entry.device}" if entry.device else ""


def board_labels(boards: Sequence[BoardEntry]) -> list[str]:
    """A short name for each board entry, no two alike: ``cortex-m4``, with what tells it from others of that core."""
    forms: tuple[Callable[[BoardEntry], str], ...] = (
        lambda board: board.target,
        lambda board: f"{board.target} {board.optimization}",
        lambda board: f"{board.target} {stem(board)}",
        lambda board: f"{board.target} {stem(board)} {board.optimization}",
    )
    labels: list[str] = []
    for form in forms:
        labels = [form(board) for board in boards]
        if len(set(labels)) == len(labels):
            return labels
    return [f"{number}. {label}" for number, label in enumerate(labels, start=1)]


def headline_entry(entries: Sequence[Entry]) -> Entry | None:
    """The entry that stands for the model: the first int8 one with an accuracy, else the next best to that.

    The first in the order in which the runtimes were asked for, not the highest figure: choosing the best of several
    measurements on the test set would flatter the model.
    """
    return min(entries, key=lambda entry: (entry.accuracy is None, entry.precision != "int8"), default=None)


def float_entry(entries: Sequence[Entry], samples: int | None) -> Entry | None:
    """The first float32 entry whose accuracy was measured on as many samples as ``samples``."""
    for entry in entries:
        if entry.precision == "float32" and entry.accuracy is not None and entry.samples == samples:
            return entry
    return None


def half_interval(record: Entry | BoardEntry) -> float | None:
    """The larger side of the accuracy's 95 % interval, which lies unevenly near 0 and 1."""
    if record.accuracy is None or record.accuracy_low is None or record.accuracy_high is None:
        return None
    return max(record.accuracy - record.accuracy_low, record.accuracy_high - record.accuracy)


def interval(record: Entry | BoardEntry) -> str | None:
    """The 95 % interval of the accuracy as ``90.66 to 91.77 %``."""
    if record.accuracy_low is None or record.accuracy_high is None:
        return None
    return f"{record.accuracy_low * 100:.2f} to {percent(record.accuracy_high)}"


def median_interval(entry: Entry) -> str:
    """The 95 % interval of the median as ``0.131 to 0.134``, in ms."""
    return f"{milliseconds(entry.p50_low_ms)} to {milliseconds(entry.p50_high_ms)}"


def median_half(entry: Entry) -> float:
    """The larger side of the median's 95 % interval, in ms."""
    return max(entry.p50_ms - entry.p50_low_ms, entry.p50_high_ms - entry.p50_ms, 0.0)


def scaled(value: float | None) -> str:
    """A count of instructions to three digits: ``3.80 M``, ``412 k``, ``85``."""
    if value is None or not math.isfinite(value):
        return ABSENT
    unit, factor = next(((unit, factor) for unit, factor in _UNITS if value >= factor), ("", 1.0))
    number = value / factor
    if number >= 1e5:
        return f"{value:.2e}"
    if not unit:
        return f"{number:.0f}"
    return f"{number:.{2 if number < 9.995 else 1 if number < 99.95 else 0}f} {unit}"


def classes_of(entry: Entry) -> list[ClassRecord]:
    """The per-class figures, or an empty list."""
    return entry.per_class or []


def weakest(classes: Sequence[ClassRecord]) -> ClassRecord | None:
    """The class with the lowest recall, of those that the test split holds."""
    present = [record for record in classes if record.recall is not None]
    return min(present, key=lambda record: record.recall or 0.0, default=None)


def curves(history: HistoryRecord | None) -> list[Curve]:
    """The learning curves, loss first, then accuracies, then what else was logged; empty without a history."""
    if history is None or not history.epochs:
        return []
    names = {name.removeprefix("val_"): None for name in history.values}    # a dict keeps the order
    metrics = [name for name in names if name not in _NOT_METRICS]
    metrics.sort(key=lambda name: (name != "loss", "accuracy" not in name))
    found = []
    for metric in metrics:
        train, validation = history.values.get(metric, []), history.values.get(f"val_{metric}", [])
        if train or validation:
            found.append(Curve(metric, history.epochs, train, validation))
    return found


def title(metric: str) -> str:
    """``sparse_categorical_accuracy`` as ``Sparse categorical accuracy``; abbreviations as they are written."""
    words = words_of(metric)
    return words[:1].upper() + words[1:]


def words_of(metric: str) -> str:
    """The same inside a sentence: ``sparse categorical accuracy``."""
    return _ABBREVIATED.get(metric, metric.replace("_", " ").strip())


def counts_pixels(results: Results) -> bool:
    """Whether confusion matrix and figures of classes are of pixels, not of samples."""
    return results.model.task == "segmentation"


def has_accuracy(results: Results) -> bool:
    """Whether the model can be right or wrong at all: a filter with fixed weights cannot."""
    return results.model.task != "filter"


def data_line(results: Results) -> str:
    """The data in one line."""
    data = results.data
    if data is None:
        return "none for accuracy and agreement, which were not measured."
    samples = "" if data.samples == 1 else "s"
    classes = f", {len(data.labels)} classes" if data.labels else ""
    return f"{data.set}, {data.split} split, {count(data.samples)} sample{samples}{classes}"


def memory_line(results: Results) -> str | None:
    """What the compiled model needs of RAM and flash, in one line."""
    plan = results.memory
    if plan is None:
        return None
    beside = [] if plan.push_arena_bytes is None else [f"{count(plan.push_arena_bytes)} B with the input row by row"]
    if plan.tflm_arena_bytes is not None:
        beside.append(f"TFLite Micro {count(plan.tflm_arena_bytes)} B")
    inner = f" ({', '.join(beside)})" if beside else ""
    needs = f"arena {count(plan.arena_bytes)} B{inner}, weights {count(plan.weight_bytes)} B"
    return f"compiled to C, {arithmetic(plan)}: {needs}"


def latency_summary(entry: Entry) -> str:
    """``p50 0.132 ms, p95 0.150 ms, p99 0.201 ms``."""
    figures = (("p50", entry.p50_ms), ("p95", entry.p95_ms), ("p99", entry.p99_ms))
    return ", ".join(f"{name} {milliseconds(value)} ms" for name, value in figures)
