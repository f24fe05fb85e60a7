"""Samples as a picture: images in rows, masks laid over them, clips as strips, signals as curves, texts as lines."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.files import whole_file
from edgecnn.report.svg import PAPER, drawing_settings, import_figure, short
from firmware_export.graph import printable

_CELL = 1.0                  # inches that an image takes
_LABEL = 1.9                 # inches for the names of the rows
_CURVE = (2.3, 0.85)         # inches that a signal or a spectrogram takes
_LINE = 0.2                  # inches a line of text
_TEXT_WIDTH = 8.0
_CHARACTERS = 96             # in a line of text
_TINT = np.array([217, 48, 37], np.float32)
_TINT_SHARE = np.float32(0.45)


@dataclass(frozen=True)
class Row:
    """Samples that stand side by side.

    Attributes:
        label: Their class, or what they are.
        note: What was done to them; smaller, below the label.
        x: ``uint8 [n, H, W, C]`` images, ``uint8 [n, F, H, W, C]`` clips, ``[n, T, C]`` signals, ``float32
            [n, T, bands, 1]`` spectrograms, ``str [n]`` texts.
        tinted: Booleans ``[n, H, W]``: pixels of images to lay a colour over; None for none.
    """

    label: str
    note: str
    x: np.ndarray
    tinted: np.ndarray | None = None


def preview_png(rows: Sequence[Row], title: str, path: Path) -> None:
    """Write the rows as a picture, whole or not at all.

    Args:
        rows: At least one; all of the same number of samples.
        title: Above them.
        path: A ``.png``.

    Raises:
        MissingDependencyError: Matplotlib is not installed.
        EdgecnnError: The file cannot be written.
    """
    with drawing_settings(PAPER, "preview"), whole_file(path) as temporary:
        heights = [_height(row) for row in rows]
        width = _LABEL + max(_width(row) for row in rows) + 0.15
        top = 0.45
        figure = import_figure()(figsize=(width, top + sum(heights) + 0.1), facecolor="white", dpi=100)
        figure.text(0.1 / width, 1 - 0.25 / figure.get_figheight(), _clean(title, 110), va="center", weight="bold")
        lower = figure.get_figheight() - top
        for row, height in zip(rows, heights, strict=True):
            lower -= height
            _label(figure, row, lower, height)
            _paint(figure, row, lower, height, width)
        figure.savefig(temporary, format="png", metadata={"Software": None})


def _clean(text: str, most: int) -> str:
    return short(printable(text), most)


def _kind(row: Row) -> str:
    if row.x.dtype.kind in "US":
        return "text"
    if row.x.ndim == 3:
        return "curves"
    return "picture" if row.x.dtype == np.uint8 else "map"


def _width(row: Row) -> float:
    kind, count = _kind(row), len(row.x)
    if kind == "text":
        return _TEXT_WIDTH
    if kind in ("curves", "map"):
        return _CURVE[0] * count
    height, width = row.x.shape[-3:-1]
    frames = row.x.shape[1] if row.x.ndim == 5 else 1
    return float(min(14.0, _CELL * count * frames * width / height))


def _height(row: Row) -> float:
    kind = _kind(row)
    if kind == "text":
        return _LINE * sum(len(_lines(text)) for text in row.x) + 0.25
    if kind in ("curves", "map"):
        return _CURVE[1]
    height, width = row.x.shape[-3:-1]
    frames = row.x.shape[1] if row.x.ndim == 5 else 1
    return float(_width(row) / (len(row.x) * frames * width / height) + 0.06)


def _label(figure: Any, row: Row, lower: float, height: float) -> None:
    """The name of a row at its left, in the middle of its height."""
    width, whole = figure.get_figwidth(), figure.get_figheight()
    middle = lower + height / 2
    apart = 0.09 if row.note else 0.0
    figure.text(0.1 / width, (middle + apart) / whole, _clean(row.label, 20), va="center", fontsize=10)
    if row.note:
        note = _clean(row.note, 26)
        figure.text(0.1 / width, (middle - apart) / whole, note, va="center", fontsize=8, color=PAPER.muted)


def _paint(figure: Any, row: Row, lower: float, height: float, width: float) -> None:
    kind, whole = _kind(row), figure.get_figheight()
    if kind == "text":
        position = lower + height - 0.2
        for text in row.x:
            for number, line in enumerate(_lines(text)):
                indent = _LABEL + (0.12 if number else 0.0)
                figure.text(indent / width, position / whole, line, va="center", fontsize=8)
                position -= _LINE
        return
    if kind == "picture":
        box = [_LABEL / width, (lower + 0.03) / whole, _width(row) / width, (height - 0.06) / whole]
        axes = figure.add_axes(box)
        axes.imshow(_strip(row), interpolation="nearest", aspect="auto", vmin=0, vmax=255, cmap="gray")
        axes.set_axis_off()
        return
    for number, sample in enumerate(row.x):
        left = (_LABEL + number * _CURVE[0]) / width
        axes = figure.add_axes([left, (lower + 0.06) / whole, (_CURVE[0] - 0.12) / width, (height - 0.12) / whole])
        axes.set_xticks([])
        axes.set_yticks([])
        if kind == "map":    # time to the right, low frequencies below
            axes.imshow(sample[:, :, 0].T, origin="lower", aspect="auto", cmap="magma", interpolation="nearest")
        else:
            _curves(axes, sample)


def _curves(axes: Any, sample: np.ndarray) -> None:
    """A signal's channels one below the other, each to its own scale; one channel about its zero line."""
    values = sample.astype(np.float64)
    if values.shape[1] > 1:
        values = values - values.mean(axis=0)
    span = np.abs(values).max(axis=0)
    values = values / np.where(span > 0, span, 1)
    for channel in range(values.shape[1]):
        axes.plot(values[:, channel] - 1.6 * channel, linewidth=0.7, color=(PAPER.first, PAPER.second)[channel % 2])
    axes.set_xlim(0, max(1, len(values) - 1))


def _lines(text: str) -> list[str]:
    """At most two lines of a text."""
    lines = textwrap.wrap(printable(" ".join(str(text).split())), _CHARACTERS) or ["(empty)"]
    return lines if len(lines) <= 2 else [lines[0], short(" ".join(lines[1:]), _CHARACTERS)]


_DARK = 64
"""Images without any brighter pixel are on another scale than 0 to 255; those of scikit-learn's digits end at 16."""


def _strip(row: Row) -> np.ndarray:
    """All samples of a row in one image ``uint8 [H, W, 3]``, white between them, less between the frames of a clip."""
    x = row.x if row.x.shape[-1] == 3 else np.repeat(row.x[..., :1], 3, axis=-1)
    if 0 < (brightest := int(x.max())) < _DARK:
        x = (x * (255 / brightest)).astype(np.uint8)
    if row.tinted is not None:
        tint = x + (_TINT - x) * _TINT_SHARE
        x = np.where(row.tinted[..., np.newaxis], tint, x).astype(np.uint8)
    height = x.shape[-3]
    # A gap of one pixel of a small image is one of many pixels of a large one.
    scale = max(1, round(64 / height))
    x = x.repeat(scale, axis=-3).repeat(scale, axis=-2)
    gap = max(2, x.shape[-2] // 24)
    parts: list[np.ndarray] = []
    for sample in x:
        frames = sample if sample.ndim == 4 else sample[np.newaxis]
        for frame in frames:
            parts += [frame, np.full((frame.shape[0], max(1, gap // 3), 3), 255, np.uint8)]
        parts.append(np.full((x.shape[-3], gap, 3), 255, np.uint8))
    return np.concatenate(parts[:-2], axis=1)
