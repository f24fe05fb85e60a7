"""Markdown for a README: its tables, read back, hold the document's figures."""

from __future__ import annotations

import re

import pytest

from edgecnn.report import markdown
from edgecnn.results import ClassRecord, Results
from tests.edgecnn.report.conftest import PI


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
        assert number(row["p50 (95 %)"]) == pytest.approx(entry.p50_ms, rel=0.01)
        between = re.search(r"\(([\d.]+) to ([\d.]+)\)", row["p50 (95 %)"])
        assert between is not None
        ends = [entry.p50_low_ms, entry.p50_high_ms]
        assert [float(end) for end in between.groups()] == pytest.approx(ends, rel=0.01)
        assert row["outliers"] == f"{entry.outliers} of {entry.num_runs}"
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
    assert "output read; 1 thread." in text and "steady: 10 runs" in text
    assert "50 to 250 runs are counted in 5 turns of 2 processes, by turns" in text
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
    assert "Wilson" not in text


def test_boards_devices_and_layers(full_results: Results) -> None:
    text = markdown(full_results)
    found = tables(text)
    figures, board_rows, slowest = found[0], found[1], found[2]
    assert [row[0] for row in figures[1:]] == ["this machine"] * 6 + [PI]
    assert figures[0].index("arena") and figures[3][figures[0].index("arena")] == "16.0 kB"
    for cells, board in zip(board_rows[1:], full_results.boards, strict=True):
        assert cells[0] == board.target
        assert number(cells[3]) == board.instructions
        assert board.instructions_per_mac is not None
        assert number(cells[4]) == pytest.approx(board.instructions_per_mac, abs=0.0051)
    assert board_rows[1][-3:] == ["90.50 % ± 4.87", "99.50 %", "200"]
    assert board_rows[2][-3:] == ["–", "–", "–"]
    layers = [layer for entry in full_results.entries for layer in entry.profile or []]
    shown = sorted(number(row[3]) for row in slowest[1:])
    assert shown == pytest.approx(sorted(layer.ms for layer in layers), rel=0.02)
    assert f"{PI}: Raspberry Pi 4 Model B Rev 1.4, 4 cores" in text and "throttled: under-voltage" in text
    assert "Quantization: Nothing has to be mended." in text
