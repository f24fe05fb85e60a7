"""When a warm-up has done its work: block after block takes the same time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

BLOCK_S = 0.02
"""A block of warm-up runs lasts at least that long: clocks step and caches fill within it, not from run to run."""

AGREEING = 5
"""So many blocks in a row must agree."""

TOLERANCE = 0.05
"""They agree when their medians lie within this share of the middle one."""

LIMIT_S = 2.0
"""A warm-up that has not settled by then is given up, and the figures say so."""


def is_steady(medians: Sequence[float]) -> bool:
    """Whether the last ``AGREEING`` blocks agree.

    Args:
        medians: Of each block so far, in any unit of time.
    """
    last = medians[-AGREEING:]
    return len(last) == AGREEING and max(last) - min(last) <= TOLERANCE * float(np.median(last))


def warm_up(
    run: Callable[[int], list[float]],
    at_least: int,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[int, bool]:
    """Run block after block until they agree, or until the time is over.

    Args:
        run: Makes so many inferences and returns the milliseconds of each.
        at_least: Runs that are made in any case.
        seconds: The limit; it does not cut ``at_least`` short.
        clock: Seconds.

    Returns:
        Number of runs, and whether latency has settled.
    """
    begin, runs, size = clock(), 0, 1
    medians: list[float] = []
    while True:
        taken = run(size)
        runs += size
        medians.append(float(np.median(taken)))
        if runs >= at_least and (is_steady(medians) or clock() - begin >= seconds):
            return runs, is_steady(medians)
        wanted = max(1, round(BLOCK_S * 1e3 / max(medians[-1], 1e-6)))
        if wanted > 2 * size:    # the first block is one run: its successors are long enough to be compared
            size, medians = wanted, []
