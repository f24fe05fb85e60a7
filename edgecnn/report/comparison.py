"""Entries beside one another: latency distribution, and accuracy with size and latency, as ``<svg>`` elements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edgecnn.formats import milliseconds, percent, size
from edgecnn.report.svg import LEGEND_ABOVE, PAGE, WIDTH, draw
from edgecnn.report.view import entry_labels, half_interval, latency_summary, on_device
from edgecnn.results import Entry

ROW = 44
"""Height of one entry."""

# A log axis from a picosecond to some centuries, in ms: whatever a damaged document says, matplotlib stays calm.
_SHORTEST, _LONGEST = 1e-9, 1e13

_DOTS = (-0.40, 0.14)    # between which heights of its row the runs of an entry lie, the first one at the top
_MARKS = 0.30            # below them, the marks of p50 and p95
_PLACES = (880, 48)      # places that runs can have in an entry's row: each half a pixel
_STEPS = (1, 2, 5)


def latency_distribution(entries: Sequence[Entry]) -> str:
    """Every counted run of every entry on a log axis, in the order of measuring; outliers, p50 and p95 marked."""
    labels = entry_labels(entries)
    described = " ".join(f"{label}: {latency_summary(entry)}." for label, entry in zip(labels, entries, strict=True))
    everything = [
        _on_axis(value)
        for entry in entries
        for value in (*entry.latencies_ms, entry.p50_ms, entry.p95_ms)
        if math.isfinite(value)
    ]
    ticks = _log_ticks(min(everything, default=1.0), max(everything, default=1.0))

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.set_xlim(ticks[0], ticks[-1])
        axes.set_ylim(len(entries) - 0.5, -0.5)
        usual, outliers = _runs(entries, ticks[0], ticks[-1])
        _paint_dots(axes, usual, 2.2, PAGE.muted, 0.5)
        _paint_dots(axes, outliers, 3.4, PAGE.third, 1.0)
        rows = [row + _MARKS for row in range(len(entries))]
        medians, uppers = ([_on_axis(getattr(one, field)) for one in entries] for field in ("p50_ms", "p95_ms"))
        for row, entry, median, upper in zip(rows, entries, medians, uppers, strict=True):
            axes.plot([median, upper], [row, row], color=PAGE.muted, linewidth=1.0, zorder=1)
            ends = [_on_axis(entry.p50_low_ms), _on_axis(entry.p50_high_ms)]
            axes.plot(ends, [row, row], color=PAGE.first, linewidth=7, alpha=0.35, zorder=2)
        marks: dict[str, Any] = {"linestyle": "none", "zorder": 3}
        axes.plot(medians, rows, marker="D", markersize=5.5, color=PAGE.first, label="p50", **marks)
        axes.plot(uppers, rows, marker="^", markersize=6.5, color=PAGE.second, label="p95", **marks)
        axes.plot([], [], marker=".", markersize=8, color=PAGE.third, label="outlier", **marks)
        shown = ticks if len(ticks) <= 7 else _thinned(ticks)
        axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
        axes.set_xticks([], minor=True)
        axes.set_yticks(range(len(entries)), _chart_labels(entries))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(True, axis="x")
        axes.set_axisbelow(True)
        axes.set_xlabel("ms, log scale")
        axes.legend(**LEGEND_ABOVE, handletextpad=0.2)

    return draw("latency", WIDTH, 80 + ROW * len(entries), "Latency distribution", described, paint)


Dots = list[tuple[float, float]]


def _runs(entries: Sequence[Entry], low: float, high: float) -> tuple[Dots, Dots]:
    """Where the runs lie, ms and height: the usual ones and the outliers; what falls on one place is there once."""
    usual: set[tuple[float, float]] = set()
    outliers: set[tuple[float, float]] = set()
    step = (math.log10(high) - math.log10(low)) / _PLACES[0]
    for row, entry in enumerate(entries):
        shown = [(index, value) for index, value in enumerate(entry.latencies_ms) if math.isfinite(value)]
        slowest = {run[0] for run in sorted(shown, key=lambda run: -run[1])[: entry.outliers]}
        last = max(1, len(entry.latencies_ms) - 1)
        for index, value in shown:
            at = low * 10 ** (step * round((math.log10(_on_axis(value)) - math.log10(low)) / step))
            height = round(index / last * _PLACES[1]) / _PLACES[1]
            place = (at, row + _DOTS[0] + (_DOTS[1] - _DOTS[0]) * height)
            (outliers if index in slowest else usual).add(place)
    return sorted(usual - outliers), sorted(outliers)


def _paint_dots(axes: Any, dots: Dots, size: float, colour: str, opacity: float) -> None:
    """One path for all of them, lines of no length with round ends: thousands of runs stay a small file."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    if not dots:
        return
    path = Outline([place for dot in dots for place in (dot, dot)], [Outline.MOVETO, Outline.LINETO] * len(dots))
    path.should_simplify = False
    look = {"edgecolor": colour, "facecolor": "none", "linewidth": size, "alpha": opacity, "capstyle": "round"}
    axes.add_patch(PathPatch(path, **look))


