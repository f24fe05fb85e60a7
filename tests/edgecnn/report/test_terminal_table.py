"""The terminal table: every figure, whole, in 80 columns."""

from __future__ import annotations

import io
import re
from itertools import cycle

import pytest
from rich.console import Console

from edgecnn.report import terminal_table
from edgecnn.results import Entry, Results
from edgecnn.runs import FLOAT_TFLITE, INT8_ONNX, INT8_TFLITE, KERAS, ONNX
from edgecnn.runtimes import RUNTIMES
from tests.edgecnn.report.conftest import PI


def shown(results: Results, width: int = 80, colour: bool = False) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, force_terminal=colour, color_system="standard" if colour else None).print(
        terminal_table(results)
    )
    return stream.getvalue()


def row_of(text: str, number: int) -> list[str]:
    """The cells of the ``number``-th entry: words, because no figure holds a space but the accuracy's."""
    lines = text.splitlines()
    rule = next(index for index, line in enumerate(lines) if set(line.strip()) == {"─"})
    return lines[rule + 1 + number].split()


def test_rows_hold_the_documents_figures(digits_results: Results) -> None:
    text = shown(digits_results, 120)
    for number, entry in enumerate(digits_results.entries):
        row = row_of(text, number)
        assert row[0] == entry.runtime and row[2] == entry.precision
        assert entry.artefact.startswith(row[1] + ".")
        figures = [float(cell.lstrip("±")) for cell in row[3:]]
        kilobytes, accuracy, half, f1, p50, p50_half, p95, megabytes, agreement = figures
        longer = max(entry.p50_ms - entry.p50_low_ms, entry.p50_high_ms - entry.p50_ms)
        decimals = len(row[-4].partition(".")[2])
        assert p50_half == pytest.approx(longer, abs=1.01 * 10**-decimals)
        assert entry.macro_f1 is not None
        assert f1 == pytest.approx(entry.macro_f1 * 100, abs=0.0051)
        assert entry.accuracy is not None and entry.accuracy_low is not None and entry.accuracy_high is not None
        assert entry.peak_rss_bytes is not None and entry.agreement_with_float is not None
        assert kilobytes == pytest.approx(entry.size_bytes / 1e3, abs=0.051)
        assert accuracy == pytest.approx(entry.accuracy * 100, abs=0.0051)
        widest = max(entry.accuracy - entry.accuracy_low, entry.accuracy_high - entry.accuracy)
        assert half == pytest.approx(widest * 100, abs=0.0051)
        assert p50 == pytest.approx(entry.p50_ms, rel=0.01)
        assert p95 == pytest.approx(entry.p95_ms, rel=0.01)
        assert megabytes == pytest.approx(entry.peak_rss_bytes / 1e6, abs=0.051)
        assert agreement == pytest.approx(entry.agreement_with_float * 100, abs=0.0051)


def life_size(entry: Entry, runtime: str, artefact: str) -> Entry:
    return entry.model_copy(
        update={
            "runtime": runtime,
            "artefact": artefact,
            "precision": "int8" if "int8" in artefact else "float32",
            "size_bytes": 4_327_112,
            "p50_ms": 0.01234,
            "p50_low_ms": 0.01231,
            "p50_high_ms": 0.01242,
            "p95_ms": 1234.5,
            "peak_rss_bytes": 812_400_000,
            "accuracy": 1.0,
            "accuracy_low": 0.9,
            "accuracy_high": 1.0,
            "agreement_with_float": 1.0,
            "macro_f1": 1.0,
        }
    )


