"""An analysis of a quantized network as people read it: in the terminal, and as one HTML file that fetches nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgecnn.errors import MissingDependencyError
from edgecnn.files import write_files
from edgecnn.formats import ABSENT, count, percent
from edgecnn.quantization.records import EXACT_DB, Analysis, Flip, LayerRecord
from edgecnn.report.quantization_charts import activation_chart, ratios_chart, sample_picture, weights_chart

TEMPLATE = "quantization.html.j2"
JSON_NAME, HTML_NAME = "quantization.json", "quantization.html"

FLIPS_SHOWN = 24
"""Pictures of samples at most; all of them are in the JSON."""

_FLIPS_NAMED = 5     # in the terminal
_NAMES = 22          # characters of a layer's name in the terminal; longer ones fold


def terminal_analysis(analysis: Analysis) -> RenderableType:
    """Table, advice and changed decisions for a console of 80 columns or more; names fold, figures are never cut."""
    lines: list[RenderableType] = [_table(analysis), Text("")]
    lines.append(Text(analysis.advice))
    if analysis.accuracy is not None and analysis.accuracy.flips:
        lines += [Text(""), Text(_flips_line(analysis))]
    lines += [Text(f"Note: {remark}", style="dim") for remark in analysis.remarks]
    return Group(*lines)


def write_report(analysis: Analysis, folder: Path, samples: np.ndarray | None = None) -> tuple[Path, Path]:
    """Write ``quantization.json`` and ``quantization.html``, both or none; the same analysis gives the same bytes.

    Args:
        analysis: What is shown.
        folder: Where to.
        samples: The raw samples that were analysed, ``[N, ...]``, from which those are shown whose class flipped.

    Returns:
        The two files.

    Raises:
        MissingDependencyError: Jinja2 or matplotlib is not installed.
        EdgecnnError: A file cannot be written.
    """
    files = folder / JSON_NAME, folder / HTML_NAME
    write_files({files[0]: analysis.to_json(), files[1]: render(analysis, samples)})
    return files


def render(analysis: Analysis, samples: np.ndarray | None = None) -> str:
    """The report's text; see ``write_report``."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise MissingDependencyError("jinja2", "report", "writing the report") from error
    environment = Environment(
        loader=PackageLoader("edgecnn", "report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(percent=percent, count=count, db=decibel_text, number=number_text, points=points_text)
    return environment.get_template(TEMPLATE).render(_context(analysis, samples))


# In words and figures.


def decibel_text(value: float | None) -> str:
    """``31.5``; no error at all as ``exact``."""
    if value is None:
        return ABSENT
    return "exact" if value >= EXACT_DB else f"{value:.1f}".replace("-", "−")


def number_text(value: float | None) -> str:
    """Four significant digits."""
    return ABSENT if value is None else f"{value:.4g}".replace("-", "−")


def points_text(value: float | None) -> str:
    """A difference of two shares in points: ``−1.25``."""
    if value is None:
        return ABSENT
    return ("0.00" if abs(value) < 5e-5 else f"{value * 100:+.2f}").replace("-", "−")


def _clipped(layer: LayerRecord) -> str:
    if layer.clipped == 0:
        return "0"
    return f"{layer.clipped * 100:.2f}" if layer.clipped >= 1e-4 else "<.01"


def _table(analysis: Analysis) -> Table:
    alone = analysis.ranked_by == "sensitivity"
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("layer", overflow="fold", min_width=8, max_width=_NAMES + 8)
    ratios = ["SQNR\ndB", "own\ndB", *(["alone\ndB"] if alone else [])]
    for heading in [*ratios, "cosine", "error\nsteps", "clip\n%", "codes\n%", "weights\ndB"]:
        table.add_column(heading, justify="right", no_wrap=True)
    worst = analysis.ranking[:1]
    for layer in analysis.layers:
        cells = [
            layer.name,
            decibel_text(layer.sqnr_db),
            decibel_text(layer.score),
            *([decibel_text(layer.output_sqnr_db)] if alone else []),
            ABSENT if layer.cosine is None else f"{layer.cosine:.4f}",
            f"{layer.largest_error_steps:.1f}",
            _clipped(layer),
            f"{layer.codes * 100:.0f}",
            ABSENT if layer.weights is None else decibel_text(layer.weights.worst_channel_sqnr_db),
        ]
        table.add_row(*map(Text, cells), style="bold" if layer.name in worst else None)
    return table


def _flips_line(analysis: Analysis) -> str:
    assert analysis.accuracy is not None
    flips = analysis.accuracy.flips
    shown = ", ".join(f"{one.index} ({one.before} → {one.after})" for one in flips[:_FLIPS_NAMED])
    more = f", … {len(flips) - _FLIPS_NAMED} more" if len(flips) > _FLIPS_NAMED else ""
    return f"Changed decisions on {len(flips)} of {analysis.accuracy.samples} samples: {shown}{more}."


# The page.


@dataclass(frozen=True)
class Figure:
    """One of the large figures at the top."""

    name: str
    value: str
    remark: str


@dataclass(frozen=True)
class Shown:
    """A layer with its pictures."""

    record: LayerRecord
    activation: Any
    weights: Any


@dataclass(frozen=True)
class Sample:
    """A sample whose class flipped, with its picture."""

    flip: Flip
    picture: Any


def _context(analysis: Analysis, samples: np.ndarray | None) -> dict[str, Any]:
    from markupsafe import Markup

    shown = [
        Shown(
            layer,
            Markup(activation_chart(f"values-{place}", layer)),
            None if layer.weights is None else Markup(weights_chart(f"weights-{place}", layer.name, layer.weights)),
        )
        for place, layer in enumerate(analysis.layers)
    ]
    flips = [] if analysis.accuracy is None else telling(analysis.accuracy.flips)
    pictures = [
        Sample(flip, None if samples is None else Markup(sample_picture(f"flip-{flip.index}", samples[flip.index])))
        for flip in flips[:FLIPS_SHOWN]
    ]
    return {
        "analysis": analysis,
        "absent": ABSENT,
        "figures": list(_figures(analysis)),
        "alone": analysis.ranked_by == "sensitivity",
        "chart": Markup(ratios_chart(analysis)) if analysis.layers else None,
        "layers": shown,
        "worst": analysis.ranking[0] if analysis.ranking else "",
        "flips": pictures,
        "clipped": _clipped,
    }


def telling(flips: list[Flip]) -> list[Flip]:
    """The samples in the order in which they are worth a look: mistakes made anew first, of those the surest."""

    def order(one: Flip) -> tuple[bool, bool, float, int]:
        return one.before != one.truth, one.after == one.truth, -one.before_score, one.index

    return sorted(flips, key=order)


def _figures(analysis: Analysis) -> Iterator[Figure]:
    found = analysis.accuracy
    if found is not None:
        between = f"{points_text(found.drop_low)} to {points_text(found.drop_high)} with 95 % confidence"
        remark = f"{between}; float {percent(found.before)}, {analysis.dtype} {percent(found.after)}"
        yield Figure("Drop of accuracy", f"{points_text(found.drop)} points", remark)
        what = "pixels of " if not found.flips and found.agreement < 1 else ""
        yield Figure("Same decisions", percent(found.agreement), f"on the {what}{count(found.samples)} samples")
    ratio = decibel_text(analysis.output_sqnr_db)
    ratio = ratio if ratio in ("exact", ABSENT) else f"{ratio} dB"
    yield Figure("Signal to noise", ratio, "at the output of the network")
    if analysis.ranking:
        layer = analysis.layer(analysis.ranking[0])
        figure = layer.output_sqnr_db if analysis.ranked_by == "sensitivity" else layer.score
        how = "dB at the output, quantized alone" if analysis.ranked_by == "sensitivity" else "dB by its own rounding"
        yield Figure("Loses most", layer.name.partition(" (")[0], f"{layer.op}: {decibel_text(figure)} {how}")
