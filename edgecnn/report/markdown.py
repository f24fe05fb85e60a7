"""Results for a README: the table, the device, how it was measured, and the classes of the int8 model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgecnn.formats import ABSENT, count, milliseconds, percent, size
from edgecnn.report.metrics import accuracy_title, known
from edgecnn.report.view import (
    classes_of,
    counts_pixels,
    data_line,
    device_line,
    half_interval,
    has_accuracy,
    headline_entry,
    memory_line,
    method,
)
from edgecnn.results import ClassRecord, Entry, Results

_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")


def markdown(results: Results) -> str:
    """GitHub-flavoured Markdown that ends with a line break.

    The per-class table is that of ``view.headline_entry``: the first int8 entry with an accuracy.
    """
    parts = [f"### {_text(results.model.name)}"]
    if results.entries:
        parts.append(_figures(results))
    parts.append(f"Device: {_text(device_line(results.device))}.")
    parts.append(f"Data: {_text(data_line(results).rstrip('.'))}.")
    parts.append(" ".join(_text(sentence) for sentence in method(results)))
    if (memory := memory_line(results)) is not None:
        parts.append(f"Memory: {_text(memory)}.")
    if results.notes:
        parts.append("\n".join(f"- {_text(note)}" for note in results.notes))
    entry = headline_entry(results.entries)
    if entry is not None and classes_of(entry):
        parts.append(f"#### Classes ({_text(entry.runtime)}, {_code(entry.artefact)})")
        parts.append(_classes(classes_of(entry), counts_pixels(results)))
    return "\n\n".join(parts) + "\n"


def _figures(results: Results) -> str:
    """The table of all entries; without the columns of accuracy where there is none to have."""
    judged, metrics = has_accuracy(results), known(results.entries)
    quality = [f"{accuracy_title(results.model.task)} (95 %)", *(metric.title for metric in metrics)]
    headings = [
        "runtime",
        "model",
        "type",
        "size",
        *(quality if judged else []),
        "p50",
        "p95",
        "peak RSS",
        *(["agreement with float"] if judged else []),
    ]
    rows = []
    for entry in results.entries:
        found = [_accuracy(entry), *(metric.text(metric.of(entry)) for metric in metrics)]
        rows.append(
            [
                f"{_text(entry.runtime)} {_text(entry.runtime_version)}",
                _code(entry.artefact),
                entry.precision,
                size(entry.size_bytes),
                *(found if judged else []),
                _ms(entry.p50_ms),
                _ms(entry.p95_ms),
                size(entry.peak_rss_bytes),
                *([percent(entry.agreement_with_float)] if judged else []),
            ]
        )
    return _table(headings, "lll" + "r" * (len(headings) - 3), rows)


def _accuracy(entry: Entry) -> str:
    half = half_interval(entry)
    return percent(entry.accuracy) + ("" if half is None else f" ± {half * 100:.2f}")


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