def test_eighty_columns_without_cutting(digits_results: Results) -> None:
    """Every runtime there is, with every file a run has, at the widest figures of everyday life."""
    files = (KERAS, FLOAT_TFLITE, INT8_TFLITE, ONNX, INT8_ONNX)
    names = list(zip(cycle(RUNTIMES), files * len(RUNTIMES), strict=False))
    entries = [life_size(digits_results.entries[0], runtime, artefact) for runtime, artefact in names]
    text = shown(digits_results.model_copy(update={"entries": entries}))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    lines = text.splitlines()
    rule = next(index for index, line in enumerate(lines) if set(line.strip()) == {"─"})
    ends = [lines[rule - 1].index(heading) for heading in ("model", "type")]
    folded: list[list[str]] = []
    for line in lines[rule + 1 : lines.index("", rule)]:
        cells = [line[: ends[0]].strip(), line[ends[0] : ends[1]].strip()]
        if len(line.split()) > 2:    # with figures: a new entry; without, names go on
            folded.append(["", ""])
            figures = line[ends[1] :].split()[1:]
            assert figures == ["4327.1", "100.00", "±10.00", "0.0123", "±0.0001", "1234", "812.4", "100.00"]
        folded[-1] = [begun + more for begun, more in zip(folded[-1], cells, strict=True)]
    assert folded == [[runtime, artefact.rpartition(".")[0]] for runtime, artefact in names]


def test_long_names_fold_and_figures_stay(digits_results: Results) -> None:
    name = "a_model_whose_name_goes_on_and_on_int8"
    entry = life_size(digits_results.entries[0], "litert", f"{name}.tflite")
    other = life_size(digits_results.entries[0], "litert", "b_int8.tflite")    # only the file tells the two apart
    text = shown(digits_results.model_copy(update={"entries": [entry, other]}))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert row_of(text, 0)[-8:] == ["4327.1", "100.00", "±10.00", "0.0123", "±0.0001", "1234", "812.4", "100.00"]
    lines = text.splitlines()
    column = next(line for line in lines if "model" in line).index("model")
    rule = next(index for index, line in enumerate(lines) if set(line.strip()) == {"─"})
    folded = lines[rule + 1 : next(index for index, line in enumerate(lines) if "b_int8" in line)]
    assert len(folded) > 1
    assert "".join(line[column:].split()[0] for line in folded) == name


def test_device_data_and_notes_stand_below(digits_results: Results) -> None:
    text = re.sub(r"\s+", " ", shown(digits_results))
    assert digits_results.device.cpu in text
    assert "digits, test split, 397 samples, 10 classes" in text
    assert "10 warm-up and 50 to 250 counted runs" in text
    for note in digits_results.notes:
        assert note in text


def test_markup_in_names_is_text(digits_results: Results) -> None:
    results = digits_results.model_copy(update={"notes": ["[bold]not bold[/bold] [/]"]})
    assert "[bold]not bold[/bold] [/]" in shown(results)


def test_plain_text_off_a_terminal_and_the_same_words_on_one(digits_results: Results) -> None:
    plain, coloured = shown(digits_results), shown(digits_results, colour=True)
    assert "\x1b" not in plain
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_absent_figures_are_dashes(digits_results: Results) -> None:
    gone = dict.fromkeys(("accuracy", "accuracy_low", "accuracy_high", "macro_f1", "agreement_with_float"))
    entry = digits_results.entries[0].model_copy(update={**gone, "peak_rss_bytes": None, "samples": None})
    text = shown(digits_results.model_copy(update={"entries": [entry], "data": None}))
    row = row_of(text, 0)
    assert row[4] == "–" and row[-2:] == ["–", "–"]
    assert "none for accuracy and agreement" in text


def test_devices_and_boards_have_tables_of_their_own(full_results: Results) -> None:
    text = shown(full_results)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert text.index("on this machine") < text.index(f"on {PI}") < text.index("on emulated boards")
    lines = text.splitlines()
    for board in full_results.boards:
        cells = next(line for line in lines if line.startswith(board.target)).split()
        assert board.instructions_per_mac is not None
        assert float(cells[1]) == pytest.approx(board.instructions / 1e6, abs=0.0051) and cells[2] == "M"
        assert cells[3] == f"{board.instructions_per_mac:.2f}"
        assert cells[5] == str(board.stack_bytes)
    assert "throttled: under-voltage" in " ".join(text.split())
