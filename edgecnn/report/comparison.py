"""Entries beside one another: latency distribution, and accuracy with size and latency, as ``<svg>`` elements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edgecnn.formats import milliseconds, percent, size
from edgecnn.report.svg import LEGEND_ABOVE, PAGE, WIDTH, draw
from edgecnn.report.view import entry_labels, half_interval, latency_summary
from edgecnn.results import Entry

ROW = 36
"""Height of one entry."""

# A log axis from a picosecond to some centuries, in ms: whatever a damaged document says, matplotlib stays calm.
_SHORTEST, _LONGEST = 1e-9, 1e13
DOTS = 160
"""How many runs of an entry are drawn at most."""

_MARKS = 0.24    # how far below the middle of its row the line with p50, p95 and p99 lies; the dots are above it
_STEPS = (1, 2, 5)


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
    marks = (
        ("p50", "p50_ms", PAGE.first, "D", 6.5),
        ("p95", "p95_ms", PAGE.second, "^", 7.0),
        ("p99", "p99_ms", PAGE.third, "s", 5.5),
    )
    dot = {"marker": ".", "markersize": 3.5, "markeredgewidth": 0, "color": PAGE.muted, "alpha": 0.55}

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        axes.set_xscale("log")
        for row, entry in enumerate(entries):
            runs = sorted(_on_axis(value) for value in entry.latencies_ms if math.isfinite(value))
            dots = _evenly(runs, DOTS)
            if dots:
                axes.plot([dots[0], dots[-1]], [row + _MARKS] * 2, color=PAGE.muted, linewidth=1.2, zorder=1)
            # Dots stand in a fixed pattern of heights, so that runs of equal length are not one dot.
            heights = [row - 0.32 + 0.36 * (index * 0.618034 % 1) for index in range(len(dots))]
            axes.plot(dots, heights, linestyle="none", **dot)
        for name, field, colour, marker, points in marks:
            at = [_on_axis(getattr(entry, field)) for entry in entries]
            axes.plot(
                at, [row + _MARKS for row in range(len(entries))], linestyle="none", marker=marker, markersize=points,
                color=colour, label=name, zorder=3,
            )
        axes.set_ylim(len(entries) - 0.5, -0.5)
        axes.set_xlim(ticks[0], ticks[-1])
        shown = ticks if len(ticks) <= 7 else _thinned(ticks)
        axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
        axes.set_xticks([], minor=True)
        axes.set_yticks(range(len(entries)), _short_labels(labels))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(True, axis="x")
        axes.set_axisbelow(True)
        axes.set_xlabel("ms, log scale")
        axes.legend(**LEGEND_ABOVE, handletextpad=0.2)

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
        panels[0].set_yticks(range(len(entries)), _short_labels(labels))

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


def _short_labels(labels: Sequence[str], most: int = 22) -> list[str]:
    """Names of entries, cut in the middle, because they differ at both ends; numbered if they are alike then."""
    head, tail = most // 2, most - most // 2 - 1
    cut = [label if len(label) <= most else f"{label[:head]}…{label[-tail:]}" for label in labels]
    return cut if len(set(cut)) == len(cut) else [f"{number}. {label}" for number, label in enumerate(cut, start=1)]
