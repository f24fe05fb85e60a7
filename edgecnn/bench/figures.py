"""What a row of latencies says: the median with its interval, outliers, the ratio of two.

Runs that follow each other are alike: a slow moment slows many of them. And each process has a bias of its own, since
where its memory lies decides how well its caches work (Mytkowicz et al. 2009, "Producing wrong data without doing
anything obviously wrong", ASPLOS; Kalibera and Jones 2013, "Rigorous benchmarking in reasonable time", ISMM). So an
entry is measured in turns spread over the whole time, by several processes one after the other, and the bootstrap
resamples processes, and within each its turns: never single runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.statistics import Z95, Interval

RESAMPLES = 2000

_CELLS = 1_000_000    # of a table of draws in memory

OUTLIER = 1.5
"""Tukey's upper fence is so many interquartile ranges above the upper quartile (1977, Exploratory Data Analysis)."""

# The 97.5 % point of Student's t distribution by its degrees of freedom, from 1.
_T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)    # fmt: skip


@dataclass(frozen=True)
class Turns:
    """Latencies in the turns in which they were measured.

    Attributes:
        processes: For each process its turns, each ``[n]`` milliseconds; no turn is empty.
    """

    processes: tuple[tuple[np.ndarray, ...], ...]

    @property
    def latencies(self) -> np.ndarray:
        """All of them, in the order of time."""
        return np.concatenate([turn for turns in self.processes for turn in turns])

    @property
    def sizes(self) -> list[list[int]]:
        """Runs in each turn, by process."""
        return [[len(turn) for turn in turns] for turns in self.processes]


def turns_of(latencies: Sequence[float], sizes: Sequence[Sequence[int]]) -> Turns:
    """Latencies and the sizes of their turns, as ``results.json`` holds them, put together again.

    Raises:
        ValueError: They do not fit each other.
    """
    values = np.asarray(latencies, dtype=np.float64)
    flat = [size for process in sizes for size in process]
    if sum(flat) != len(values) or 0 in flat or not flat:
        raise ValueError("the turns do not add up to the runs")
    parts = iter(np.split(values, np.cumsum(flat)[:-1]))
    return Turns(tuple(tuple(next(parts) for _ in process) for process in sizes))


def bootstrap_medians(turns: Turns, stream: int = 0) -> np.ndarray:
    """Medians that other measurements of the same kind might have given.

    Processes are drawn with replacement, and of each its turns; of one process its turns alone, and of one turn its
    runs. Few of what is drawn vary less than they should: what lies around the median is stretched by Student's t
    over the normal distribution's point and by ``sqrt(n / (n - 1))`` (Hesterberg 2015, "What teachers should know
    about the bootstrap", The American Statistician 69:371, section 4.1).

    Args:
        turns: What was measured.
        stream: Another one gives other draws; the same one always the same.

    Returns:
        ``[RESAMPLES]`` milliseconds.
    """
    processes = turns.processes
    if len(processes) == 1:
        only = processes[0]
        processes = tuple((turn,) for turn in only) if len(only) > 1 else tuple((run,) for run in only[0][:, None])
    counts = _drawn([len(turns) for turns in processes], np.random.default_rng([2026, stream]))
    medians = _medians([turn for turns in processes for turn in turns], counts)
    middle = float(np.median(turns.latencies))
    return np.maximum(middle + _stretch(len(processes)) * (medians - middle), 0.0)


def median_interval(turns: Turns) -> Interval:
    """The median with the 95 % interval in which it falls when the same command is run again.

    That of the median itself is narrower by ``sqrt(2)``: a second measurement errs as much as the first.
    """
    middle = float(np.median(turns.latencies))
    low, high = np.percentile(bootstrap_medians(turns), (2.5, 97.5))
    wide = math.sqrt(2)
    return Interval(
        middle, max(0.0, middle - wide * max(0.0, middle - float(low))), middle + wide * max(0.0, float(high) - middle)
    )


def median_ratio(over: Turns, under: Turns, paired: bool = False) -> Interval:
    """The ratio of two medians with its 95 % interval.

    Args:
        over: What is divided.
        under: What it is divided by.
        paired: Their turns are as many, and alternated: the same ones are drawn of both, and what slowed both cancels.
            Otherwise they were measured independently of each other.
    """
    value = float(np.median(over.latencies)) / float(np.median(under.latencies))
    above, below = bootstrap_medians(over, 1), bootstrap_medians(under, 1 if paired else 2)
    low, high = np.percentile(above / np.maximum(below, 1e-9), (2.5, 97.5))
    return Interval(value, min(value, float(low)), max(value, float(high)))


def outliers(latencies: np.ndarray) -> int:
    """Runs above Tukey's upper fence."""
    lower, upper = np.percentile(latencies, (25, 75))
    return int(np.sum(latencies > upper + OUTLIER * (upper - lower)))


def _drawn(turns: list[int], generator: np.random.Generator) -> np.ndarray:
    """How often each turn is drawn, ``[RESAMPLES, sum(turns)]``: as many processes as there are, of each its turns.

    Args:
        turns: Of each process.
        generator: What draws.
    """
    lengths, first = np.array(turns), np.cumsum([0, *turns[:-1]])
    counts = np.zeros((RESAMPLES, sum(turns)), dtype=np.int32)
    rows = np.arange(RESAMPLES)
    for _ in turns:
        process = generator.integers(0, len(turns), RESAMPLES)
        for number in range(max(turns)):
            turn = first[process] + generator.integers(0, lengths[process])
            counts[rows, turn] += number < lengths[process]
    return counts


def _medians(turns: list[np.ndarray], counts: np.ndarray) -> np.ndarray:
    """The median of each row of draws, without writing the draws out: values in order, each as often as its turn."""
    values, owner = np.concatenate(turns), np.repeat(np.arange(len(turns)), [len(turn) for turn in turns])
    order = np.argsort(values, kind="stable")
    values, owner = values[order], owner[order]
    medians = np.empty(len(counts))
    at_once = max(1, _CELLS // len(values))
    for start in range(0, len(counts), at_once):
        upto = np.cumsum(counts[start : start + at_once, owner], axis=1)
        total = upto[:, -1:]
        below, above = ((upto <= place).sum(axis=1) for place in ((total - 1) // 2, total // 2))
        medians[start : start + at_once] = (values[below] + values[above]) / 2
    return medians


def _stretch(drawn: int) -> float:
    if drawn < 2:
        return 1.0
    quantile = _T95[drawn - 2] if drawn - 2 < len(_T95) else Z95
    return quantile / Z95 * math.sqrt(drawn / (drawn - 1))
