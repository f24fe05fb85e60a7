"""The files that a measurement leaves in a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from edgecnn.errors import MissingDependencyError
from edgecnn.files import write_text
from edgecnn.report.html import write_report
from edgecnn.report.markdown import markdown
from edgecnn.results import Results, write_results
from edgecnn.runs import REPORT, RESULTS

MARKDOWN = "results.md"


def write_outputs(
    results: Results,
    folder: Path,
    warn: Callable[[str], None] | None = None,
    samples: Mapping[int, np.ndarray] | None = None,
) -> list[Path]:
    """Write ``results.json``, ``results.md`` and, where its packages are installed, ``report.html``.

    Args:
        results: What was measured.
        folder: Made where it does not exist.
        warn: Told when there is no report because a package is missing.
        samples: Raw samples of the test split by index, for the pictures of ``results.worst``.

    Returns:
        The files written.

    Raises:
        EdgecnnError: The folder cannot be written to.
    """
    written = [folder / RESULTS, folder / MARKDOWN]
    write_results(written[0], results)
    write_text(written[1], markdown(results))
    try:
        write_report(results, folder / REPORT, samples)
    except MissingDependencyError as error:
        if warn is not None:
            warn(f"no {REPORT}: {error}")
    else:
        written.append(folder / REPORT)
    return written
