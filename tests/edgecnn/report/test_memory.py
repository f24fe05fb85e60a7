"""The memory plan in the report: the picture, the table, and the lines of the terminal and of Markdown."""

from __future__ import annotations

import io
import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

import pytest
from rich.console import Console

from edgecnn.memory_plan import MemoryPlan, memory_plan
from edgecnn.report import markdown, terminal_table
from edgecnn.report.headlines import headlines
from edgecnn.report.html import render
from edgecnn.report.memory import in_words, memory_file, memory_picture
from edgecnn.report.sections import memory_bars
from edgecnn.results import Results, read_results, write_results
from tests.edgecnn.report.test_html_report import Page
from tests.small_networks import every_way_of_keeping

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def plan() -> MemoryPlan:
    return memory_plan(every_way_of_keeping(), 4096, "measured with a wheel")


@pytest.fixture(scope="module")
def results(digits_results: Results, plan: MemoryPlan) -> Results:
    return digits_results.model_copy(update={"memory": plan})


def blocks(text: str) -> dict[str, Mapping[str, str]]:
    """Title to attributes of each block in a picture that stands alone."""
    found = {}
    for element in ET.fromstring(text).iter(f"{SVG}rect"):
        title = element.find(f"{SVG}title")
        if title is not None and title.text != "row by row":
            found[str(title.text)] = element.attrib
    return found


def right(block: Mapping[str, str]) -> float:
    """Where it ends."""
    return float(block["x"]) + float(block["width"])


def test_every_buffer_is_a_block_of_its_size_in_its_place(plan: MemoryPlan) -> None:
    found = blocks(memory_file(plan, "net"))
    assert sorted(found) == [
        "conv_2d_1, add_1: 60 bytes at 96",
        "conv_2d_2: 96 bytes at 0",
        "conv_2d_3: 80 bytes at 16",
        "mean_1: 10 bytes at 0",
        "scratch of mean_1: 24 bytes at 136",
        "sums of mean_1: 40 bytes at 96",
    ]
    whole, ring = found["conv_2d_2: 96 bytes at 0"], found["conv_2d_1, add_1: 60 bytes at 96"]
    per_byte = float(whole["height"]) / 96
    assert float(ring["height"]) == pytest.approx(60 * per_byte, abs=0.2)
    assert float(ring["y"]) + float(ring["height"]) == pytest.approx(float(whole["y"]), abs=0.2)
    # The ring lasts for the layers that run together; the whole tensor begins a little later and lasts for one more.
    assert 0.07 < (float(whole["x"]) - float(ring["x"])) / float(ring["width"]) < 0.08
    mean, over = found["mean_1: 10 bytes at 0"], found["conv_2d_3: 80 bytes at 16"]
    assert right(ring) == pytest.approx(float(over["x"]), abs=0.2)
    assert right(whole) == pytest.approx(float(mean["x"]), abs=0.2)
    assert right(over) == pytest.approx(right(found["sums of mean_1: 40 bytes at 96"]), abs=0.2)


def test_no_block_leaves_the_picture(plan: MemoryPlan) -> None:
    _, _, width, height = map(float, str(ET.fromstring(memory_file(plan, "net")).get("viewBox")).split())
    for attributes in blocks(memory_file(plan, "net")).values():
        assert float(attributes["x"]) > 0 and right(attributes) < width
        assert float(attributes["y"]) > 0 and float(attributes["y"]) + float(attributes["height"]) < height


def test_the_file_follows_the_screen_and_holds_everything(plan: MemoryPlan) -> None:
    text = memory_file(plan, "a & b")
    assert "@media (prefers-color-scheme: dark)" in text
    assert "<title id=\"memory-title\">a &amp; b: memory plan</title>" in text
    assert "arena 160, lower bound 156 (dashed)" in text
    for name in set(re.findall(r"var\((--[\w-]+)\)", text)):
        assert text.count(f"{name}: #") == 2, name
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert text == memory_file(plan, "a & b")


def test_layers_that_run_together_are_marked(plan: MemoryPlan) -> None:
    assert memory_file(plan, "net").count("<title>row by row</title>") == 1
    alone = plan.model_copy(update={"segments": tuple(s for s in plan.segments if len(s.layers) == 1)})
    assert "conv_2d_1 to conv_2d_2, run row by row together" in in_words(plan)
    assert "row by row" not in in_words(alone)


