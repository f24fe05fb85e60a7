"""How figures are written for people: the same in the terminal, in Markdown and in the report."""

from __future__ import annotations

import math
from collections.abc import Sequence

ABSENT = "–"
"""What stands where nothing was measured."""


def percent(value: float | None, digits: int = 2) -> str:
    """0.9123 as ``91.23 %``; an absent value as a dash."""
    return ABSENT if value is None else f"{value * 100:.{digits}f} %"


def size(count: int | None) -> str:
    """Bytes with a unit of 1000: ``98.5 kB``."""
    if count is None:
        return ABSENT
    if count < 1000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1000:.1f} kB"
    if count < 1_000_000_000:
        return f"{count / 1_000_000:.2f} MB"
    return f"{count / 1_000_000_000:.2f} GB" if count < 10**15 else f"{count:.2e} B"


def milliseconds(value: float) -> str:
    """At least three significant digits down to 10 ns, without the unit: ``0.00421``, ``0.132``, ``12.4``, ``1234``."""
    if not math.isfinite(value):
        return ABSENT
    if 0 < value < 0.1:
        decimals = min(5, 2 - math.floor(math.log10(value)))
        return f"{value:.{decimals}f}"
    if value < 10:
        return f"{value:.3f}"
    if value < 1000:
        return f"{value:.1f}"
    return f"{value:.0f}" if value < 1e7 else f"{value:.2e}"


def count(value: int | None) -> str:
    """A whole number with thousands set apart: ``10,000``; an absent value as a dash."""
    return ABSENT if value is None else f"{value:,}"


def rate(value: float) -> str:
    """Inferences per second: ``7,576``, ``12.4``, ``0.132``."""
    if not math.isfinite(value):
        return ABSENT
    if value < 10:
        return f"{value:.3f}"
    if value < 1000:
        return f"{value:.1f}"
    return f"{value:,.0f}" if value < 1e9 else f"{value:.2e}"


def shape_text(shape: Sequence[int]) -> str:
    """``(28, 28, 1)`` as ``28×28×1``; no dimension at all as ``scalar``."""
    return "×".join(map(str, shape)) or "scalar"
