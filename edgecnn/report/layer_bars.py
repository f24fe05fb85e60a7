"""What single layers take, as ``<svg>`` bar charts: time on a runtime, instructions on a board, noise by rounding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgecnn.formats import milliseconds, percent
from edgecnn.report.svg import PAGE, WIDTH, draw, short
from edgecnn.report.view import scaled
from edgecnn.results import BoardEntry, Entry, LayerNoise

ROW = 22
"""Height of one layer."""

_NAME = 20    # characters of its name
_SHOWN_DB = 60.0    # where the axis of ratios ends; whatever is better is drawn there


@dataclass(frozen=True)
class Bar:
    """A layer: its name, how long its bar is, and what stands behind it."""

    name: str
    value: float
    text: str


def profile_chart(key: str, entry: Entry) -> str:
    """Milliseconds of every layer of an entry that has a profile."""
    layers = entry.profile or []
    bars = [Bar(layer.name, layer.ms, f"{milliseconds(layer.ms)} ms, {percent(layer.share, 1)}") for layer in layers]
    return bar_chart(key, "Time of every layer", bars)


def instructions_chart(key: str, board: BoardEntry) -> str:
    """Instructions of every layer on a board, and of what joins the layers."""
    bars = [Bar(layer.name, layer.instructions, scaled(layer.instructions)) for layer in board.layers]
    if (between := rest(board)) > 0:
        bars.append(Bar("between layers", between, scaled(between)))
    return bar_chart(key, f"Instructions of every layer on {board.target}", bars)


def rest(board: BoardEntry) -> float:
    """Instructions that belong to no layer: the order of rows, calls, the entry and the return."""
    return max(0.0, board.instructions - sum(layer.instructions for layer in board.layers)) if board.layers else 0.0


def bar_chart(key: str, title: str, bars: Sequence[Bar]) -> str:
    """Bars from zero on, one a layer, in the order in which layers run."""
    said = "; ".join(f"{bar.name} {bar.text}" for bar in bars)
    values = [bar.value if math.isfinite(bar.value) else 0.0 for bar in bars]
    longest = max(values, default=0.0) or 1.0
    room = 0.075 * max((len(bar.text) for bar in bars), default=0)    # for the text behind the longest bar

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        places = range(len(bars))
        axes.barh(places, values, height=0.66, color=PAGE.first)
        for place, value, bar in zip(places, values, bars, strict=True):
            axes.text(value + 0.02 * longest, place, bar.text, va="center_baseline", ha="left")
        axes.set_xlim(0, longest * (1 + room))
        axes.set_ylim(len(bars) - 0.4, -0.6)
        axes.set_yticks(places, [short(bar.name, _NAME) for bar in bars])
        axes.tick_params(axis="y", length=0)
        axes.set_xticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)

    return draw(key, WIDTH, 10 + ROW * max(1, len(bars)), title, f"{said}.", paint)


def noise_chart(layers: Sequence[LayerNoise]) -> str:
    """Signal to quantization noise of every layer: in the network as it runs, and by its own rounding."""
    said = "; ".join(f"{layer.name} {'–' if layer.sqnr_db is None else f'{layer.sqnr_db:.1f} dB'}" for layer in layers)
    through, own = [_drawn(layer.sqnr_db) for layer in layers], [_drawn(layer.own_db) for layer in layers]

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        places = range(len(layers))
        axes.barh(places, through, height=0.62, color=PAGE.first, alpha=0.55, label="as it runs")
        axes.plot(own, places, linestyle="none", marker="D", markersize=5.5, color=PAGE.second, label="its own")
        axes.set_yticks(places, [short(layer.name.partition(" (")[0], _NAME) for layer in layers])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(layers) - 0.4, -0.6)
        lowest = min([0.0, *(value for value in (*through, *own) if math.isfinite(value))])
        axes.set_xlim(math.floor(lowest / 10) * 10, _SHOWN_DB + 2)
        axes.set_xlabel("dB; more is better")
        axes.grid(True, axis="x")
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper left", ncol=2, columnspacing=1.4, handlelength=1.4)

    title = "Signal-to-quantization-noise ratio of every layer"
    return draw("noise", WIDTH, 76 + ROW * len(layers), title, f"In the network as it runs: {said}.", paint)


def _drawn(value: float | None) -> float:
    return math.nan if value is None else max(-_SHOWN_DB, min(value, _SHOWN_DB))
