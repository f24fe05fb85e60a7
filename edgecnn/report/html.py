"""The report: one HTML file that holds everything it shows and fetches nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgecnn.errors import MissingDependencyError
from edgecnn.files import write_text
from edgecnn.formats import count, milliseconds, percent, rate, shape_text, size
from edgecnn.report.quantization import HTML_NAME as QUANTIZATION
from edgecnn.report.quantization import decibel_text, points_text
from edgecnn.report.sections import context
from edgecnn.report.view import interval, median_interval, scaled
from edgecnn.results import Results

TEMPLATE = "report.html.j2"


def write_report(results: Results, path: Path, samples: Mapping[int, np.ndarray] | None = None) -> None:
    """Write the report, whole or not at all; the same results give the same bytes.

    Args:
        results: Everything that is shown. What was not measured is left out, with a sentence that says so.
        path: The ``.html`` to write. ``quantization.html`` beside it is linked.
        samples: Raw samples (``edgecnn.data.base.Samples.x``) by their index in the test split, for the pictures of
            ``results.worst``; those that are not there are named without a picture.

    Raises:
        MissingDependencyError: Jinja2 or matplotlib is not installed.
        EdgecnnError: The file cannot be written.
    """
    write_text(path, render(results, samples, analysed=(path.parent / QUANTIZATION).exists()))


def render(results: Results, samples: Mapping[int, np.ndarray] | None = None, analysed: bool = False) -> str:
    """The report's text; see ``write_report``. ``analysed``: there is a ``quantization.html`` to link."""
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
    environment.filters.update(
        percent=percent, size=size, count=count, ms=milliseconds, rate=rate, interval=interval, shape=shape_text,
        median_interval=median_interval, scaled=scaled, db=decibel_text, points=points_text, score=_score,
    )  # fmt: skip
    shown = context(results, samples or {}, QUANTIZATION if analysed else None)
    return environment.get_template(TEMPLATE).render(shown)


def _score(value: float) -> str:
    """What a network gives a class: ``0.982``; of a network without softmax, four digits."""
    return f"{value:.3f}" if abs(value) <= 1 else f"{value:.4g}"
