"""Results as people read them: a terminal table, Markdown for a README, one self-contained HTML file, plots."""

from __future__ import annotations

from edgecnn.report.html import write_report
from edgecnn.report.markdown import markdown
from edgecnn.report.outputs import write_outputs
from edgecnn.report.plots import learning_curve_png
from edgecnn.report.terminal import terminal_table

__all__ = ["learning_curve_png", "markdown", "terminal_table", "write_outputs", "write_report"]
