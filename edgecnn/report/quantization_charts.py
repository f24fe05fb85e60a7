"""Charts of an analysis as ``<svg>`` elements: ratios of all layers, how values lie in their range, samples."""

from __future__ import annotations

import base64
import io
import math
from html import escape
from typing import Any

import numpy as np

from edgecnn.quantization.records import EXACT_DB, Analysis, Histogram, LayerRecord, WeightRecord
from edgecnn.report.svg import PAGE, WIDTH, draw, short

_ROW = 24            # height of one layer among the ratios
_NAME = 20           # characters of its name there
_SHOWN_DB = 60.0     # where the axis ends; whatever is better is drawn there
_SIZE = (360, 150)   # of a histogram
_CURVE = (220, 90)   # of a signal
_FRAMES = 6          # of a clip, at most
_CHARACTERS = 220    # of a text


def ratios_chart(analysis: Analysis) -> str:
    """Signal-to-noise ratios of every layer: in the network as it runs, its own, and of the output with it alone."""
    layers = analysis.layers
    names = [short(layer.name.replace(" (", " ").rstrip(")"), 40) for layer in layers]
    shown = [short(layer.name.partition(" (")[0], _NAME) for layer in layers]
    said = "; ".join(f"{name} {_said(layer.sqnr_db)}" for name, layer in zip(names, layers, strict=True))

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        places = np.arange(len(layers))
        through = [_drawn(layer.sqnr_db) for layer in layers]
        axes.barh(places, through, height=0.62, color=PAGE.first, alpha=0.55, label="as it runs")
        own = [_drawn(layer.score) for layer in layers]
        axes.plot(own, places, linestyle="none", marker="D", markersize=5.5, color=PAGE.second, label="its own")
        if analysis.ranked_by == "sensitivity":
            alone = [_drawn(layer.output_sqnr_db) for layer in layers]
            axes.plot(
                alone, places, linestyle="none", marker="o", markersize=6, markerfacecolor="none", markeredgewidth=1.6,
                color=PAGE.third, label="output, it alone",
            )  # fmt: skip
        axes.set_yticks(places, shown)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(layers) - 0.4, -0.6)
        lowest = min([0.0, *(value for value in (*through, *own) if math.isfinite(value))])
        axes.set_xlim(math.floor(lowest / 10) * 10 if lowest < 0 else 0, _SHOWN_DB + 2)
        axes.set_xlabel("dB; more is better")
        axes.grid(True, axis="x")
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper left", ncol=3, columnspacing=1.4, handlelength=1.4)

    title = "Signal-to-quantization-noise ratio of every layer"
    return draw("ratios", WIDTH, 76 + _ROW * len(layers), title, f"In the network as it runs: {said}.", paint)


def _drawn(value: float | None) -> float:
    return math.nan if value is None else min(value, _SHOWN_DB)


def _said(value: float | None) -> str:
    if value is None:
        return "without a signal"
    return "exact" if value >= EXACT_DB else f"{value:.1f} dB"


def activation_chart(key: str, layer: LayerRecord) -> str:
    """How often which float values occur, with the range that the scale holds."""
    words = (
        f"Float values from {layer.seen_low:.4g} to {layer.seen_high:.4g}; the range is {layer.range_low:.4g} to "
        f"{layer.range_high:.4g}."
    )
    return _histogram(key, f"Values of {layer.name}", words, layer.histogram, (layer.range_low, layer.range_high))


def weights_chart(key: str, name: str, weights: WeightRecord) -> str:
    """How often which weights occur, with the largest that the widest scale holds."""
    words = f"Weights of {weights.channels} channels; the widest scale holds ±{weights.limit:.4g}."
    return _histogram(key, f"Weights of {name}", words, weights.histogram, (-weights.limit, weights.limit))


def _histogram(key: str, title: str, words: str, seen: Histogram, span: tuple[float, float]) -> str:
    counts = np.array(seen.counts, np.float64)
    edges = seen.low + seen.width * np.arange(len(counts) + 1)

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        axes.set_yscale("log")
        top = max(1.0, float(counts.max(initial=0)))
        axes.set_ylim(0.5, top * 2)
        axes.stairs(np.maximum(counts, 0.5), edges, baseline=0.5, fill=True, color=PAGE.first, alpha=0.6)
        low, high = min(float(edges[0]), span[0]), max(float(edges[-1]), span[1])
        margin = 0.03 * (high - low) or 1.0
        axes.set_xlim(low - margin, high + margin)
        axes.axvspan(low - margin, span[0], color=PAGE.third, alpha=0.12, linewidth=0)
        axes.axvspan(span[1], high + margin, color=PAGE.third, alpha=0.12, linewidth=0)
        for limit in span:
            axes.axvline(limit, color=PAGE.third, linewidth=1.8)
        axes.tick_params(axis="y", which="both", left=False, labelleft=False)
        axes.locator_params(axis="x", nbins=6)

    return draw(key, *_SIZE, title, words, paint)


def sample_picture(key: str, sample: np.ndarray) -> str:
    """A raw sample: an image as it is, frames of a clip side by side, a signal as a curve, a text as itself.

    Args:
        key: Unique in the page.
        sample: ``uint8 [H, W, C]``, ``uint8 [frames, H, W, C]``, ``[T, C]`` numbers, or a text.
    """
    if sample.dtype.kind in "US" or sample.dtype == object:
        return f"<blockquote>{escape(short(str(sample), _CHARACTERS))}</blockquote>"
    if sample.ndim >= 3 and sample.dtype == np.uint8:
        frames = sample[np.newaxis] if sample.ndim == 3 else sample[:: -(-len(sample) // _FRAMES)]
        return _image(np.concatenate(list(frames), axis=1))
    curves = sample.reshape(len(sample), -1)
    return _curves(key, curves)


def _image(pixels: np.ndarray) -> str:
    """``uint8 [H, W, C]`` as a PNG inside the page."""
    from matplotlib.image import imsave

    colours = np.repeat(pixels[..., :1], 3, axis=-1) if pixels.shape[-1] != 3 else pixels
    stream = io.BytesIO()
    imsave(stream, colours, format="png", metadata={"Software": ""})
    text = base64.b64encode(stream.getvalue()).decode()
    height, width = colours.shape[:2]
    return f'<img src="data:image/png;base64,{text}" width="{width}" height="{height}" alt="the sample">'


def _curves(key: str, channels: np.ndarray) -> str:
    """``[T, C]``: channels over one another, at most 8 of them."""
    shown = channels[:: max(1, len(channels) // 600), :8].astype(np.float64)

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        for number, curve in enumerate(shown.T):
            axes.plot(curve, linewidth=0.8, color=(PAGE.first, PAGE.second, PAGE.third)[number % 3])
        axes.set_xlim(0, max(1, len(shown) - 1))
        axes.set_xticks([])
        axes.set_yticks([])

    return draw(key, *_CURVE, "The sample", f"{len(channels)} values of {channels.shape[1]} channels.", paint)
