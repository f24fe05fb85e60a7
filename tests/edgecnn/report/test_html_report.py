"""The HTML report: whole, self-contained, the same each time, and every figure from the document."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import MissingDependencyError
from edgecnn.formats import count, milliseconds, percent, rate, size
from edgecnn.report import write_outputs, write_report
from edgecnn.report.comparison import latency_distribution
from edgecnn.report.headlines import headlines
from edgecnn.report.html import render
from edgecnn.results import ClassRecord, Results, read_results
from edgecnn.statistics import confusion_matrix, per_class

VOID = {"meta", "br", "link", "img", "input", "hr"}
FETCHING = {"src", "href", "xlink:href", "data", "poster", "action", "srcset"}


class Page(HTMLParser):
    """Text, elements and ids; an element that is not closed in order is a failure."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []
        self.ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            return
        self.words.append(data)
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def text(digits_results: Results) -> str:
    return render(digits_results)


def test_nothing_is_fetched_and_nothing_runs(text: str) -> None:
    page = Page(text)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", text)
    for tag, attributes in page.tags:
        assert tag not in ("script", "iframe", "link", "img", "object", "embed")
        assert not any(name.startswith("on") for name in attributes)
        assert all((attributes[name] or "").startswith("#") for name in FETCHING & attributes.keys())


def test_ids_are_unique_and_references_lead_somewhere(text: str) -> None:
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    named = re.findall(r'aria-labelledby="([^"]*)"', text)
    wanted = {part for names in named for part in names.split()}
    wanted |= set(re.findall(r'(?:url\(|href=")#([\w-]+)', text))
    assert wanted <= set(page.ids)


def test_charts_take_colours_and_font_from_the_page(text: str) -> None:
    charts = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(charts) == 5
    for chart in charts:
        assert not re.search(r"#[0-9a-fA-F]{6}|font-family|<style|<metadata|\brgb\(", chart)
        assert "currentColor" in chart
        assert re.search(r'role="img" aria-labelledby=', chart)
        assert re.search(r"<title id=[^>]*>[^<]+</title><desc id=[^>]*>[^<]+</desc>", chart)
    for name in set(re.findall(r"var\((--[\w-]+)", text)):
        assert f"{name}:" in text, f"{name} has no value"


def test_every_entrys_figures_are_shown(digits_results: Results, text: str) -> None:
    rows = [row for row in Page(text).rows if row]
    for index, entry in enumerate(digits_results.entries):
        first = rows[1 + index]
        assert first[0] == f"{entry.runtime} {entry.precision}{entry.artefact}"
        assert first[1].startswith(percent(entry.accuracy))
        between = f"{milliseconds(entry.p50_low_ms)} to {milliseconds(entry.p50_high_ms)}"
        assert first[2:4] == [milliseconds(entry.p50_ms) + between, milliseconds(entry.p95_ms)]
        assert first[4:6] == [f"{entry.outliers}of {entry.num_runs}", rate(entry.throughput_per_s)]
        assert first[6:9] == [size(entry.size_bytes), size(entry.peak_rss_bytes), percent(entry.agreement_with_float)]
        assert first[9] == percent(entry.macro_f1)
        latency = rows[2 + len(digits_results.entries) + index]
        assert latency[1:4] == [milliseconds(value) for value in (entry.init_ms, entry.first_ms, entry.min_ms)]
        assert latency[4] == f"{milliseconds(entry.mean_ms)} ± {milliseconds(entry.std_ms)}"
        assert latency[5:] == [
            *map(milliseconds, (entry.p50_ms, entry.p90_ms, entry.p95_ms, entry.p99_ms, entry.max_ms)),
            str(entry.num_warmup),
            f"{entry.num_runs}5 turns, 2 processes",
            "1",
        ]
        assert entry.sha256 in text


