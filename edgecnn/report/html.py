"""The report: one HTML file that holds everything it shows and fetches nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path, PurePath
from typing import Any

from edgecnn.errors import MissingDependencyError
from edgecnn.files import write_text
from edgecnn.formats import ABSENT, count, milliseconds, percent, rate, shape_text, size
from edgecnn.memory_plan import MemoryPlan, arithmetic, kept_words
from edgecnn.report.comparison import DOTS, comparison, latency_distribution
from edgecnn.report.confusion import COUNTED, confusion_matrix, in_words
from edgecnn.report.memory import in_words as in_memory_words
from edgecnn.report.memory import memory_picture
from edgecnn.report.metrics import accuracy_title, known
from edgecnn.report.plots import learning_curve
from edgecnn.report.view import (
    Curve,
    Fact,
    classes_of,
    counts_pixels,
    curves,
    data_line,
    device_facts,
    entry_labels,
    float_entry,
    has_accuracy,
    headline_entry,
    interval,
    method,
    title,
    weakest,
    words_of,
)
from edgecnn.results import Entry, HistoryRecord, Results

TEMPLATE = "report.html.j2"


@dataclass(frozen=True)
class Headline:
    """One of the large figures at the top."""

    name: str
    value: str
    remark: str


def write_report(results: Results, path: Path) -> None:
    """Write the report, whole or not at all; the same results give the same bytes.

    Args:
        results: Everything that is shown. What was not measured is left out, with a sentence that says so.
        path: The ``.html`` to write.

    Raises:
        MissingDependencyError: Jinja2 or matplotlib is not installed.
        EdgecnnError: The file cannot be written.
    """
    write_text(path, render(results))


def render(results: Results) -> str:
    """The report's text; see ``write_report``."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise MissingDependencyError("jinja2", "report", "writing the report") from error
    environment = Environment(
        loader=PackageLoader("edgecnn", "report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(
        percent=percent, size=size, count=count, ms=milliseconds, rate=rate, interval=interval, shape=shape_text
    )
    return environment.get_template(TEMPLATE).render(_context(results))


def _context(results: Results) -> dict[str, Any]:
    from markupsafe import Markup

    entries = results.entries
    labels = entry_labels(entries)
    best = headline_entry(entries)
    found = curves(results.history)
    own = [metric for metric in known(entries) if not metric.everywhere]
    judged = best is not None and best.confusion_matrix is not None and _square(best.confusion_matrix)
    matrix = best.confusion_matrix if judged and best is not None and best.confusion_matrix is not None else []
    names = _class_names(results, best, len(matrix))
    return {
        "results": results,
        "absent": ABSENT,
        "judged": has_accuracy(results),
        "accuracy": _capital(accuracy_title(results.model.task)),
        "metrics": own or known(entries),    # more columns than one would not fit
        "pixels": counts_pixels(results),
        "rows": list(zip(labels, entries, strict=True)),
        "subtitle": _subtitle(results),
        "headlines": [Headline(item.name, item.value, _unbroken(item.remark)) for item in headlines(results)],
        "best": best,
        "best_label": labels[entries.index(best)] if best is not None else "",
        "comparison": Markup(comparison(entries)) if entries else None,
        "latency": Markup(latency_distribution(entries)) if entries else None,
        "dots": DOTS,
        "memory": results.memory,
        "memory_picture": Markup(memory_picture(results.memory)) if results.memory and results.memory.buffers else None,
        "memory_words": in_memory_words(results.memory) if results.memory else "",
        "memory_bars": memory_bars(results.memory) if results.memory else [],
        "kept_words": kept_words,
        "curves": [
            (title(curve.metric), Markup(learning_curve(curve, results.history.best_epoch)))
            for curve in found
            if results.history is not None
        ],
        "curve_sentence": _curve_sentence(results.history, found),
        "confusion": Markup(confusion_matrix(matrix, names)) if matrix else None,
        "mistakes": in_words(matrix, names) if matrix else "",
        "counted": len(matrix) <= COUNTED,
        "classes": classes_of(best) if best is not None else [],
        "weakest": weakest(classes_of(best)) if best is not None else None,
        "device": device_facts(results.device),
        "method": [_unbroken(sentence) for sentence in method(results)],
        "artefacts": _artefacts(entries),
        "versions": _versions(results),
    }


def headlines(results: Results) -> list[Headline]:
    """Accuracy, the figure of its task, drop from float, size, fastest p50 and the arena, as far as they are known."""
    entries = results.entries
    best = headline_entry(entries)
    if best is None:
        return []
    found = []
    if best.accuracy is not None:
        between = interval(best)
        parts = [f"{best.precision} on {best.runtime}"]
        parts += [f"95 % interval {between}"] if between else []
        parts += [f"{count(best.samples)} samples"] if best.samples is not None else []
        found.append(Headline(_capital(accuracy_title(results.model.task)), percent(best.accuracy), ", ".join(parts)))
        found += [
            Headline(_capital(metric.title), metric.text(metric.of(best)), f"{best.precision} on {best.runtime}")
            for metric in known([best])
            if not metric.everywhere
        ]
    reference = float_entry(entries, best.samples)
    if reference is not None and reference.accuracy is not None and best.accuracy is not None and best is not reference:
        drop = f"{(reference.accuracy - best.accuracy) * 100:.2f}"
        drop = "0.00" if drop == "-0.00" else drop.replace("-", "−")
        remark = f"float32 on {reference.runtime}: {percent(reference.accuracy)}"
        found.append(Headline("Drop from float", f"{drop} points", remark))
    twins = [entry for entry in entries if entry.precision == "float32" and _suffix(entry) == _suffix(best)]
    remark = best.artefact
    if twins and best.precision != "float32" and twins[0].size_bytes > 0:
        remark += f", {best.size_bytes / twins[0].size_bytes:.2f} × {twins[0].artefact}"
    found.append(Headline("Size", size(best.size_bytes), remark))
    label, fastest = min(zip(entry_labels(entries), entries, strict=True), key=lambda pair: pair[1].p50_ms)
    found.append(Headline("Fastest, p50", f"{milliseconds(fastest.p50_ms)} ms", label))
    if (memory := results.memory) is not None:
        beside = f"; TFLite Micro's: {size(memory.tflm_arena_bytes)}" if memory.tflm_arena_bytes is not None else ""
        found.append(Headline("RAM arena", size(memory.arena_bytes), f"compiled to C, {arithmetic(memory)}{beside}"))
    return found


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def memory_bars(plan: MemoryPlan) -> list[tuple[str, int, float]]:
    """What the arena takes beside what it could and what it would take: name, bytes, share of the largest."""
    figures = (
        ("arena", plan.arena_bytes),
        ("arena, input row by row", plan.push_arena_bytes),
        ("lower bound", plan.lower_bound_bytes),
        ("TFLite Micro", plan.tflm_arena_bytes),
    )
    known = [(name, value) for name, value in figures if value is not None]
    longest = max(1, *(value for _, value in known))
    return [(name, value, value / longest) for name, value in known]


def _unbroken(text: str) -> str:
    """A number and its unit on one line."""
    return re.sub(r"(?<=\d) (?=%|ms\b|[kMG]?B\b)", "\u00a0", text)


def _subtitle(results: Results) -> str:
    """What was measured, on what and when."""
    model = results.model
    parts = [f"{title(model.task)}."]
    if results.data is not None:
        parts.append(f"Data: {data_line(results)}.")
    if model.parameters is not None:
        parts.append(f"{count(model.parameters)} parameters.")
    if model.macs is not None:
        parts.append(f"{count(model.macs)} multiply-accumulates.")
    return " ".join([*parts, f"Measured {_moment(results.created)}."])


def _moment(created: str) -> str:
    """``2026-01-31 12:00 UTC``; what is no ISO 8601 as it stands."""
    try:
        moment = datetime.fromisoformat(created.replace("Z", "+00:00"))
        return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M\u00a0UTC") if moment.tzinfo else created
    except (ValueError, OverflowError):
        return created


def _suffix(entry: Entry) -> str:
    return PurePath(entry.artefact).suffix


def _square(matrix: list[list[int]]) -> bool:
    return bool(matrix) and all(len(row) == len(matrix) for row in matrix)


def _class_names(results: Results, entry: Entry | None, classes: int) -> list[str]:
    """As many names as the matrix has rows: the data's, else those of the per-class figures, else the numbers."""
    if results.data is not None and len(results.data.labels) == classes:
        return list(results.data.labels)
    records = classes_of(entry) if entry is not None else []
    if len(records) == classes:
        return [record.label for record in records]
    return [str(index) for index in range(classes)]


def _curve_sentence(history: HistoryRecord | None, found: list[Curve]) -> str:
    """What the best epoch reached, in words."""
    if history is None or not found:
        return ""
    epochs = f"{len(history.epochs)} epoch{'' if len(history.epochs) == 1 else 's'}"
    if history.best_epoch is None or history.best_epoch not in history.epochs:
        return f"{epochs} of training."
    at = history.epochs.index(history.best_epoch)
    reached = [
        f"{name} {words_of(curve.metric)} {_rounded(values[at])}"
        for curve in found
        for name, values in (("training", curve.train), ("validation", curve.validation))
        if at < len(values)
    ]
    return f"{epochs} of training; the best is epoch {history.best_epoch}: {', '.join(reached)}."


def _rounded(value: float) -> str:
    """Four decimals, or four digits where a training went astray."""
    return f"{value:.4f}" if abs(value) < 1e4 else f"{value:.4g}"


def _artefacts(entries: list[Entry]) -> list[Fact]:
    """Each measured file once, with its digest."""
    return [Fact(name, digest) for name, digest in dict.fromkeys((entry.artefact, entry.sha256) for entry in entries)]


def _versions(results: Results) -> list[Fact]:
    """What was installed, and the versions that the runtimes themselves gave."""
    runtimes = dict.fromkeys((entry.runtime, entry.runtime_version) for entry in results.entries)
    facts = [Fact(f"runtime {name}", version) for name, version in runtimes]
    return facts + [Fact(name, version) for name, version in results.device.packages.items()]
