"""``history.png``."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.report import learning_curve_png
from edgecnn.report.view import curves
from edgecnn.results import HistoryRecord, Results

Image = pytest.importorskip("PIL.Image")


def test_picture(digits_results: Results, tmp_path: Path) -> None:
    assert digits_results.history is not None
    path = tmp_path / "history.png"
    learning_curve_png(digits_results.history, path)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.width > 2 * picture.height    # two panels side by side
        pixels = np.asarray(picture.convert("RGB"))
    half = pixels.shape[1] // 2
    for panel in (pixels[:, :half], pixels[:, half:]):
        for colour in ((0x1F, 0x5F, 0xBF), (0xC2, 0x57, 0x0C)):    # training, validation
            assert (panel == colour).all(axis=2).sum() > 100
    learning_curve_png(digits_results.history, tmp_path / "again.png")
    assert path.read_bytes() == (tmp_path / "again.png").read_bytes()
    assert {item.name for item in tmp_path.iterdir()} == {"history.png", "again.png"}


def test_global_settings_stay(digits_results: Results, tmp_path: Path) -> None:
    import matplotlib

    assert digits_results.history is not None
    before = dict(matplotlib.rcParams)
    learning_curve_png(digits_results.history, tmp_path / "history.png")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    "history",
    [
        HistoryRecord(epochs=[1], values={"loss": [0.5]}),
        HistoryRecord(epochs=[1, 2, 3], values={"loss": [1.0, math.nan, math.inf], "mae": [1e300, 2.0]}, best_epoch=9),
        HistoryRecord(epochs=[1, 2, 3], values={"val_loss": [1.0, 2.0]}),
    ],
)
def test_odd_histories(history: HistoryRecord, tmp_path: Path) -> None:
    learning_curve_png(history, tmp_path / "history.png")
    with Image.open(tmp_path / "history.png") as picture:
        picture.verify()


@pytest.mark.parametrize("values", [{}, {"learning_rate": [0.1]}])
def test_nothing_to_draw(values: dict[str, list[float]], tmp_path: Path) -> None:
    with pytest.raises(EdgecnnError, match="holds no metric"):
        learning_curve_png(HistoryRecord(epochs=[1], values=values), tmp_path / "history.png")
    assert list(tmp_path.iterdir()) == []


def test_order_of_curves() -> None:
    names = ("top_k", "learning_rate", "seconds", "accuracy", "val_accuracy", "val_loss", "loss")
    found = curves(HistoryRecord(epochs=[1], values={name: [1.0] for name in names}))
    assert [(curve.metric, bool(curve.validation)) for curve in found] == [
        ("loss", True), ("accuracy", True), ("top_k", False),
    ]    # fmt: skip
