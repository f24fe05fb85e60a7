"""Figures that a task has beside accuracy, in everything that shows a document."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from edgecnn.evaluate import evaluate_outputs
from edgecnn.report import markdown, terminal_table
from edgecnn.report.headlines import headlines
from edgecnn.report.html import render
from edgecnn.report.metrics import explained, in_words, known
from edgecnn.results import Evaluation, Results
from edgecnn.tasks import Task
from tests.edgecnn.report.test_html_report import Page
from tests.edgecnn.report.test_markdown import tables

LABELS = ("membrane", "cell")


def evaluated(task: Task) -> Evaluation:
    """A generator's outputs, nearer to the truth than to its opposite."""
    generator = np.random.default_rng(4)
    truth = generator.integers(0, 2, (40, 6, 5) if task == "segmentation" else 400)
    outputs = np.clip(truth + generator.normal(0, 0.6, truth.shape), 0, 1)[..., None]
    return evaluate_outputs(task, truth, outputs, LABELS)


def about(task: Task, results: Results) -> tuple[Results, Evaluation]:
    """The same document about a model of another task."""
    found = evaluated(task)
    figures = {**found.model_dump(exclude={"correct", "per_class"}), "per_class": found.per_class}
    entries = [entry.model_copy(update=figures) for entry in results.entries]
    assert results.data is not None
    data = results.data.model_copy(update={"labels": list(LABELS)})
    model = results.model.model_copy(update={"task": task})
    return results.model_copy(update={"entries": entries, "data": data, "model": model}), found


def printed(results: Results, width: int) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(terminal_table(results))
    return stream.getvalue()


def test_a_binary_model_shows_its_area_under_the_curve(digits_results: Results) -> None:
    results, found = about("binary", digits_results)
    assert found.auc is not None and found.macro_f1 is not None and 0.8 < found.auc < 1
    area = f"{found.auc:.4f}"
    assert in_words(found) == f"AUC {area}, macro F1 {found.macro_f1 * 100:.2f} %"
    wide, narrow = printed(results, 120), printed(results, 80)
    assert wide.count(area) == narrow.count(area) == len(results.entries)
    assert f"{found.macro_f1 * 100:.2f}" in wide
    assert "mIoU" not in wide
    table = tables(markdown(results))[0]
    assert {row[table[0].index("AUC")] for row in table[1:]} == {area}
    page = Page(render(results))
    assert all(area in row for row in page.rows[1 : 1 + len(results.entries)])
    assert {headline.name: headline.value for headline in headlines(results)}["AUC"] == area
    for text in (markdown(results), page.text):
        assert "from a probability of 0.5 on" in text


def test_a_segmentation_says_that_it_counts_pixels(digits_results: Results) -> None:
    results, found = about("segmentation", digits_results)
    assert found.mean_iou is not None and found.per_class[0].iou is not None
    overlap = f"{found.mean_iou * 100:.2f}"
    for width in (80, 120):
        assert printed(results, width).count(overlap) >= len(results.entries)
        assert "pixel acc." in printed(results, width)
    first, classes = tables(markdown(results))
    assert {row[first[0].index("mean IoU")] for row in first[1:]} == {f"{overlap} %"}
    assert "pixel accuracy (95 %)" in first[0]
    assert classes[0] == ["class", "precision", "recall", "F1", "IoU", "pixels"]
    assert classes[1][4:] == [f"{found.per_class[0].iou * 100:.2f} %", f"{found.per_class[0].support:,}"]
    text = render(results)
    page = Page(text)
    assert {headline.name: headline.value for headline in headlines(results)}["Pixel accuracy"].endswith("%")
    assert "Pixels. Row: true class." in page.text
    assert ["Class", "Precision", "Recall", "F1", "IoU", "Pixels"] in page.rows
    for shown in (markdown(results), page.text):
        assert "the figures of each class count pixels" in shown
        assert "Wilson" not in shown


def test_curves_of_the_task_are_drawn_and_named(digits_results: Results) -> None:
    results, _ = about("binary", digits_results)
    assert results.history is not None
    epochs = results.history.epochs
    values = {**results.history.values, "auc": [0.9] * len(epochs), "val_auc": [0.8] * len(epochs)}
    history = results.history.model_copy(update={"values": values})
    page = Page(render(results.model_copy(update={"history": history})))
    assert "Learning curve: auc" in page.text
    assert "validation AUC 0.8000" in page.text


def test_what_is_not_there_is_not_shown(digits_results: Results) -> None:
    assert [metric.field for metric in known(digits_results.entries)] == ["macro_f1"]
    assert known([{}]) == []
    assert explained("classification") is None
    text = markdown(digits_results)
    assert "AUC" not in text and "IoU" not in text and "Wilson" in text


@pytest.mark.parametrize("task", ["binary", "segmentation"])
def test_eighty_columns_hold_the_figure_of_the_task(digits_results: Results, task: Task) -> None:
    results, _ = about(task, digits_results)
    text = printed(results, 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
