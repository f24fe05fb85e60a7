"""Learning curves: an ``<svg>`` element a metric for the report, and the run folder's ``history.png``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from edgecnn.errors import EdgecnnError
from edgecnn.files import whole_file
from edgecnn.report.svg import LEGEND_ABOVE, PAGE, PAPER, WIDTH, Palette, draw, drawing_settings, import_figure
from edgecnn.report.view import Curve, curves, title
from edgecnn.results import HistoryRecord


def learning_curve(curve: Curve, best_epoch: int | None) -> str:
    """One metric over the epochs, training and validation, the best epoch marked."""
    said = [
        f"{name} from {values[0]:.4g} to {values[-1]:.4g}"
        for name, values in (("training", curve.train), ("validation", curve.validation))
        if values
    ]
    description = f"{title(curve.metric)} over {len(curve.epochs)} epochs: {', '.join(said)}."
    if best_epoch is not None:
        description += f" Best epoch: {best_epoch}."

    def paint(figure: Any) -> None:
        _paint_curve(figure.subplots(), curve, best_epoch, PAGE)

    return draw(f"curve-{_key(curve.metric)}", WIDTH, 290, f"Learning curve: {curve.metric}", description, paint)


def learning_curve_png(history: HistoryRecord, path: Path) -> None:
    """Write the learning curve as a picture, one panel a metric, whole or not at all.

    Args:
        history: At least one epoch of at least one metric.
        path: A ``.png``.

    Raises:
        MissingDependencyError: Matplotlib is not installed.
        EdgecnnError: There is nothing to draw, or the file cannot be written.
    """
    found = curves(history)
    if not found:
        raise EdgecnnError(f"cannot draw {path}: the training history holds no metric. Train for at least one epoch.")
    with drawing_settings(PAPER, "history"), whole_file(path) as temporary:
        panels = len(found)
        figure = import_figure()(figsize=(6.6 * panels, 4.2), facecolor="white", layout="constrained", dpi=150)
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.08)
        for axes, curve in zip(figure.subplots(1, panels, squeeze=False)[0], found, strict=True):
            axes.set_ylabel(title(curve.metric))
            _paint_curve(axes, curve, history.best_epoch, PAPER)
        figure.savefig(temporary, format="png", metadata={"Software": None})


def _paint_curve(axes: Any, curve: Curve, best_epoch: int | None, colours: Palette) -> None:
    from matplotlib.ticker import MaxNLocator

    series = (("training", curve.train, colours.first, "o"), ("validation", curve.validation, colours.second, "s"))
    for name, values, colour, marker in series:
        if values:
            points = [(epoch, _plottable(value)) for epoch, value in zip(curve.epochs, values, strict=False)]
            axes.plot(
                [epoch for epoch, _ in points], [value for _, value in points], color=colour, linewidth=1.8, label=name,
                marker=marker, markersize=3.5 if len(points) <= 40 else 0,
            )
    if best_epoch is not None and best_epoch in curve.epochs:
        label = f"best epoch: {best_epoch}"
        axes.axvline(best_epoch, color=colours.muted, linestyle=(0, (4, 3)), linewidth=1.2, label=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.grid(True)
    axes.set_axisbelow(True)
    axes.set_xlabel("epoch")
    axes.legend(**LEGEND_ABOVE, handlelength=1.6)


def _plottable(value: float) -> float:
    """NaN, which leaves a gap, where a training diverged past anything that an axis can show."""
    return value if abs(value) < 1e100 else math.nan


def _key(metric: str) -> str:
    """A metric's name as part of an id."""
    return "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}" for c in metric)
