"""The confusion matrix as an ``<svg>`` element, for 2 to some hundred classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edgecnn.formats import count
from edgecnn.report.svg import FONT_SIZE, PAGE, draw, short
from edgecnn.statistics import confusions

COUNTED = 12
"""Up to so many classes there are counts in the fields."""


def confusion_matrix(matrix: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    """A square of shares by row, with counts in the fields up to 12 classes.

    Args:
        matrix: ``[classes][classes]`` counts; row: true class, column: predicted.
        labels: Class names.
    """
    classes = len(matrix)
    side = min(1000.0, max(400.0, 9.0 * classes))
    cell = side / classes
    names = [short(label, 18) for label in labels]
    longest = 0.56 * FONT_SIZE * max(map(len, names), default=1)
    margin = 30 + longest
    upright = longest < cell
    described = f"{classes} classes; rows are the true class, columns the predicted one. {in_words(matrix, labels)}"

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        axes.set_aspect("equal")
        axes.set_xlim(-0.5, classes - 0.5)
        axes.set_ylim(classes - 0.5, -0.5)
        for spine in axes.spines.values():
            spine.set_visible(True)
            spine.set_color(PAGE.grid)
        _paint_fields(axes, matrix)
        if classes <= 30:
            between = [index - 0.5 for index in range(1, classes)]
            axes.hlines(between, -0.5, classes - 0.5, colors=PAGE.grid, linewidth=0.6)
            axes.vlines(between, -0.5, classes - 0.5, colors=PAGE.grid, linewidth=0.6)
        if classes <= COUNTED:
            _paint_counts(axes, matrix, cell)
        step = math.ceil(8.0 / cell)
        shown = range(0, classes, step)
        font = min(FONT_SIZE, 0.85 * cell * step)
        axes.set_xticks(list(shown), [names[index] for index in shown], rotation=0 if upright else 90, fontsize=font)
        axes.set_yticks(list(shown), [names[index] for index in shown], fontsize=font)
        axes.tick_params(length=0)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")

    return draw("confusion", side + margin, side + (48 if upright else margin), "Confusion matrix", described, paint)


def _share_level(number: int, row: Sequence[int]) -> int:
    """0 to 20: the square root of the share in its row, so that a few per cent of errors can still be seen."""
    total = sum(row)
    return math.ceil(20 * math.sqrt(number / total)) if total and number > 0 else 0


def _paint_fields(axes: Any, matrix: Sequence[Sequence[int]]) -> None:
    """One path for all fields of a level: a hundred classes stay a small file."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    levels: dict[int, list[Any]] = {}
    for y, row in enumerate(matrix):
        for x, number in enumerate(row):
            if level := _share_level(number, row):
                corners = [(x - 0.5, y - 0.5), (x + 0.5, y - 0.5), (x + 0.5, y + 0.5), (x - 0.5, y + 0.5), (0.0, 0.0)]
                levels.setdefault(level, []).append(Outline(corners, closed=True))
    for level, outlines in sorted(levels.items()):
        outline = Outline.make_compound_path(*outlines)
        axes.add_patch(PathPatch(outline, facecolor=PAGE.heat, edgecolor="none", alpha=level / 20 * 0.95))


def _paint_counts(axes: Any, matrix: Sequence[Sequence[int]], cell: float) -> None:
    digits = max(len(str(number)) for row in matrix for number in row)
    font = min(FONT_SIZE, 0.95 * cell / (0.62 * digits))
    for y, row in enumerate(matrix):
        for x, number in enumerate(row):
            if number:
                dark = _share_level(number, row) > 11
                colour = PAGE.on_heat if dark else PAGE.ink
                axes.text(x, y, str(number), ha="center", va="center_baseline", fontsize=font, color=colour)


def in_words(matrix: Sequence[Sequence[int]], labels: Sequence[str], most: int = 3) -> str:
    """The commonest mistakes, in a sentence."""
    mistakes = confusions(matrix)
    if not mistakes:
        return "No sample was misclassified."
    worst = "; ".join(
        f"{labels[one.true]} taken for {labels[one.predicted]} ({count(one.samples)})" for one in mistakes[:most]
    )
    return f"Most frequent mistakes: {worst}."
