"""ADD and SUB of int8 as a sum of two products, ``kernels/portable/add_scaled.h``, where factors for it are found.

TFLite Micro rounds three times (``addition``). A sum of two products is rounded once, but there are only 65,536 pairs
of inputs: the compiler looks at all of them, and at some factors near the real ones. Ties, which TFLite Micro rounds
away from zero, are what may keep it from finding any.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

BITS = 22
"""Of sums and factors, behind the point."""

TRIES = 5
"""Neighbours of each factor that are tried."""

EVERY = np.arange(-128, 128, dtype=np.int64)
"""What an operand may be."""

WORD = 1 << 31


def scaled_addition(
    scales: tuple[float, float], wanted: NDArray[np.int64], low: int, high: int
) -> tuple[int, int, int] | None:
    """Factors of both operands and an offset, such that ``first * a + second * b + offset >> BITS`` is right; or None.

    For given factors, each pair of inputs bounds the offset: on both sides, except where its result is cut off.

    Args:
        scales: Of the operands, divided by the output's; negative where one is subtracted.
        wanted: The result for each pair of inputs, ``[256][256]``, from -128 on.
        low: Its lowest value.
        high: Its highest.
    """
    is_low, is_high = wanted <= low, wanted >= high
    for first, second in _nearby(*scales):
        if 128 * (abs(first) + abs(second)) >= WORD:
            continue
        sums = (EVERY * first)[:, np.newaxis] + (EVERY * second)[np.newaxis]
        exact = (wanted << BITS) - sums
        least = int(np.where(is_low, -(1 << 62), exact).max())
        most = int(np.where(is_high, 1 << 62, exact + (1 << BITS) - 1).min())
        # What is cut off must not leave a word; and a constant result says nothing about the offset.
        largest = int(np.abs(sums).max())
        least, most = max(least, largest - WORD), min(most, WORD - 1 - largest)
        if least <= most:
            return first, second, (least + most) // 2
    return None


def _nearby(first: float, second: float) -> Iterator[tuple[int, int]]:
    """Factors near two real ones, the nearest first."""
    whole = [round(factor * (1 << BITS)) for factor in (first, second)]
    steps = sorted(range(-TRIES, TRIES + 1), key=abs)
    for distance in range(2 * TRIES + 1):
        yield from ((whole[0] + a, whole[1] + b) for a in steps for b in steps if abs(a) + abs(b) == distance)