def test_headlines(digits_results: Results) -> None:
    found = {headline.name: headline for headline in headlines(digits_results)}
    exact, int8 = digits_results.entries[0], digits_results.entries[2]
    assert exact.accuracy is not None and int8.accuracy is not None
    assert found["Accuracy"].value == percent(int8.accuracy)
    assert found["Drop from float"].value == f"{100 * (exact.accuracy - int8.accuracy):.2f} points"
    ratio = int8.size_bytes / digits_results.entries[1].size_bytes
    assert found["Size"].value == size(int8.size_bytes)
    assert found["Size"].remark == f"model_int8.tflite, {ratio:.2f} × model_float.tflite"
    fastest = min(entry.p50_ms for entry in digits_results.entries)
    assert found["Fastest, p50"].value == f"{milliseconds(fastest)} ms"


def test_a_gain_over_float_has_a_minus_sign(digits_results: Results) -> None:
    better = digits_results.entries[2].model_copy(update={"accuracy": 0.9999})
    results = digits_results.model_copy(update={"entries": [digits_results.entries[0], better]})
    drop = next(headline for headline in headlines(results) if headline.name == "Drop from float")
    assert drop.value.startswith("−")


def test_confusion_matrix_shows_the_counts_of_the_int8_model(digits_results: Results, text: str) -> None:
    matrix = digits_results.entries[2].confusion_matrix
    assert matrix is not None
    chart = re.search(r'<svg[^>]*aria-labelledby="confusion-title.*?</svg>', text, re.DOTALL)
    assert chart is not None
    numbers = [int(word) for word in re.findall(r">\s*(\d+)\s*</text>", chart[0])]
    labels = 2 * list(range(10))
    counts = [number for row in matrix for number in row if number]
    assert sorted(numbers) == sorted(counts + labels)


def test_same_results_same_bytes(digits_results: Results, text: str, tmp_path: Path) -> None:
    write_report(digits_results, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == text


def with_classes(results: Results, labels: list[str], samples: int = 4000) -> Results:
    """The same document about another data set: predictions of a generator that is right four times in five."""
    generator = np.random.default_rng(len(labels))
    truth = generator.integers(0, len(labels), samples)
    other = generator.integers(0, len(labels), samples)
    predicted = np.where(generator.random(samples) < 0.8, truth, other)
    matrix = confusion_matrix(truth, predicted, len(labels))
    records = [ClassRecord(**vars(figures)) for figures in per_class(matrix, tuple(labels))]
    assert results.data is not None
    entries = [
        entry.model_copy(update={"confusion_matrix": matrix.tolist(), "per_class": records})
        for entry in results.entries
    ]
    data = results.data.model_copy(update={"labels": labels})
    return results.model_copy(update={"entries": entries, "data": data})


@pytest.mark.parametrize("classes", [2, 12, 13, 100])
def test_any_number_of_classes(digits_results: Results, classes: int) -> None:
    labels = [f"a class with the rather long name number {index}" for index in range(classes)]
    text = render(with_classes(digits_results, labels))
    page = Page(text)
    assert all(label in page.text for label in labels)
    assert ("An empty field is 0" in page.text) == (classes <= 12)
    assert len(text) < 900_000


def test_labels_are_text(digits_results: Results) -> None:
    labels = ["<script>alert(1)</script>", '"quoted" & \'so\'', "Größe", "漢字", "$x^2$", "{{ 7 * 7 }}"]
    text = render(with_classes(digits_results, labels, 300))
    page = Page(text)
    assert "<script" not in text
    names = [row[0] for row in page.rows if len(row) == 5]
    assert names[1:] == labels


def test_what_was_not_measured_is_said(digits_results: Results) -> None:
    gone = ("samples", "accuracy", "accuracy_low", "accuracy_high", "agreement_with_float")
    absent = dict.fromkeys((*gone, "confusion_matrix", "per_class", "peak_rss_bytes"))
    entry = digits_results.entries[2].model_copy(update=absent)
    update = {"entries": [entry], "data": None, "history": None, "notes": []}
    text = render(digits_results.model_copy(update=update))
    page = Page(text)
    assert "Accuracy and agreement were not measured; the notes say why." in page.text
    assert "There is no training history in these results" in page.text
    assert "Neither a confusion matrix nor figures of each class were measured." in page.text
    assert "Notes" not in page.text
    assert len(re.findall("<svg", text)) == 2
    nothing = Page(render(digits_results.model_copy(update={**update, "entries": []})))
    assert "No runtime was measured." in nothing.text


def test_outputs_of_a_measurement(digits_results: Results, tmp_path: Path) -> None:
    written = write_outputs(digits_results, tmp_path / "new")
    assert [path.name for path in written] == ["results.json", "results.md", "report.html"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in written)
    assert read_results(written[0]) == digits_results


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_without_the_extra(
    digits_results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)    # what Python itself does for a module that must not be found
    with pytest.raises(MissingDependencyError, match=rf"{package}.*pip install 'edgecnn\[report\]'"):
        write_report(digits_results, tmp_path / "report.html")
    warnings: list[str] = []
    written = write_outputs(digits_results, tmp_path, warnings.append)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in written)
    assert [path.name for path in written] == ["results.json", "results.md"]
    assert package in warnings[0]


