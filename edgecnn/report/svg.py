"""Matplotlib figures as inline SVG that takes its colours and its font from the page around it."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from edgecnn.errors import MissingDependencyError

FONT_SIZE = 12.5
"""Of chart text, in units of the drawing: pixels where it is shown at its own size."""

WIDTH = 440
"""Of most charts: readable on a phone at full width, and twice side by side on a desk."""

LEGEND_ABOVE: dict[str, Any] = {
    "loc": "lower left", "bbox_to_anchor": (-0.02, 1.0), "ncol": 3, "borderaxespad": 0.2, "columnspacing": 1.4,
}
"""Where a legend hides no curve."""


@dataclass(frozen=True)
class Palette:
    """The colours of a chart, by what they are for.

    Attributes:
        ink: Text and what carries figures.
        muted: Axes and what explains.
        grid: Lines that only guide the eye.
        first: The first series: training, p50, bars.
        second: The second series: validation, p95.
        third: The third: p99.
        heat: Fill of a confusion matrix, by opacity.
        on_heat: Text on a dark field of it.
    """

    ink: str
    muted: str
    grid: str
    first: str
    second: str
    third: str
    heat: str
    on_heat: str


PAPER = Palette("#1f2328", "#59636e", "#d8dee4", "#1f5fbf", "#c2570c", "#a3246b", "#1f5fbf", "#ffffff")
"""For a picture on white."""

# Matplotlib knows no CSS variables: it draws in these colours, which stand for them and are exchanged afterwards.
PAGE = Palette("#010101", "#010102", "#010103", "#010104", "#010105", "#010106", "#010107", "#010108")
_CSS = {
    PAGE.ink: "currentColor",
    PAGE.muted: "var(--muted)",
    PAGE.grid: "var(--grid)",
    PAGE.first: "var(--first)",
    PAGE.second: "var(--second)",
    PAGE.third: "var(--third)",
    PAGE.heat: "var(--heat)",
    PAGE.on_heat: "var(--on-heat)",
}


def import_figure() -> Any:
    """Matplotlib's ``Figure``, used without pyplot: no display, no list of open figures.

    Raises:
        MissingDependencyError: Matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError("matplotlib", "report", "drawing a chart") from error
    return Figure


@contextlib.contextmanager
def drawing_settings(palette: Palette, salt: str) -> Iterator[None]:
    """Matplotlib's settings for one drawing, whatever the user's own are; afterwards all is as it was.

    Args:
        palette: Colours of axes and text.
        salt: Goes into the names that matplotlib makes up inside an SVG, so that they are the same each time.
    """
    import_figure()
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({
            "svg.hashsalt": salt,
            "svg.fonttype": "none",        # text stays text: the page's font, selectable, small
            "text.parse_math": False,      # a label may hold a dollar sign
            "font.size": FONT_SIZE,
            "axes.titlesize": FONT_SIZE,
            "axes.labelsize": FONT_SIZE,
            "xtick.labelsize": FONT_SIZE,
            "ytick.labelsize": FONT_SIZE,
            "legend.fontsize": FONT_SIZE,
            "legend.frameon": False,
            "text.color": palette.ink,
            "axes.labelcolor": palette.ink,
            "axes.titlecolor": palette.ink,
            "axes.edgecolor": palette.muted,
            "axes.facecolor": "none",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid.axis": "both",
            "grid.color": palette.grid,
            "grid.linewidth": 0.8,
            "xtick.color": palette.muted,
            "ytick.color": palette.muted,
            "xtick.labelcolor": palette.ink,
            "ytick.labelcolor": palette.ink,
        })
        # The page's font draws the labels; that matplotlib's own, used to measure, lacks a glyph does not matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield


def draw(key: str, width: float, height: float, title: str, description: str, paint: Callable[[Any], None]) -> str:
    """An ``<svg>`` element for an HTML page.

    Args:
        key: Prefix of every id in it; must be unique in the page.
        width: In pixels, when shown at its own size.
        height: The same.
        title: What it is, for those who cannot see it.
        description: What it says, for them.
        paint: Draws on the ``Figure`` with the colours of ``PAGE``.

    Raises:
        MissingDependencyError: Matplotlib is not installed.
    """
    with drawing_settings(PAGE, key):
        figure = import_figure()(figsize=(width / 72, height / 72), facecolor="none", layout="constrained")
        figure.get_layout_engine().set(w_pad=2 / 72, h_pad=2 / 72)
        paint(figure)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return _inline(stream.getvalue(), key, width, height, title, description)


def short(text: str, most: int) -> str:
    """One line of at most ``most`` characters; the whole name stands in a table of the report."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def _inline(text: str, key: str, width: float, height: float, title: str, description: str) -> str:
    """Matplotlib's SVG as a part of a page: own ids, no namespaces or style sheet, the page's colours and font."""
    root = ET.fromstring(text)
    values = " ".join(value for element in root.iter() for value in element.attrib.values())
    used = set(re.findall(r"#([\w-]+)", values))
    for parent in root.iter():
        for child in list(parent):
            if _local(child.tag) in ("metadata", "style", "title"):
                parent.remove(child)
    for element in root.iter():
        element.tag = _local(element.tag)
        attributes = {_local(name): value for name, value in element.attrib.items()}
        if (own := attributes.pop("id", None)) in used:
            attributes["id"] = f"{key}-{own}"
        element.attrib.clear()
        element.attrib.update({name: _themed(value, key, used) for name, value in attributes.items()})
    root.attrib.clear()
    root.attrib.update({
        "class": "chart",
        "viewBox": f"0 0 {width:g} {height:g}",
        "width": f"{width:g}",
        "height": f"{height:g}",
        "role": "img",
        "aria-labelledby": f"{key}-title {key}-desc",
    })
    for position, (tag, words) in enumerate((("title", title), ("desc", description))):
        element = ET.Element(tag, {"id": f"{key}-{tag}"})
        element.text = words
        root.insert(position, element)
    return ET.tostring(root, encoding="unicode")


def _local(name: Any) -> str:
    """``{namespace}name`` without the namespace, which HTML does not need."""
    return str(name).rpartition("}")[2]


def _themed(value: str, key: str, used: set[str]) -> str:
    for colour, variable in _CSS.items():
        value = value.replace(colour, variable)
    value = re.sub(r"M (\S+) (\S+)\s+L \1 \2\s*", r"M\1 \2h0", value)    # dots
    value = re.sub(r"\d+\.\d{3,}", lambda match: f"{float(match[0]):.2f}", value)
    value = re.sub(r"font: ([\d.]+px) [^;]*", r"font-size: \1", value)
    value = re.sub(r"font-family: [^;]*;?\s*", "", value)
    return re.sub(r"#([\w-]+)", lambda match: f"#{key}-{match[1]}" if match[1] in used else match[0], value)
