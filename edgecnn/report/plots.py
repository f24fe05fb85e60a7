"""The charts of the report, each a function from results to an ``<svg>`` element, and the run folder's ``history.png``.

Each chart is drawn about 480 pixels wide, which is readable on a phone at full width and twice side by side on a desk.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgecnn.errors import EdgecnnError
from edgecnn.files import whole_file
from edgecnn.formats import count, milliseconds, percent, size
from edgecnn.report.svg import FONT_SIZE, PAGE, PAPER, Palette, draw, drawing_settings, import_figure
from edgecnn.report.view import Curve, curves, entry_labels, half_interval, latency_summary, title
from edgecnn.results import Entry, HistoryRecord

WIDTH = 480
ROW = 34
# A log axis from a picosecond to some centuries, in ms: whatever a damaged document says, matplotlib stays calm.
_SHORTEST, _LONGEST = 1e-9, 1e13
_DOTS = 160
_STEPS = (1, 2, 5)


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
        figure = import_figure()(figsize=(5.2 * panels, 3.6), facecolor="white", layout="constrained", dpi=150)
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
        axes.axvline(best_epoch, color=colours.muted, linestyle=(0, (4, 3)), linewidth=1.2, label=f"best epoch: {best_epoch}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.grid(True)
    axes.set_axisbelow(True)
    axes.set_xlabel("epoch")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncol=3, borderaxespad=0.2, columnspacing=1.4, handlelength=1.6)


def _plottable(value: float) -> float:
    """NaN, which leaves a gap, where a training diverged past anything that an axis can show."""
    return value if abs(value) < 1e100 else math.nan


def confusion_matrix(matrix: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    """A square of shares by row, with counts in the fields up to 12 classes.

    Args:
        matrix: ``[classes][classes]`` counts; row: true class, column: predicted.
        labels: Class names.
    """
    classes = len(matrix)
    side = min(1000.0, max(400.0, 9.0 * classes))
    cell = side / classes
    names = [_short(label, 18) for label in labels]
    margin = 30 + 0.56 * FONT_SIZE * max(map(len, names), default=1)
    described = f"{classes} classes; rows are the true class, columns the predicted one. {confusions(matrix, labels)}"

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
        if classes <= 12:
            _paint_counts(axes, matrix, cell)
        step = math.ceil(8.0 / cell)
        shown = range(0, classes, step)
        font = min(FONT_SIZE, 0.85 * cell * step)
        axes.set_xticks(list(shown), [names[index] for index in shown], rotation=90, fontsize=font)
        axes.set_yticks(list(shown), [names[index] for index in shown], fontsize=font)
        axes.tick_params(length=0)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")

    return draw("confusion", side + margin, side + margin, "Confusion matrix", described, paint)


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


def confusions(matrix: Sequence[Sequence[int]], labels: Sequence[str], most: int = 3) -> str:
    """The most frequent mistakes, in a sentence."""
    mistakes = [
        (-number, true, said) for true, row in enumerate(matrix) for said, number in enumerate(row) if true != said and number
    ]
    if not mistakes:
        return "No sample was misclassified."
    worst = [f"{labels[true]} taken for {labels[said]} ({count(-number)})" for number, true, said in sorted(mistakes)[:most]]
    return f"Most frequent mistakes: {'; '.join(worst)}."


def latency_distribution(entries: Sequence[Entry]) -> str:
    """Every entry's counted runs on a log axis, with p50, p95 and p99 marked."""
    labels = entry_labels(entries)
    described = " ".join(f"{label}: {latency_summary(entry)}." for label, entry in zip(labels, entries, strict=True))
    everything = [
        _on_axis(value)
        for entry in entries
        for value in (*entry.latencies_ms, entry.p50_ms, entry.p95_ms, entry.p99_ms)
        if math.isfinite(value)
    ]
    ticks = _log_ticks(min(everything, default=1.0), max(everything, default=1.0))
    marks = (("p50", "p50_ms", PAGE.first, "D", 6.5), ("p95", "p95_ms", PAGE.second, "^", 7.0), ("p99", "p99_ms", PAGE.third, "s", 5.5))

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        axes.set_xscale("log")
        for row, entry in enumerate(entries):
            runs = sorted(_on_axis(value) for value in entry.latencies_ms if math.isfinite(value))
            dots = _evenly(runs, _DOTS)
            if dots:
                axes.plot([dots[0], dots[-1]], [row, row], color=PAGE.grid, linewidth=1.2, zorder=1)
            # Dots stand in a fixed pattern of heights, so that runs of equal length are not one dot.
            heights = [row - 0.18 + 0.36 * (index * 0.618034 % 1) for index in range(len(dots))]
            axes.plot(dots, heights, linestyle="none", marker=".", markersize=3.5, markeredgewidth=0, color=PAGE.muted, alpha=0.55)
        for name, field, colour, marker, points in marks:
            at = [_on_axis(getattr(entry, field)) for entry in entries]
            axes.plot(
                at, range(len(entries)), linestyle="none", marker=marker, markersize=points, color=colour, label=name, zorder=3
            )
        axes.set_ylim(len(entries) - 0.5, -0.5)
        axes.set_xlim(ticks[0], ticks[-1])
        shown = ticks if len(ticks) <= 7 else _thinned(ticks)
        axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
        axes.set_xticks([], minor=True)
        axes.set_yticks(range(len(entries)), [_short(label, 26) for label in labels])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(True, axis="x")
        axes.set_axisbelow(True)
        axes.set_xlabel("ms, log scale")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncol=3, borderaxespad=0.2, columnspacing=1.4, handletextpad=0.2)

    return draw("latency", WIDTH, 80 + ROW * len(entries), "Latency distribution", described, paint)