PICTURE = (np.arange(64, dtype=np.uint8) * 4).reshape(8, 8, 1)


@pytest.fixture(scope="module")
def full(full_results: Results) -> str:
    return render(full_results, {7: PICTURE})


def test_the_full_page_is_whole_and_fetches_nothing(full: str) -> None:
    page = Page(full)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", re.sub(r"data:image/png;base64,[\w+/=]+", "", full))
    for _, attributes in page.tags:
        for name in FETCHING & attributes.keys():
            assert (attributes[name] or "").startswith(("#", "data:image/png;base64,"))
    assert len(page.ids) == len(set(page.ids))
    named = {part for names in re.findall(r'aria-labelledby="([^"]*)"', full) for part in names.split()}
    assert named <= set(page.ids)


def test_boards_are_shown_layer_by_layer(full_results: Results, full: str) -> None:
    page = Page(full)
    for board in full_results.boards:
        row = next(row for row in page.rows if row and row[0].startswith(f"{board.target} "))
        assert board.instructions_per_mac is not None
        memory = (board.arena_bytes, board.stack_bytes, board.code_bytes, board.weights_bytes)
        assert row[1:7] == [f"{board.instructions:,.0f}", f"{board.instructions_per_mac:.2f}", *map(count, memory)]
        assert row[7].startswith(percent(board.accuracy)) and row[8] == percent(board.agreement_with_float)
        assert f"{board.description}; {board.compiler}, {board.emulator}" in page.text
    heading = next(row for row in page.rows if row[:2] == ["Layer", "MACs"])
    assert heading[2:] == [board.target for board in full_results.boards]
    for place, layer in enumerate(full_results.boards[0].layers):
        row = next(row for row in page.rows if row[0] == f"{layer.name}{layer.op}")
        assert row[1] == count(layer.macs)
        for cell, board in zip(row[2:], full_results.boards, strict=True):
            assert cell.startswith(f"{board.layers[place].instructions:,.0f}")
    rest = [board.instructions - sum(layer.instructions for layer in board.layers) for board in full_results.boards]
    row = next(row for row in page.rows if row[0] == "between layers")
    assert row[2:] == [f"{value:,.0f}" for value in rest]


