"""Markdown for a README: its tables, read back, hold the document's figures."""

from __future__ import annotations

import re

import pytest

from edgecnn.report import markdown
from edgecnn.results import ClassRecord, Results


def tables(text: str) -> list[list[list[str]]]:
    """Every pipe table as rows of cells, its ruler left out."""
    found: list[list[list[str]]] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("|"):
            if not inside:
                found.append([])
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not all(re.fullmatch(r"-+:?", cell) for cell in cells):
                found[-1].append(cells)
        inside = line.startswith("|")
    return found


def number(cell: str) -> float:
    return float(re.match(r"[\d.,]+", cell)[0].replace(",", ""))    # type: ignore[index]


def test_table_holds_the_documents_figures(digits_results: Results) -> None:
    headings, *rows = tables(markdown(digits_results))[0]
    assert len(rows) == len(digits_results.entries)
    for cells, entry in zip(rows, digits_results.entries, strict=True):
        row = dict(zip(headings, cells, strict=True))
        assert row["runtime"] == f"{entry.runtime} {entry.runtime_version}"
        assert row["model"] == f"`{entry.artefact}`"
        assert row["type"] == entry.precision
        assert number(row["size"]) * (1000 if "kB" in row["size"] else 1) == pytest.approx(entry.size_bytes, abs=51)
        assert entry.accuracy is not None and entry.agreement_with_float is not None
        assert number(row["accuracy (95 %)"]) == pytest.approx(100 * entry.accuracy, abs=0.0051)
        assert entry.macro_f1 is not None
        assert number(row["macro F1"]) == pytest.approx(100 * entry.macro_f1, abs=0.0051)
        assert number(row["p50"]) == pytest.approx(entry.p50_ms, rel=0.01)
        assert number(row["p95"]) == pytest.approx(entry.p95_ms, rel=0.01)
        assert number(row["agreement with float"]) == pytest.approx(100 * entry.agreement_with_float, abs=0.0051)


def test_classes_are_those_of_the_first_int8_entry(digits_results: Results) -> None:
    text = markdown(digits_results)
    entry = next(entry for entry in digits_results.entries if entry.precision == "int8")
    assert f"#### Classes ({entry.runtime}, `{entry.artefact}`)" in text
    _, *rows = tables(text)[1]
    assert entry.per_class is not None
    for cells, record in zip(rows, entry.per_class, strict=True):
        assert cells[0] == record.label
        for cell, value in zip(cells[1:4], (record.precision, record.recall, record.f1), strict=True):
            assert value is not None
            assert number(cell) == pytest.approx(100 * value, abs=0.0051)
        assert cells[4] == str(record.support)


def test_device_method_and_notes(digits_results: Results) -> None:
    text = markdown(digits_results).replace("\\", "")
    assert digits_results.device.cpu in text
    assert "Data: digits, test split, 397 samples, 10 classes." in text
    assert "10 warm-up and 50 to 250 counted runs, 1 thread." in text
    for note in digits_results.notes:
        assert f"- {note}" in text


def test_special_characters_stay_in_their_cell(digits_results: Results) -> None:
    awkward = ["a|b", "<b>&", "*x*_y_", "`tick`", "two\nlines"]
    records = [ClassRecord(label=label, precision=None, recall=0.5, f1=None, support=1) for label in awkward]
    entry = digits_results.entries[2].model_copy(update={"per_class": records, "artefact": "a|b.tflite"})
    first, second = tables(markdown(digits_results.model_copy(update={"entries": [entry]})))
    assert first[1][1] == "`a\\|b.tflite`"
    assert [row[0] for row in second[1:]] == [
        "a\\|b", "&lt;b&gt;&amp;", "\\*x\\*\\_y\\_", "\\`tick\\`", "two lines",
    ]    # fmt: skip
    assert [row[1:] for row in second[1:]] == [["–", "50.00 %", "–", "1"]] * len(awkward)


def test_what_was_not_measured(digits_results: Results) -> None:
    gone = ("samples", "accuracy", "accuracy_low", "accuracy_high", "agreement_with_float")
    entry = digits_results.entries[2].model_copy(update=dict.fromkeys((*gone, "confusion_matrix", "per_class")))
    text = markdown(digits_results.model_copy(update={"entries": [entry], "data": None, "history": None}))
    assert len(tables(text)) == 1
    row = dict(zip(*tables(text)[0], strict=True))
    assert row["accuracy (95 %)"] == row["agreement with float"] == "–"
    assert "Data: none for accuracy and agreement, which were not measured." in text
    assert "interval" not in text
