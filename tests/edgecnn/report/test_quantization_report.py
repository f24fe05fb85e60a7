"""The report of an analysis: whole, self-contained, the same each time, in 80 columns, for every kind of sample."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from edgecnn.quantization.records import (
    EXACT_DB,
    AccuracyChange,
    Analysis,
    ClassChange,
    Flip,
    Histogram,
    LayerRecord,
    WeightRecord,
)
from edgecnn.report.quantization import (
    FLIPS_SHOWN,
    decibel_text,
    points_text,
    render,
    telling,
    terminal_analysis,
    write_report,
)
from edgecnn.report.quantization_charts import sample_picture
from tests.edgecnn.report.test_html_report import FETCHING, Page


def layer(name: str, place: int, weights: bool = True, alone: float | None = 30.0) -> LayerRecord:
    counts = [int(1000 / (1 + bar)) for bar in range(40)]
    return LayerRecord(
        name=name, op=name.partition("(")[2].rstrip(")") or "INPUT", node=place, source=None,
        shape=(1, 8, 8, 4), dtype="int8",
        sqnr_db=31.25 - place, cosine=0.99912, largest_error=0.125, largest_error_steps=2.5, own_sqnr_db=33.0,
        own_channel_sqnr_db=32.0, output_sqnr_db=alone, accuracy_drop=0.01, step=0.05, range_low=0.0, range_high=12.75,
        fixed=False, seen_low=0.0, seen_high=9.5, bulk_low=0.0, bulk_high=7.0, clipped=0.0, codes=0.61, channels=4,
        widest_channel=2, channel_ratio=1.5, narrow_channels=0, histogram=Histogram(low=0.0, width=0.25, counts=counts),
        weights=WeightRecord(
            sqnr_db=44.0, worst_channel=1, worst_channel_sqnr_db=41.5, channels=4, per_channel=True, range_ratio=2.0,
            limit=0.5, histogram=Histogram(low=-0.5, width=0.05, counts=[1, 5, 9, 12, 30, 31, 12, 9, 4, 1]),
        ) if weights else None,
    )  # fmt: skip


def flip(index: int, truth: str = "cat", before: str = "cat", after: str = "dog", score: float = 0.5) -> Flip:
    return Flip(index=index, truth=truth, before=before, after=after, before_score=score, after_score=0.4)


def analysis(flips: int = 3, layers: int = 3, judged: bool = True, alone: float | None = 30.0) -> Analysis:
    names = ["input", *(f"a_rather_long_name_of_block_{number}/conv2d (CONV_2D)" for number in range(layers - 1))]
    records = [layer(name, place, place > 0, alone) for place, name in enumerate(names)]
    accuracy = AccuracyChange(
        samples=200, before=0.9, after=0.885, drop=0.015, drop_low=-0.001, drop_high=0.03, agreement=1 - flips / 200,
        classes=[
            ClassChange(label="cat", support=120, before=0.9, after=0.875),
            ClassChange(label="<dog> & co", support=80, before=None, after=None),
        ],
        flips=[flip(index) for index in range(flips)],
    )  # fmt: skip
    return Analysis(
        name="pets", float_file="pets_float.tflite", quantized_file="pets_int8.tflite", dtype="int8", samples=64,
        output_sqnr_db=19.5, layers=records, ranking=[record.name for record in reversed(records)],
        ranked_by="own" if alone is None else "sensitivity", norms=[], accuracy=accuracy if judged else None,
        remarks=["A remark."], advice="A paragraph of advice.",
    )  # fmt: skip


def printed(found: Analysis, width: int = 80) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(terminal_analysis(found))
    return stream.getvalue()


def test_the_page_is_whole_and_fetches_nothing() -> None:
    images = np.random.default_rng(0).integers(0, 256, (200, 8, 8, 3), dtype=np.uint8)
    page = Page(render(analysis(), images))
    assert len(page.ids) == len(set(page.ids))
    for _, attributes in page.tags:
        for name in FETCHING & attributes.keys():
            value = attributes[name] or ""
            assert value.startswith(("#", "data:image/png;base64,")), value
    assert [tag for tag, _ in page.tags].count("img") == 3
    for words in ("A paragraph of advice.", "A remark.", "+1.50 points", "<dog> & co", "sample 2"):
        assert words in page.text


def test_every_figure_of_the_table_is_that_of_the_record() -> None:
    found = analysis()
    rows = {row[0].strip(): row for row in Page(render(found)).rows if row}
    for record in found.layers:
        cells = rows[record.name]
        assert cells[1:4] == [decibel_text(record.sqnr_db), "32.0", "30.0"]
        assert cells[4:8] == ["0.99912", "0.1252.5 steps", "0", "61 %"]


def test_the_same_analysis_gives_the_same_bytes() -> None:
    assert render(analysis()) == render(analysis())


def test_both_files_are_written(tmp_path: Path) -> None:
    document, page = write_report(analysis(), tmp_path)
    assert Analysis.model_validate(json.loads(document.read_text(encoding="utf-8"))) == analysis()
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("alone", [None, 30.0])
@pytest.mark.parametrize("layers", [1, 30])
def test_the_terminal_table_fits_80_columns(layers: int, alone: float | None) -> None:
    found = analysis(layers=layers, alone=alone)
    records = [record.model_copy(update={"sqnr_db": -12.5, "largest_error_steps": 1234.5}) for record in found.layers]
    text = printed(found.model_copy(update={"layers": records}))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text.partition("A paragraph")[0]
    assert text.count("1234.5") == layers
    assert ("alone" in text) == (alone is not None)


def test_the_terminal_names_some_changed_decisions() -> None:
    text = " ".join(printed(analysis(flips=7)).split())
    assert "Changed decisions on 7 of 200 samples: 0 (cat → dog)" in text and "2 more" in text
    assert "Changed decisions" not in printed(analysis(flips=0))


def test_without_classes_there_is_neither_accuracy_nor_a_picture() -> None:
    page = Page(render(analysis(judged=False)))
    assert "so there is no accuracy" in page.text and "flipped" not in page.text


def test_no_more_pictures_than_a_page_bears() -> None:
    page = render(analysis(flips=FLIPS_SHOWN + 20))
    assert page.count("<figcaption>cat (0.50)") == FLIPS_SHOWN
    assert f"{FLIPS_SHOWN} of them shown" in page


def test_new_mistakes_come_first_the_surest_of_them_at_the_top() -> None:
    flips = [flip(0, truth="dog"), flip(1, score=0.6), flip(2, score=0.9), flip(3, truth="cow")]
    assert [one.index for one in telling(flips)] == [2, 1, 3, 0]


@pytest.mark.parametrize(
    ("sample", "element"),
    [
        (np.zeros((8, 6, 1), np.uint8), 'width="6" height="8"'),
        (np.zeros((20, 8, 6, 3), np.uint8), 'height="8"'),
        (np.sin(np.arange(4000)).reshape(-1, 1).astype(np.float32), "<svg"),
        (np.ones((50, 19), np.float32), "<svg"),
        (np.array("win <b>money</b> now"), "win &lt;b&gt;money"),
    ],
    ids=["image", "clip", "sound", "signal", "text"],
)
def test_samples_of_every_kind_have_a_picture(sample: np.ndarray, element: str) -> None:
    assert element in sample_picture("key", sample)


def test_figures_in_words() -> None:
    assert [decibel_text(value) for value in (None, EXACT_DB, -0.44, 31.25)] == ["–", "exact", "−0.4", "31.2"]
    assert [points_text(value) for value in (None, 0.00001, -0.0125)] == ["–", "0.00", "−1.25"]


def test_the_style_is_that_of_the_report(root: Path) -> None:
    """Until both include it: one change to the look must reach both pages."""
    folder = root / "edgecnn" / "report"
    report = (folder / "report.html.j2").read_text(encoding="utf-8")
    style = re.search(r"<style>\n(.*)</style>", report, re.DOTALL)
    assert style is not None
    own = style[1]
    assert own == (folder / "style.css.j2").read_text(encoding="utf-8") or '{% include "style.css.j2" %}' in own
