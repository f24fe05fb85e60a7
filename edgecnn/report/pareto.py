"""Trials of a search as a picture: accuracy over each cost, the front marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgecnn.errors import EdgecnnError
from edgecnn.files import whole_file
from edgecnn.report.svg import PAPER, drawing_settings, import_figure


@dataclass(frozen=True)
class Point:
    """A trial.

    Attributes:
        number: Its name in the picture.
        costs: Its value on each axis, by the axis's name.
        accuracy: None where it was not trained.
        kind: ``front``: nothing is better in one objective and as good in all others; ``trained`` are the others,
            ``stopped`` were given up, ``over budget`` were not trained.
        best: The one that was chosen.
    """

    number: int
    costs: Mapping[str, float]
    accuracy: float | None
    kind: Literal["front", "trained", "stopped", "over budget"]
    best: bool = False


@dataclass(frozen=True)
class Axis:
    """A cost.

    Attributes:
        name: Key in ``Point.costs``.
        title: With the unit, such as ``flash (kB)``.
        scale: What a value is divided by to be shown.
        budget: The most that is allowed, in the unit of the values; None where there is no limit.
    """

    name: str
    title: str
    scale: float
    budget: float | None = None


# In the order in which they are drawn: what matters most comes last, on top.
_MARKS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("stopped", "stopped early (best so far)", {"marker": "x", "s": 26, "color": PAPER.muted, "linewidths": 1.1}),
    ("trained", "trained", {"s": 34, "facecolors": "none", "edgecolors": PAPER.first, "linewidths": 1.3}),
    ("front", "on the Pareto front", {"s": 46, "color": PAPER.second, "zorder": 3}),
)
_BEST: dict[str, Any] = {"s": 170, "facecolors": "none", "edgecolors": PAPER.ink, "linewidths": 1.2, "zorder": 4}


def pareto_png(points: Sequence[Point], axes: Sequence[Axis], path: Path, title: str) -> None:
    """Write the picture, a panel for each cost, whole or not at all.

    Args:
        points: Trials; those without accuracy stand as ticks at the foot.
        axes: At least one.
        path: A ``.png``.
        title: Above it all.

    Raises:
        MissingDependencyError: Matplotlib is not installed.
        EdgecnnError: No trial has an accuracy, or the file cannot be written.
    """
    if all(point.accuracy is None for point in points):
        raise EdgecnnError(f"cannot draw {path}: no trial was trained.")
    with drawing_settings(PAPER, "pareto"), whole_file(path) as temporary:
        figure = import_figure()(figsize=(6.0 * len(axes) + 0.6, 5.2), facecolor="white", layout="constrained", dpi=130)
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.08)
        figure.suptitle(title, fontsize=13.5)
        panels = figure.subplots(1, len(axes), squeeze=False, sharey=True)[0]
        for panel, axis in zip(panels, axes, strict=True):
            _paint(panel, points, axis, joined=len(axes) == 1)
        panels[0].set_ylabel("validation accuracy (%)")
        found: dict[str, Any] = {}
        for panel in panels:
            found |= dict(zip(*reversed(panel.get_legend_handles_labels()), strict=True))
        figure.legend(found.values(), found.keys(), loc="outside lower center", ncol=min(2 * len(axes), 5))
        figure.savefig(temporary, format="png", metadata={"Software": None})


def _paint(panel: Any, points: Sequence[Point], axis: Axis, joined: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    def places(some: Sequence[Point]) -> tuple[list[float], list[float]]:
        seen = [point for point in some if point.accuracy is not None]
        return [point.costs[axis.name] / axis.scale for point in seen], [100 * (point.accuracy or 0) for point in seen]

    front = sorted((point for point in points if point.kind == "front"), key=lambda point: point.costs[axis.name])
    if joined and front:    # with more than two objectives the front is a surface, and no line in one panel
        panel.step(*places(front), where="post", color=PAPER.second, linewidth=1.2, alpha=0.6, zorder=2)
    for kind, label, style in _MARKS:
        some = [point for point in points if point.kind == kind]
        if some:
            panel.scatter(*places(some), label=label, **style)
    for point in points:
        if point.best:
            panel.scatter(*places([point]), label="best", **_BEST)
    _name_front(panel, front, axis)
    over = [point.costs[axis.name] / axis.scale for point in points if point.kind == "over budget"]
    if over:
        feet = {"transform": panel.get_xaxis_transform(), "marker": "|", "color": PAPER.third, "zorder": 3}
        panel.scatter(over, [0.02] * len(over), s=110, label="over budget, not trained", **feet)
    shown = [point.costs[axis.name] / axis.scale for point in points]
    if axis.budget is not None and axis.budget / axis.scale <= 1.5 * max(shown):    # not one far beyond every trial
        shown.append(axis.budget / axis.scale)
        panel.axvline(shown[-1], color=PAPER.third, linestyle=(0, (4, 3)), linewidth=1.2, label="budget", zorder=1)
    margin = 0.05 * (max(shown) - min(shown)) or 1.0
    panel.set_xlim(min(shown) - margin, max(shown) + margin)    # matplotlib does not count what stands at the foot
    panel.xaxis.set_major_locator(MaxNLocator(nbins=7))
    panel.yaxis.set_major_locator(MaxNLocator(nbins=8))
    panel.grid(True)
    panel.set_axisbelow(True)
    panel.set_xlabel(axis.title)


def _name_front(panel: Any, front: Sequence[Point], axis: Axis) -> None:
    """Numbers beside the points of the front, as the table of trials has them."""
    for point in front:
        if point.accuracy is not None:
            place = (point.costs[axis.name] / axis.scale, point.accuracy * 100)
            panel.annotate(
                str(point.number), place, xytext=(7, -12), textcoords="offset points", fontsize=10.5, color=PAPER.ink
            )

