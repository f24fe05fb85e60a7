"""What each section of the report shows: the names that its template (``sections/*.html.j2``) reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np

from edgecnn.formats import ABSENT, count
from edgecnn.memory_plan import MemoryPlan, kept_words
from edgecnn.report.comparison import comparison, latency_distribution
from edgecnn.report.conditions import device_facts, method
from edgecnn.report.confusion import COUNTED, confusion_matrix, in_words
from edgecnn.report.headlines import Headline, capital, headlines
from edgecnn.report.layer_bars import instructions_chart, noise_chart, profile_chart, rest
from edgecnn.report.memory import in_words as in_memory_words
from edgecnn.report.memory import memory_picture
from edgecnn.report.metrics import accuracy_title, known
from edgecnn.report.plots import learning_curve
from edgecnn.report.quantization_charts import sample_picture
from edgecnn.report.sustained import in_words as in_sustained_words
from edgecnn.report.sustained import spans, sustained_chart
from edgecnn.report.view import (
    Curve,
    Fact,
    board_labels,
    classes_of,
    counts_pixels,
    curves,
    data_line,
    entry_labels,
    has_accuracy,
    headline_entry,
    title,
    weakest,
    words_of,
)
from edgecnn.results import BoardEntry, Entry, HistoryRecord, Results, WorstSample


@dataclass(frozen=True)
class Shown:
    """A record with its name, and its picture where there is one."""

    label: str
    record: Any
    picture: Any = None


def context(results: Results, samples: Mapping[int, np.ndarray], analysis: str | None) -> dict[str, Any]:
    """Everything that the page reads.

    Args:
        results: The document.
        samples: Raw samples by index in the test split.
        analysis: The file beside the report that tells all about quantization, if there is one.
    """
    parts = (
        _document(results),
        _runtimes(results),
        _boards(results),
        _layers(results),
        _memory(results),
        _training(results),
        _classes(results),
        {"worst": _worst(results.worst, samples)},
        _quantization(results, analysis),
        _conditions(results),
    )
    return {name: value for part in parts for name, value in part.items()}


def _document(results: Results) -> dict[str, Any]:
    shown = [Headline(item.name, item.value, _unbroken(item.remark)) for item in headlines(results)]
    return {"results": results, "absent": ABSENT, "subtitle": _subtitle(results), "headlines": shown}


def _unbroken(text: str) -> str:
    """A number and its unit on one line."""
    return re.sub(r"(?<=\d) (?=%|ms\b|[kMG]?B\b)", "\u00a0", text)


def _runtimes(results: Results) -> dict[str, Any]:
    from markupsafe import Markup

    entries = results.entries
    own = [metric for metric in known(entries) if not metric.everywhere]
    return {
        "judged": has_accuracy(results),
        "accuracy": capital(accuracy_title(results.model.task)),
        "metrics": own or known(entries),    # more columns than one would not fit
        "rows": [Shown(label, entry) for label, entry in zip(entry_labels(entries), entries, strict=True)],
        "arenas": any(entry.arena_bytes is not None for entry in entries),
        "cores": any(entry.pinned_core is not None for entry in entries),
        "comparison": Markup(comparison(entries)) if entries else None,
        "latency": Markup(latency_distribution(entries)) if entries else None,
    }


def _boards(results: Results) -> dict[str, Any]:
    from markupsafe import Markup

    boards = [
        Shown(label, board, Markup(instructions_chart(f"board-{number}", board)) if board.layers else None)
        for number, (label, board) in enumerate(zip(board_labels(results.boards), results.boards, strict=True))
    ]
    return {
        "boards": boards,
        "boards_judged": any(board.accuracy is not None for board in results.boards),
        "networks": _networks([shown for shown in boards if shown.record.layers]),
        "rest": rest,
    }


def _networks(boards: list[Shown]) -> list[list[Shown]]:
    """Boards whose layers are the same, which fit in one table."""
    groups: dict[tuple[tuple[str, int], ...], list[Shown]] = {}
    for shown in boards:
        board: BoardEntry = shown.record
        groups.setdefault(tuple((layer.name, layer.macs) for layer in board.layers), []).append(shown)
    return list(groups.values())


def _layers(results: Results) -> dict[str, Any]:
    """Profiles and what became of latency under load, of the entries that have them."""
    from markupsafe import Markup

    labelled = list(enumerate(zip(entry_labels(results.entries), results.entries, strict=True)))
    return {
        "profiles": [
            Shown(label, entry, Markup(profile_chart(f"profile-{number}", entry)))
            for number, (label, entry) in labelled
            if entry.profile
        ],
        "sustained": [
            Shown(label, entry.sustained, Markup(sustained_chart(f"sustained-{number}", entry.sustained)))
            for number, (label, entry) in labelled
            if entry.sustained is not None and entry.sustained.seconds
        ],
        "spans": spans,
        "in_sustained_words": in_sustained_words,
    }


def _memory(results: Results) -> dict[str, Any]:
    from markupsafe import Markup

    plan = results.memory
    return {
        "memory": plan,
        "memory_picture": Markup(memory_picture(plan)) if plan and plan.buffers else None,
        "memory_words": in_memory_words(plan) if plan else "",
        "memory_bars": memory_bars(plan) if plan else [],
        "kept_words": kept_words,
    }


def _training(results: Results) -> dict[str, Any]:
    from markupsafe import Markup

    history, found = results.history, curves(results.history)
    best = history.best_epoch if history is not None else None
    return {
        "curves": [(title(curve.metric), Markup(learning_curve(curve, best))) for curve in found],
        "curve_sentence": _curve_sentence(history, found),
    }


def _classes(results: Results) -> dict[str, Any]:
    from markupsafe import Markup

    best = headline_entry(results.entries)
    found = best.confusion_matrix if best is not None else None
    matrix = found if found is not None and _square(found) else []
    names = _class_names(results, best, len(matrix))
    records = classes_of(best) if best is not None else []
    return {
        "pixels": counts_pixels(results),
        "best": best,
        "best_label": entry_labels(results.entries)[results.entries.index(best)] if best is not None else "",
        "confusion": Markup(confusion_matrix(matrix, names)) if matrix else None,
        "mistakes": in_words(matrix, names) if matrix else "",
        "counted": len(matrix) <= COUNTED,
        "classes": records,
        "weakest": weakest(records),
    }


def _worst(worst: list[WorstSample], samples: Mapping[int, np.ndarray]) -> list[Shown]:
    from markupsafe import Markup

    return [
        Shown(
            f"sample {one.index}",
            one,
            Markup(sample_picture(f"worst-{place}", np.asarray(samples[one.index]))) if one.index in samples else None,
        )
        for place, one in enumerate(worst)
    ]


def _quantization(results: Results, analysis: str | None) -> dict[str, Any]:
    from markupsafe import Markup

    found = results.quantization
    return {
        "quantization": found,
        "noise": Markup(noise_chart(found.layers)) if found is not None and found.layers else None,
        "analysis": analysis,
    }


def _conditions(results: Results) -> dict[str, Any]:
    devices = [Shown("This machine" if results.devices else "Device", device_facts(results.device))]
    devices += [Shown(host, device_facts(device)) for host, device in results.devices.items()]
    return {
        "devices": devices,
        "method": [_unbroken(sentence) for sentence in method(results)],
        "artefacts": _artefacts(results),
        "versions": _versions(results),
        "elsewhere": [
            Shown(host, [Fact(name, version) for name, version in device.packages.items()])
            for host, device in results.devices.items()
            if device.packages
        ],
    }


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


def _artefacts(results: Results) -> list[Fact]:
    """Each measured file once, with its digest."""
    records: list[Entry | BoardEntry] = [*results.entries, *results.boards]
    found = dict.fromkeys((record.artefact, record.sha256) for record in records)
    return [Fact(name, digest) for name, digest in found]


def _versions(results: Results) -> list[Fact]:
    """What was installed, and the versions that runtimes, compilers and emulators themselves gave."""
    runtimes = dict.fromkeys((entry.runtime, entry.runtime_version) for entry in results.entries)
    boards = dict.fromkeys((f"{board.target} {board.optimization}", _made_with(board)) for board in results.boards)
    facts = [Fact(f"runtime {name}", version) for name, version in runtimes]
    facts += [Fact(f"board {name}", version) for name, version in boards]
    return facts + [Fact(name, version) for name, version in results.device.packages.items()]


def _made_with(board: BoardEntry) -> str:
    return f"{board.description}; {board.compiler}, {board.emulator}"