def _on_axis(value: float) -> float:
    return min(_LONGEST, max(_SHORTEST, value)) if math.isfinite(value) else _LONGEST


def _evenly(values: Sequence[float], most: int) -> list[float]:
    """At most ``most`` of sorted values, evenly by rank, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    return [values[round(index * (len(values) - 1) / (most - 1))] for index in range(most)]


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, … from the last at or below ``low`` to the first at or above ``high``; at least two."""
    ladder = [
        float(f"{step}e{decade}")
        for decade in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
        for step in _STEPS
    ]
    first = max(index for index, tick in enumerate(ladder) if tick <= low)
    last = min(index for index, tick in enumerate(ladder) if tick >= high)
    return ladder[first : max(last, first + 1) + 1]


def _thinned(ticks: Sequence[float]) -> list[float]:
    """Whole decades, and of those every second, third, … as long as there are more than seven."""
    decades = [tick for tick in ticks if f"{tick:e}".startswith("1.0")]
    return decades[:: math.ceil(len(decades) / 7)]


def comparison(entries: Sequence[Entry]) -> str:
    """Accuracy with its interval, file size and p50 of every entry, one line each."""
    labels = entry_labels(entries)
    judged = any(entry.accuracy is not None for entry in entries)
    described = " ".join(
        f"{label}: {percent(entry.accuracy) + ' accuracy, ' if entry.accuracy is not None else ''}"
        f"{size(entry.size_bytes)}, p50 {milliseconds(entry.p50_ms)} ms."
        for label, entry in zip(labels, entries, strict=True)
    )

    def paint(figure: Any) -> None:
        panels = list(figure.subplots(1, 3 if judged else 2, sharey=True))
        if judged:
            _paint_accuracy(panels[0], entries)
        _paint_bars(panels[-2], [float(entry.size_bytes) for entry in entries], [size(entry.size_bytes) for entry in entries])
        _paint_bars(panels[-1], [_on_axis(entry.p50_ms) for entry in entries], [milliseconds(entry.p50_ms) for entry in entries])
        for axes, heading in zip(panels, ("accuracy, %", "size", "p50, ms")[0 if judged else 1 :], strict=True):
            axes.set_title(heading, loc="left")
            axes.set_xticks([])
            axes.tick_params(axis="y", length=0)
            for spine in axes.spines.values():
                spine.set_visible(False)
        panels[0].set_ylim(len(entries) - 0.5, -0.5)
        panels[0].set_yticks(range(len(entries)), [_short(label, 22) for label in labels])

    return draw("comparison", WIDTH, 46 + ROW * len(entries), "Accuracy, size and latency compared", described, paint)


def _paint_accuracy(axes: Any, entries: Sequence[Entry]) -> None:
    values = [(row, entry, entry.accuracy) for row, entry in enumerate(entries) if entry.accuracy is not None]
    low = min(value if entry.accuracy_low is None else min(value, entry.accuracy_low) for _, entry, value in values)
    high = max(value if entry.accuracy_high is None else max(value, entry.accuracy_high) for _, entry, value in values)
    span = max(high - low, 1e-3)
    for row, entry, value in values:
        if half_interval(entry) is not None:
            axes.plot([entry.accuracy_low, entry.accuracy_high], [row, row], color=PAGE.first, linewidth=2, alpha=0.5, solid_capstyle="round")
        axes.plot([value], [row], marker="o", markersize=6, color=PAGE.first)
        axes.text(high + 0.12 * span, row, f"{value * 100:.2f}", va="center_baseline", ha="left")
    axes.set_xlim(low - 0.1 * span, high + 1.3 * span)


def _paint_bars(axes: Any, values: Sequence[float], texts: Sequence[str]) -> None:
    longest = max(values, default=0.0) or 1.0
    rows = range(len(values))
    axes.barh(rows, values, height=0.5, color=PAGE.first)
    for row, value, text in zip(rows, values, texts, strict=True):
        axes.text(value + 0.04 * longest, row, text, va="center_baseline", ha="left")
    axes.set_xlim(0, longest * 2.1)


def _short(text: str, most: int) -> str:
    """One line of at most ``most`` characters; the whole name stands in a table of the report."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def _key(metric: str) -> str:
    """A metric's name as part of an id."""
    return "".join(character if character.isascii() and character.isalnum() else f"_{ord(character):x}" for character in metric)
