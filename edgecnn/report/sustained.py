"""Latency, temperature and frequency while inference follows inference: an ``<svg>`` element, and the figures of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgecnn.formats import ABSENT, milliseconds
from edgecnn.report.svg import LEGEND_ABOVE, PAGE, WIDTH, draw
from edgecnn.results import Sustained

_PANEL = 120    # height of one


@dataclass(frozen=True)
class Span:
    """A figure over time: in the first window, in the last, and its extremes."""

    name: str
    unit: str
    first: str
    last: str
    lowest: str
    highest: str


def spans(found: Sustained) -> list[Span]:
    """What changed, figure by figure; what was not read is left out."""
    whole: Callable[[float], str] = "{:.0f}".format
    figures: tuple[tuple[str, str, Sequence[float | None], Callable[[float], str]], ...] = (
        ("p50", "ms", found.p50_ms, milliseconds),
        ("p95", "ms", found.p95_ms, milliseconds),
        ("temperature", "°C", found.temperature_c, "{:.1f}".format),
        ("frequency", "MHz", found.frequency_mhz, whole),
    )
    rows = []
    for name, unit, values, text in figures:
        known = _known(values)
        if known:
            shown = [text(value) for value in (known[0], known[-1], min(known), max(known))]
            rows.append(Span(name, unit, *shown))
    return rows


def in_words(found: Sustained) -> str:
    """How long it ran and what became of the median."""
    if not found.seconds:
        return "Nothing was measured."
    runs, medians = sum(found.runs), _known(found.p50_ms)
    text = f"{runs:,} runs in {found.seconds[-1]:.4g} s, in {len(found.seconds)} windows."
    if len(medians) > 1 and medians[0] > 0:
        change = f"{(medians[-1] / medians[0] - 1) * 100:+.1f} %".replace("-", "−")
        first, last = milliseconds(medians[0]), milliseconds(medians[-1])
        text += f" p50 went from {first} ms in the first window to {last} ms in the last one ({change})."
    return text


def sustained_chart(key: str, found: Sustained) -> str:
    """A panel for latency and one each for temperature and frequency, where they were read; time to the right."""
    said = [f"{row.name} {row.first} {row.unit} at first, {row.last} at last" for row in spans(found)]
    described = "; ".join(said) or ABSENT
    beside = [("°C", found.temperature_c, PAGE.third), ("MHz", found.frequency_mhz, PAGE.muted)]
    beside = [(unit, values, colour) for unit, values, colour in beside if _known(values)]

    def paint(figure: Any) -> None:
        from matplotlib.ticker import MaxNLocator, ScalarFormatter

        panels = figure.subplots(1 + len(beside), 1, sharex=True, squeeze=False)[:, 0]
        _line(panels[0], found.seconds, found.p50_ms, PAGE.first, "p50")
        _line(panels[0], found.seconds, found.p95_ms, PAGE.second, "p95")
        panels[0].set_ylabel("ms")
        panels[0].legend(**LEGEND_ABOVE, handlelength=1.6)
        for axes, (unit, values, colour) in zip(panels[1:], beside, strict=True):
            _line(axes, found.seconds, values, colour, unit)
            axes.set_ylabel(unit)
        for axes in panels:
            axes.grid(True)
            axes.set_axisbelow(True)
            axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
            axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
        panels[0].set_ylim(bottom=0)
        panels[-1].set_xlabel("seconds")

    height = 60 + _PANEL * (1 + len(beside))
    return draw(key, WIDTH, height, "Latency while inference follows inference", f"{described}.", paint)


def _line(axes: Any, seconds: Sequence[float], values: Sequence[float | None], colour: str, label: str) -> None:
    shown = [math.nan if value is None or abs(value) > 1e100 else value for value in values]
    marker = "o" if len(shown) <= 40 else None
    pairs = list(zip(seconds, shown, strict=False))
    axes.plot(
        [at for at, _ in pairs], [value for _, value in pairs], color=colour, linewidth=1.6, marker=marker,
        markersize=3.5, label=label,
    )  # fmt: skip


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]
