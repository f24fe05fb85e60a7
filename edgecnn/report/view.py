"""What the terminal table, the Markdown and the HTML report all need to know of a results document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from edgecnn.formats import count, milliseconds, percent, size
from edgecnn.memory_plan import arithmetic
from edgecnn.report.metrics import explained
from edgecnn.results import ClassRecord, DeviceRecord, Entry, HistoryRecord, Results

# Values that are logged beside the metrics and that are no learning curve.
_NOT_METRICS = frozenset({"lr", "learning_rate", "seconds", "waiting"})


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


def stem(entry: Entry) -> str:
    """The artefact's name without its suffix, which the runtime implies."""
    return PurePath(entry.artefact).stem


def entry_labels(entries: Sequence[Entry]) -> list[str]:
    """A short name for each entry, no two alike: the shortest of a few forms that tells them all apart."""
    forms: tuple[Callable[[Entry], str], ...] = (
        lambda entry: f"{entry.runtime} {entry.precision}",
        lambda entry: f"{entry.runtime} {stem(entry)}",
        lambda entry: f"{entry.runtime} {stem(entry)} ×{entry.threads}",
    )
    labels: list[str] = []
    for form in forms:
        labels = [form(entry) for entry in entries]
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


def half_interval(entry: Entry) -> float | None:
    """The larger side of the accuracy's 95 % interval, which lies unevenly near 0 and 1."""
    if entry.accuracy is None or entry.accuracy_low is None or entry.accuracy_high is None:
        return None
    return max(entry.accuracy - entry.accuracy_low, entry.accuracy_high - entry.accuracy)


def interval(entry: Entry) -> str | None:
    """The 95 % interval of the accuracy as ``90.66 to 91.77 %``."""
    if entry.accuracy_low is None or entry.accuracy_high is None:
        return None
    return f"{entry.accuracy_low * 100:.2f} to {percent(entry.accuracy_high)}"


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


def device_facts(device: DeviceRecord) -> list[Fact]:
    """The machine, one fact a line; what it did not tell is left out."""
    facts = [
        Fact("CPU", device.cpu),
        Fact("Cores", f"{device.cores} ({device.architecture})"),
        Fact("Memory", size(device.memory_bytes)) if device.memory_bytes is not None else None,
        Fact("System", device.system),
        Fact("Python", device.python),
        Fact("CPU governor", device.governor or "the system does not tell"),
        _before_after("Load average (1 min)", device.load_before, device.load_after, ""),
        _before_after("Temperature", device.temperature_before_c, device.temperature_after_c, " °C"),
    ]
    return [fact for fact in facts if fact is not None]


def _before_after(name: str, before: float | None, after: float | None, unit: str) -> Fact | None:
    parts = [f"{value:.4g}{unit} {when}" for value, when in ((before, "before"), (after, "after")) if value is not None]
    return Fact(name, ", ".join(parts)) if parts else None


def device_line(device: DeviceRecord) -> str:
    """The machine in one line."""
    cores = f"{device.cores} core{'s' if device.cores != 1 else ''}"
    parts = [device.cpu, cores, device.architecture, device.system]
    if device.governor:
        parts.append(f"governor {device.governor}")
    return ", ".join(parts)


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


def method(results: Results) -> list[str]:
    """How it was measured, in sentences; every number in them is the document's."""
    entries = results.entries
    if not entries:
        return ["No runtime was measured."]
    warmup, runs = _range(entry.num_warmup for entry in entries), _range(entry.num_runs for entry in entries)
    threads = _range(entry.threads for entry in entries)
    sentences = [
        f"Latency is that of one sample at a time (batch 1): input handed over, run, output read. "
        f"{warmup} warm-up and {runs} counted runs, {threads} thread{'' if threads == '1' else 's'}.",
        "Each line was measured in a fresh process; peak RSS is the most resident memory that process held.",
    ]
    judged = [entry for entry in entries if entry.accuracy is not None]
    if judged:
        samples = _range(entry.samples for entry in judged if entry.samples is not None)
        on = f", measured on {samples} samples of the test split" if samples else ""
        meant = explained(results.model.task)
        interval_of = "the 95 % interval of a mean" if counts_pixels(results) else "Wilson's 95 % score interval"
        sentences.append(f"Accuracy stands with {interval_of}{on}.")
        sentences += [meant] if meant is not None else []
    if any(entry.agreement_with_float is not None for entry in entries):
        sentences.append("Agreement is the share of samples on which the class is that of the float model.")
    return sentences


def method_line(results: Results) -> str:
    """The same in one line, for the terminal."""
    entries = results.entries
    if not entries:
        return "No runtime was measured."
    warmup, runs = _range(entry.num_warmup for entry in entries), _range(entry.num_runs for entry in entries)
    threads = _range(entry.threads for entry in entries)
    samples = _range(entry.samples for entry in entries if entry.samples is not None)
    text = f"batch 1, {threads} thread{'' if threads == '1' else 's'}, {warmup} warm-up and {runs} counted runs"
    return f"{text}; accuracy on {samples} samples" if samples else text


def _range(values: Iterable[int]) -> str:
    numbers = sorted(set(values))
    if not numbers:
        return ""
    return count(numbers[0]) if len(numbers) == 1 else f"{count(numbers[0])} to {count(numbers[-1])}"


def latency_summary(entry: Entry) -> str:
    """``p50 0.132 ms, p95 0.150 ms, p99 0.201 ms``."""
    figures = (("p50", entry.p50_ms), ("p95", entry.p95_ms), ("p99", entry.p99_ms))
    return ", ".join(f"{name} {milliseconds(value)} ms" for name, value in figures)
