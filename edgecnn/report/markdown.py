"""Results for a README: the table, the device, how it was measured, and the classes of the int8 model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgecnn.formats import ABSENT, count, milliseconds, percent, size
from edgecnn.report.view import (
    classes_of,
    data_line,
    device_line,
    half_interval,
    headline_entry,
    memory_line,
    method,
)
from edgecnn.results import Entry, Results

_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")


def markdown(results: Results) -> str:
    """GitHub-flavoured Markdown that ends with a line break.

    The per-class table is that of ``view.headline_entry``: the first int8 entry with an accuracy.
    """
    parts = [f"### {_text(results.model.name)}"]
    if results.entries:
        parts.append(_table(_HEADINGS, "lllrrrrrr", [_cells(entry) for entry in results.entries]))
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
        rows = [
            (_text(record.label), *map(percent, (record.precision, record.recall, record.f1)), count(record.support))
            for record in classes_of(entry)
        ]
        parts.append(_table(("class", "precision", "recall", "F1", "samples"), "lrrrr", rows))
    return "\n\n".join(parts) + "\n"


_HEADINGS = ("runtime", "model", "type", "size", "accuracy (95 %)", "p50", "p95", "peak RSS", "agreement with float")


def _cells(entry: Entry) -> tuple[str, ...]:
    half = half_interval(entry)
    accuracy = percent(entry.accuracy) + ("" if half is None else f" ± {half * 100:.2f}")
    return (
        f"{_text(entry.runtime)} {_text(entry.runtime_version)}",
        _code(entry.artefact),
        entry.precision,
        size(entry.size_bytes),
        accuracy,
        _ms(entry.p50_ms),
        _ms(entry.p95_ms),
        size(entry.peak_rss_bytes),
        percent(entry.agreement_with_float),
    )


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