def _on_axis(value: float) -> float:
    return min(_LONGEST, max(_SHORTEST, value)) if math.isfinite(value) else _LONGEST


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
        sizes, medians = [entry.size_bytes for entry in entries], [entry.p50_ms for entry in entries]
        _paint_bars(panels[-2], [float(value) for value in sizes], [size(value) for value in sizes])
        _paint_bars(panels[-1], [_on_axis(value) for value in medians], [milliseconds(value) for value in medians])
        headings = ("accuracy, %", "size", "p50, ms")[-len(panels) :]
        for axes, heading in zip(panels, headings, strict=True):
            axes.set_title(heading, loc="left")
            axes.set_xticks([])
            axes.tick_params(axis="y", length=0)
            for spine in axes.spines.values():
                spine.set_visible(False)
        panels[0].set_ylim(len(entries) - 0.5, -0.5)
        panels[0].set_yticks(range(len(entries)), _chart_labels(entries))

    name = f"{'Accuracy, size' if judged else 'Size'} and latency compared"
    return draw("comparison", WIDTH, 46 + ROW * len(entries), name, described, paint)


def _paint_accuracy(axes: Any, entries: Sequence[Entry]) -> None:
    values = [(row, entry, entry.accuracy) for row, entry in enumerate(entries) if entry.accuracy is not None]
    low = min(value if entry.accuracy_low is None else min(value, entry.accuracy_low) for _, entry, value in values)
    high = max(value if entry.accuracy_high is None else max(value, entry.accuracy_high) for _, entry, value in values)
    span = max(high - low, 1e-3)
    for row, entry, value in values:
        if half_interval(entry) is not None:
            axes.plot([entry.accuracy_low, entry.accuracy_high], [row, row], color=PAGE.first, linewidth=2, alpha=0.5)
        axes.plot([value], [row], marker="o", markersize=6, color=PAGE.first)
        axes.text(high + 0.12 * span, row, f"{value * 100:.2f}", va="center_baseline", ha="left")
    axes.set_xlim(low - 0.1 * span, high + 1.3 * span)


def _paint_bars(axes: Any, values: Sequence[float], texts: Sequence[str]) -> None:
    longest = max(values, default=0.0) or 1.0
    rows = range(len(values))
    axes.barh(rows, values, height=0.5, color=PAGE.first)
    for row, value, text in zip(rows, values, texts, strict=True):
        axes.text(value + 0.04 * longest, row, text, va="center_baseline", ha="left")
    axes.set_xlim(0, longest * 2.6)


def _chart_labels(entries: Sequence[Entry], most: int = 22) -> list[str]:
    """Names of entries, the device on a line of its own; cut in the middle, because they differ at both ends."""
    labels = [
        "\n".join(_cut(line, most) for line in (label.removesuffix(on_device(entry)), entry.device) if line)
        for label, entry in zip(entry_labels(entries), entries, strict=True)
    ]
    if len(set(labels)) == len(labels):
        return labels
    return [f"{number}. {label}" for number, label in enumerate(labels, start=1)]


def _cut(text: str, most: int) -> str:
    head, tail = most // 2, most - most // 2 - 1
    return text if len(text) <= most else f"{text[:head]}…{text[-tail:]}"
