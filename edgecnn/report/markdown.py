"""Results for a README: the table, the device, how it was measured, and the classes of the int8 model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgecnn.formats import ABSENT, count, milliseconds, percent, size
from edgecnn.report.conditions import device_line, method
from edgecnn.report.metrics import accuracy_title, known
from edgecnn.report.view import (
    classes_of,
    counts_pixels,
    data_line,
    entry_labels,
    half_interval,
    has_accuracy,
    headline_entry,
    median_interval,
    memory_line,
)
from edgecnn.results import BoardEntry, ClassRecord, Entry, Results

_TOP = 5    # layers of a profile

_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")


def markdown(results: Results) -> str:
    """GitHub-flavoured Markdown that ends with a line break.

    The per-class table is that of ``view.headline_entry``: the first int8 entry with an accuracy.
    """
    parts = [f"### {_text(results.model.name)}"]
    if results.entries:
        parts.append(_figures(results))
    if results.boards:
        parts += ["#### Boards (emulated)", _boards(results)]
    parts.append(f"Device: {_text(device_line(results.device))}.")
    parts += [f"{_text(host)}: {_text(device_line(device))}." for host, device in results.devices.items()]
    parts.append(f"Data: {_text(data_line(results).rstrip('.'))}.")
    parts.append(" ".join(_text(sentence) for sentence in method(results)))
    if (memory := memory_line(results)) is not None:
        parts.append(f"Memory: {_text(memory)}.")
    if results.quantization is not None:
        parts.append(f"Quantization: {_text(results.quantization.advice)}")
    if results.notes:
        parts.append("\n".join(f"- {_text(note)}" for note in results.notes))
    if any(entry.profile for entry in results.entries):
        parts += ["#### Slowest layers", _profiles(results.entries)]
    entry = headline_entry(results.entries)
    if entry is not None and classes_of(entry):
        parts.append(f"#### Classes ({_text(entry.runtime)}, {_code(entry.artefact)})")
        parts.append(_classes(classes_of(entry), counts_pixels(results)))
    return "\n\n".join(parts) + "\n"


def _figures(results: Results) -> str:
    """The table of all entries; without the columns of accuracy where there is none to have."""
    judged, metrics = has_accuracy(results), known(results.entries)
    quality = [f"{accuracy_title(results.model.task)} (95 %)", *(metric.title for metric in metrics)]
    devices = any(entry.device for entry in results.entries)
    arenas = any(entry.arena_bytes is not None for entry in results.entries)
    headings = [
        *(["device"] if devices else []),
        "runtime",
        "model",
        "type",
        "size",
        *(quality if judged else []),
        "p50 (95 %)",
        "p95",
        "outliers",
        "peak RSS",
        *(["arena"] if arenas else []),
        *(["agreement with float"] if judged else []),
    ]
    rows = []
    for entry in results.entries:
        found = [_accuracy(entry), *(metric.text(metric.of(entry)) for metric in metrics)]
        rows.append(
            [
                *([_text(entry.device or "this machine")] if devices else []),
                f"{_text(entry.runtime)} {_text(entry.runtime_version)}",
                _code(entry.artefact),
                entry.precision,
                size(entry.size_bytes),
                *(found if judged else []),
                f"{_ms(entry.p50_ms)} ({median_interval(entry)})",
                _ms(entry.p95_ms),
                f"{count(entry.outliers)} of {count(entry.num_runs)}",
                size(entry.peak_rss_bytes),
                *([size(entry.arena_bytes)] if arenas else []),
                *([percent(entry.agreement_with_float)] if judged else []),
            ]
        )
    left = "llll" if devices else "lll"
    return _table(headings, left + "r" * (len(headings) - len(left)), rows)


def _boards(results: Results) -> str:
    """The table of emulated boards; the columns of accuracy only where there is one."""
    judged = any(board.accuracy is not None for board in results.boards)
    headings = ["board", "model", "type", "instructions", "per MAC", "arena", "stack", "code", "weights"]
    headings += [f"{accuracy_title(results.model.task)} (95 %)", "agreement with float", "samples"] if judged else []
    rows = []
    for board in results.boards:
        each = board.instructions_per_mac
        cells = [
            _text(board.target),
            _code(board.artefact),
            f"{board.precision} {_text(board.optimization)}",
            count(round(board.instructions)),
            ABSENT if each is None else f"{each:.2f}",
            *(size(value) for value in (board.arena_bytes, board.stack_bytes, board.code_bytes, board.weights_bytes)),
        ]
        judgement = [_accuracy(board), percent(board.agreement_with_float), count(board.samples)]
        rows.append([*cells, *(judgement if judged else [])])
    return _table(headings, "lll" + "r" * (len(headings) - 3), rows)


def _profiles(entries: Sequence[Entry]) -> str:
    """The layers that take most time on each runtime that tells."""
    rows = []
    for label, entry in zip(entry_labels(entries), entries, strict=True):
        slowest = sorted(entry.profile or [], key=lambda layer: -layer.ms)[:_TOP]
        rows += [[_text(label), _text(one.name), _text(one.op), _ms(one.ms), percent(one.share, 1)] for one in slowest]
    return _table(["runtime", "layer", "operator", "time", "share"], "lllrr", rows)


def _accuracy(record: Entry | BoardEntry) -> str:
    half = half_interval(record)
    return percent(record.accuracy) + ("" if half is None else f" ± {half * 100:.2f}")


def _classes(records: Sequence[ClassRecord], overlap: bool) -> str:
    """The table of all classes, with intersection over union where classes are areas."""
    headings = ["class", "precision", "recall", "F1", *(["IoU"] if overlap else []), "pixels" if overlap else "samples"]
    rows = [
        [
            _text(record.label),
            *map(percent, (record.precision, record.recall, record.f1, *([record.iou] if overlap else []))),
            count(record.support),
        ]
        for record in records
    ]
    return _table(headings, "l" + "r" * (len(headings) - 1), rows)


def _ms(value: float) -> str:
    text = milliseconds(value)
    return text if text == ABSENT else f"{text} ms"


def _table(headings: Sequence[str], align: str, rows: Sequence[Sequence[str]]) -> str:
    """A pipe table; ``align`` has ``l`` or ``r`` for each column."""
    rule = ["---:" if side == "r" else "---" for side in align]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (headings, rule, *rows))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _text(text: str) -> str:
    """Text that Markdown shows as it is."""
    escaped = _SPECIAL.sub(r"\\\1", _one_line(text))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _code(text: str) -> str:
    """A file name as code; a pipe would end the cell even in there, and a backslash before it would free it again."""
    line = _one_line(text)
    return _text(line) if "`" in line or "\\" in line else "`" + line.replace("|", "\\|") + "`"