def test_profiles_and_what_lasts_are_shown(full_results: Results, full: str) -> None:
    page = Page(full)
    told = [entry for entry in full_results.entries if entry.profile]
    for layer in told[0].profile or []:
        rows = [row for row in page.rows if row and row[0] == layer.name]
        assert rows == [[layer.name, milliseconds(layer.ms), percent(layer.share), layer.op]] * len(told)
    found = full_results.entries[-1].sustained
    assert found is not None
    spans = {row[0]: row[1:] for row in page.rows if len(row) == 5}
    medians = (found.p50_ms[0], found.p50_ms[-1], min(found.p50_ms), max(found.p50_ms))
    assert spans["p50ms"] == [milliseconds(value) for value in medians]
    assert spans["temperature°C"] == ["48.5", "61.2", "48.5", "61.2"]
    assert spans["frequencyMHz"] == ["1500", "600", "600", "1500"]
    assert f"{sum(found.runs)} runs in" in page.text


def test_every_machine_and_what_held_it_back(full_results: Results, full: str) -> None:
    text = Page(full).text
    for device in (full_results.device, *full_results.devices.values()):
        assert device.cpu in text and device.system in text
    assert "1500 MHz before, 600 MHz after" in text
    assert "45.25 °C before, 69.5 °C after" in text
    assert "by nothing before; under-voltage after" in text
    assert "not steady" in text and "It was not reached in 1 of 7 lines" in text
    assert "pinned to core 3" in text


def test_mistakes_have_pictures_as_far_as_there_are_samples(full: str) -> None:
    page = Page(full)
    assert [attributes["width"] for tag, attributes in page.tags if tag == "img"] == ["8"]
    assert "9 (0.988)" in page.text and "is 3 (0.012), sample 7" in page.text
    assert "<8> (17.25)" in page.text and "is 1 (-4.5), sample 11" in page.text


def test_quantization_is_told_and_linked_where_its_page_is(full_results: Results, full: str, tmp_path: Path) -> None:
    page = Page(full)
    assert "Nothing has to be mended." in page.text and "Change of accuracy: −0.60 points" in page.text
    assert ["dense (FULLY_CONNECTED)", "21.8", "38.5", "1.23 %"] in page.rows
    assert "<a " not in full
    (tmp_path / "quantization.html").write_text("there", encoding="utf-8")
    write_report(full_results, tmp_path / "report.html", {7: PICTURE})
    linked = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<a href="quantization.html">' in linked


def test_every_run_is_a_dot(digits_results: Results) -> None:
    entry = digits_results.entries[2]
    picked = [float(value) for value in np.geomspace(0.01, 10, 40)]
    entry = entry.model_copy(update={"latencies_ms": picked, "num_runs": 40, "outliers": 3, "p50_ms": 0.3})
    chart = latency_distribution([entry])
    paths = re.findall(r'<path d="([^"]*h0[^"]*)"[^>]*?stroke: ([^;]+);', chart)
    dots = {colour: path.count("h0") for path, colour in paths}
    assert dots == {"var(--muted)": 37, "var(--third)": 3}


@pytest.mark.parametrize("width", [360, 390])
def test_a_phone_shows_the_page_without_scrolling_sideways(full: str, tmp_path: Path, width: int) -> None:
    """In Chromium, whose own window cannot be so narrow: the page stands in a frame of that width."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium to measure the page in")
    (tmp_path / "report.html").write_text(full, encoding="utf-8")
    (tmp_path / "frame.html").write_text(
        f'<!DOCTYPE html><title>-</title><iframe id="page" width="{width}" height="800" src="report.html"></iframe>'
        "<script>onload = () => { const page = document.getElementById('page').contentDocument.documentElement;"
        "document.title = `${page.clientWidth} ${page.scrollWidth}` }</script>",
        encoding="utf-8",
    )
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--hide-scrollbars"]
    command = [browser, *options, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    done = subprocess.run(
        [*command, (tmp_path / "frame.html").as_uri()], capture_output=True, text=True, timeout=120, check=False
    )
    measured = re.search(r"<title>(\d+) (\d+)</title>", done.stdout)
    if measured is None:
        pytest.skip(f"Chromium does not run here: {done.stderr[-300:]}")
    shown, needed = map(int, measured.groups())
    assert shown == width and needed <= width
