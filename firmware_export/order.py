"""A segment's order of steps as runs that repeat, which is how it is emitted: a prologue, a loop, an epilogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RUN_BYTES = 4
"""What a run costs beside its steps: its length and how often it repeats."""

POSITIONS = 4_000_000
"""Positions of all loops together that are followed up. Beyond that, the same."""

COMPARISONS = 200_000_000
"""Steps compared while looking for loops. Beyond that only the shorter periods of a very long order are tried."""


@dataclass(frozen=True)
class Run:
    """Steps that run one after the other, and then again.

    Attributes:
        steps: The layer of each step.
        times: How often, at least 1; may be beyond 16 bits.
    """

    steps: tuple[int, ...]
    times: int

    @property
    def emitted_bytes(self) -> int:
        """One byte a step, and what every run costs."""
        return len(self.steps) + RUN_BYTES


@dataclass(frozen=True)
class _Repetition:
    """A stretch ``[first, end)`` of the order, as long as it goes, where each step equals the one ``period`` before."""

    period: int
    first: int
    end: int


def compress(order: Sequence[int]) -> tuple[Run, ...]:
    """Cut an order into runs whose repetition, one after the other, gives it back exactly.

    The sum of ``emitted_bytes`` is the least there is for runs without loops inside loops (orders so long that
    ``COMPARISONS`` or ``POSITIONS`` is met: for loops up to a certain length). It is a shortest path over the positions
    of the order: to each leads a stretch that runs once, or one of two and more rounds of a repetition.

    Args:
        order: ``Segment.order``.
    """
    steps = np.asarray(order, np.int32)
    size = len(steps)
    repetitions = sorted(_repetitions(steps), key=lambda item: (item.first, item.period))
    # Up to each position: the least bytes, where its last run begins, and the length of one round of it.
    cost, start, length = [0] * (size + 1), [0] * (size + 1), [0] * (size + 1)
    literal, literal_start = RUN_BYTES, 0    # the least bytes with a last run that runs once and is still open
    active: list[tuple[_Repetition, list[int], list[int]]] = []    # with the best beginning of a loop, by its phase
    coming = 0
    for position in range(1, size + 1):
        literal += 1
        cost[position], start[position], length[position] = literal, literal_start, position - literal_start
        while coming < len(repetitions) and repetitions[coming].first < position:
            found = repetitions[coming]
            active.append((found, [-1] * found.period, [0] * found.period))
            coming += 1
        if any(item[0].end < position for item in active):
            active = [item for item in active if item[0].end >= position]
        for found, begins, costs in active:
            begin = position - 2 * found.period
            if begin < found.first:
                continue
            phase = begin % found.period
            if begins[phase] < 0 or cost[begin] < costs[phase]:
                begins[phase], costs[phase] = begin, cost[begin]
            if costs[phase] + found.period + RUN_BYTES < cost[position]:
                cost[position] = costs[phase] + found.period + RUN_BYTES
                start[position], length[position] = begins[phase], found.period
        if cost[position] + RUN_BYTES < literal:
            literal, literal_start = cost[position] + RUN_BYTES, position
    runs = []
    position = size
    while position:
        first = start[position]
        one = tuple(int(step) for step in steps[first : first + length[position]])
        runs.append(Run(one, (position - first) // length[position]))
        position = first
    runs.reverse()
    assert expand(runs) == tuple(order)    # this is what is emitted, and the order is what was proven
    return tuple(runs)


def expand(runs: Sequence[Run]) -> tuple[int, ...]:
    """The order that runs stand for."""
    return tuple(step for run in runs for step in run.steps * run.times)


def _repetitions(steps: NDArray[np.int32]) -> Iterator[_Repetition]:
    """All maximal stretches of at least two rounds; one whose round is itself a repetition is left out."""
    size, positions = len(steps), 0
    known: dict[tuple[int, int], list[int]] = {}    # (first, end) -> periods
    for period in range(1, min(size // 2, COMPARISONS // max(1, size)) + 1):
        differs = np.flatnonzero(steps[period:] != steps[:-period])
        edges = np.concatenate([[-1], differs, [size - period]])
        for gap in np.flatnonzero(np.diff(edges) > period):
            first, end = int(edges[gap]) + 1, int(edges[gap + 1]) + period
            shorter = known.setdefault((first, end), [])
            if not any(period % one == 0 for one in shorter):
                positions += end - first
                if positions > POSITIONS and period > 1:
                    return
                shorter.append(period)
                yield _Repetition(period, first, end)
