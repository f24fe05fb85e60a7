"""Whatever a document holds, as long as its schema allows it, is shown without failing and without being cut."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from edgecnn.report import markdown, terminal_table
from edgecnn.report.html import render
from edgecnn.report.view import entry_labels
from edgecnn.results import ClassRecord, DataRecord, DeviceRecord, Entry, HistoryRecord, ModelRecord, Results

words = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp")), min_size=1, max_size=30)
durations = st.one_of(st.just(0.0), st.floats(1e-7, 1e7), st.floats(0, 1e9))
shares = st.one_of(st.none(), st.just(0.0), st.just(1.0), st.floats(0, 1))
numbers = st.one_of(st.integers(0, 5), st.integers(0, 10**15))
values = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def results(draw: st.DrawFn) -> Results:
    labels = draw(st.lists(words, min_size=2, max_size=14))
    entries = draw(st.lists(entry(labels), max_size=4))
    history = st.builds(
        HistoryRecord,
        epochs=st.lists(st.integers(1, 10**6), max_size=5, unique=True).map(sorted),
        values=st.dictionaries(
            st.sampled_from(("loss", "val_loss", "accuracy", "lr", "Größe/°")), st.lists(values, max_size=6), max_size=3
        ),
        best_epoch=st.one_of(st.none(), st.integers(0, 5)),
    )
    return Results(
        created=draw(st.sampled_from(("2026-01-31T12:00:00Z", "0001-01-01T00:00:00+05:00", "?"))),
        model=ModelRecord(
            name=draw(words),
            task=draw(st.sampled_from(("classification", "binary", "segmentation", "filter"))),
            parameters=draw(st.one_of(st.none(), numbers)),
        ),
        data=draw(
            st.one_of(
                st.none(),
                st.builds(
                    DataRecord,
                    set=words,
                    samples=numbers,
                    labels=st.just(labels),
                    sha256=st.dictionaries(words, words, max_size=2),
                    source=words,
                ),
            )
        ),
        device=draw(
            st.builds(
                DeviceRecord,
                cpu=words,
                cores=st.integers(1, 512),
                architecture=words,
                memory_bytes=st.one_of(st.none(), numbers),
                system=words,
                python=words,
                governor=st.one_of(st.none(), words),
                load_before=st.one_of(st.none(), durations),
                packages=st.dictionaries(words, words, max_size=2),
            )
        ),
        entries=entries,
        history=draw(st.one_of(st.none(), history)),
        notes=draw(st.lists(words, max_size=2)),
    )


def entry(labels: list[str]) -> st.SearchStrategy[Entry]:
    size = len(labels)
    matrix = st.lists(st.lists(numbers, min_size=size, max_size=size), min_size=size, max_size=size)
    records = st.lists(
        st.builds(
            ClassRecord, label=st.sampled_from(labels), precision=shares, recall=shares, f1=shares, support=numbers
        ),
        max_size=size,
    )
    figures = ("init", "first", "mean", "std", "min", "p50", "p50_low", "p50_high", "p90", "p95", "p99", "max")
    return st.builds(
        Entry,
        runtime=st.sampled_from(("litert", "onnxruntime", "[b]<i>")),
        runtime_version=words,
        artefact=words,
        sha256=words,
        size_bytes=numbers,
        threads=st.integers(1, 64),
        num_warmup=numbers,
        num_runs=numbers,
        latencies_ms=st.lists(durations, max_size=6),
        blocks=st.lists(numbers, max_size=3),
        outliers=numbers,
        throughput_per_s=durations,
        peak_rss_bytes=st.one_of(st.none(), numbers),
        samples=st.one_of(st.none(), numbers),
        accuracy=shares,
        accuracy_low=shares,
        accuracy_high=shares,
        auc=shares,
        macro_f1=shares,
        mean_iou=shares,
        agreement_with_float=shares,
        confusion_matrix=st.one_of(st.none(), matrix),
        per_class=st.one_of(st.none(), records),
        **{f"{name}_ms": durations for name in figures},
    )


@settings(max_examples=60, deadline=None)
@given(results())
def test_terminal_table_fits(document: Results) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=80)
    console.print(terminal_table(document))
    for line in stream.getvalue().splitlines():
        assert console.measure(line).maximum <= 80
    assert stream.getvalue().count("…") <= document.model_dump_json().count("…"), "something was cut"


@settings(max_examples=60, deadline=None)
@given(results())
def test_markdown_tables_are_rectangles(document: Results) -> None:
    width = 0
    for line in markdown(document).splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        cells = line.replace("\\\\", "").replace("\\|", "").count("|")
        width = width or cells
        assert cells == width


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(results())
def test_report_is_written(document: Results) -> None:
    text = render(document)
    HTMLParser().feed(text)
    assert text.endswith("</html>\n")
    assert not re.search(r"\d{40}", re.sub(r"(?s)<svg.*?</svg>", "", text)), "a figure that nobody can read"


@given(st.lists(entry(["a", "b"]), max_size=6))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_labels_of_entries_differ(entries: list[Entry]) -> None:
    labels = entry_labels(entries + entries)
    assert len(set(labels)) == len(labels) == 2 * len(entries)