def test_a_hundred_layers_keep_their_numbers_apart(plan: MemoryPlan) -> None:
    layers = tuple(plan.layers[3].model_copy(update={"name": f"conv_2d_{i}", "segment": i}) for i in range(100))
    buffers = tuple(
        plan.buffers[2].model_copy(update={"layers": (i,), "first": i, "last": min(i + 1, 99)}) for i in range(100)
    )
    segments = tuple(plan.segments[1].model_copy(update={"layers": (i,)}) for i in range(100))
    large = plan.model_copy(
        update={"layers": layers, "buffers": buffers, "segments": segments, "arena_bytes": 2_451_840}
    )
    texts = [
        (float(element.get("x", 0)), str(element.text))
        for element in ET.fromstring(memory_file(large, "net")).iter(f"{SVG}text")
        if element.get("y") == "299.0" and str(element.text).isdecimal()
    ]
    assert [number for _, number in texts][:2] == ["0", "3"]
    assert min(b[0] - a[0] for a, b in itertools.pairwise(texts)) > 10
    assert "2,000,000" in memory_file(large, "net")


def test_nothing_in_the_arena(plan: MemoryPlan, digits_results: Results) -> None:
    bare = plan.model_copy(
        update={"buffers": (), "arena_bytes": 0, "lower_bound_bytes": 0, "push_arena_bytes": None}
    )
    assert "needs no memory" in in_words(bare)
    ET.fromstring(memory_file(bare, "net"))
    text = render(digits_results.model_copy(update={"memory": bare}))
    assert "needs no memory beside its input and output" in text
    assert "memory-title" not in text


def test_report_shows_the_plan(results: Results, plan: MemoryPlan) -> None:
    text = render(results)
    page = Page(text)
    assert memory_picture(plan) in text
    rows = {row[0]: row[1:] for row in page.rows if row}
    assert rows["0 conv_2d_1"] == ["1×8×20", "100", "3 of 8 rows", "60", "0", "11"]
    assert rows["3 conv_2d_3"] == ["1×8×10", "400", "over input", "80", "0", "14"]
    assert rows["4 mean_1"] == ["1×1×10", "500", "whole", "10", "64", "15"]
    assert [rows[name] for name in ("arena", "arena, input row by row", "lower bound", "TFLite Micro")] == [
        ["160"], ["208"], ["156"], ["4,096"],
    ]    # fmt: skip
    assert "measured with a wheel" in page.text
    headline = next(headline for headline in headlines(results) if headline.name == "RAM arena")
    assert (headline.value, headline.remark) == ("160 B", "compiled to C, int8; TFLite Micro's: 4.1 kB")


def test_picture_takes_its_colours_from_the_page(results: Results) -> None:
    text = render(results)
    charts = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    (chart,) = (chart for chart in charts if "memory-title" in chart)
    assert not re.search(r"#[0-9a-fA-F]{6}|font-family|<style", chart)
    for name in set(re.findall(r"var\((--[\w-]+)", chart)):
        assert f"{name}:" in text, f"{name} has no value"
    assert len(Page(text).ids) == len(set(Page(text).ids))


def test_bars_leave_out_what_is_not_known(plan: MemoryPlan) -> None:
    unknown = plan.model_copy(update={"tflm_arena_bytes": None, "push_arena_bytes": None})
    assert memory_bars(unknown) == [("arena", 160, 1.0), ("lower bound", 156, 156 / 160)]


def test_terminal_and_markdown_have_a_line(results: Results, digits_results: Results) -> None:
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(terminal_table(results))
    words = "arena 160 B (208 B with the input row by row, TFLite Micro 4,096 B), weights 91 B"
    assert f"compiled to C, int8: {words}" in console.export_text()
    assert f"Memory: compiled to C, int8: {words}." in markdown(results)
    assert "Memory:" not in markdown(digits_results)


def test_results_keep_it(results: Results, tmp_path: Path) -> None:
    write_results(tmp_path / "results.json", results)
    assert read_results(tmp_path / "results.json") == results
    assert "There is no memory plan in these results" not in render(results)
    assert "There is no memory plan in these results" in render(results.model_copy(update={"memory": None}))
