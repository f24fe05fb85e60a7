"""Two measurements side by side: how much faster, larger, better, and whether that is more than noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from edgecnn.bench.figures import Turns, median_ratio, turns_of
from edgecnn.errors import EdgecnnError
from edgecnn.files import is_there
from edgecnn.results import BoardEntry, Entry, Results
from edgecnn.runs import RESULTS, find_run

Measurement = TypeVar("Measurement", Entry, BoardEntry)


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pair(_Record):
    """A figure of both."""

    a: float
    b: float

    @property
    def ratio(self) -> float | None:
        """b / a; None where a is 0."""
        return self.b / self.a if self.a else None


class EntryComparison(_Record):
    """One runtime on one machine. Ratios are B over A: above 1, B takes longer."""

    device: str
    runtime: str
    precision: str
    threads: int
    artefacts: tuple[str, str]
    p50_ms: Pair
    ratio: float
    ratio_low: float = Field(description="Lower end of the 95 % interval of the ratio.")
    ratio_high: float
    verdict: Literal["noise", "faster", "slower"] = Field(description="B against A; noise: the interval holds 1.")
    size_bytes: Pair
    peak_rss_bytes: Pair | None
    accuracy: Pair | None
    difference: float | None = Field(description="Accuracy of B minus that of A, a share.")
    difference_low: float | None
    difference_high: float | None
    accuracy_verdict: Literal["noise", "better", "worse"] | None


class BoardComparison(_Record):
    """One board. Its figures are exact: any difference is one."""

    target: str
    precision: str
    optimization: str
    artefacts: tuple[str, str]
    instructions: Pair
    arena_bytes: Pair
    stack_bytes: Pair | None
    code_bytes: Pair | None
    weights_bytes: Pair | None


class Comparison(_Record):
    """All that both have, in the order of A."""

    a: str
    b: str
    entries: list[EntryComparison]
    boards: list[BoardComparison]
    only_a: list[str] = Field(description="What B has no counterpart of.")
    only_b: list[str]
    notes: list[str]


def results_file(reference: str) -> Path:
    """The ``results.json`` that an argument means: the file, the folder that it lies in, or a run by name.

    Raises:
        UsageError: There is no such thing.
        EdgecnnError: It was not measured yet.
    """
    path = Path(reference)
    if is_there(path) and path.is_file():
        return path
    if is_there(path / RESULTS):
        return path / RESULTS
    run = find_run(reference)
    if not run.file(RESULTS).is_file():
        raise EdgecnnError(f"{run.path} has no {RESULTS} yet. Measure it: edgecnn bench {reference}")
    return run.file(RESULTS)


def compare(a: Results, b: Results, names: tuple[str, str]) -> Comparison:
    """What changes from A to B, for each runtime, precision, number of threads and device that both have.

    Args:
        a: A measurement.
        b: Another one.
        names: What they are called.

    Raises:
        EdgecnnError: The turns of an entry do not add up to its runs: the document was changed.
    """
    entries, entries_a, entries_b = _matched(a.entries, b.entries, _entry_key)
    boards, boards_a, boards_b = _matched(a.boards, b.boards, _board_key)
    return Comparison(
        a=names[0],
        b=names[1],
        entries=[_entries(one, other) for one, other in entries],
        boards=[_boards(one, other) for one, other in boards],
        only_a=[*map(_entry_name, entries_a), *map(_board_name, boards_a)],
        only_b=[*map(_entry_name, entries_b), *map(_board_name, boards_b)],
        notes=_notes(a, b),
    )


def _matched(
    left: Sequence[Measurement], right: Sequence[Measurement], key: Callable[[Measurement], Hashable]
) -> tuple[list[tuple[Measurement, Measurement]], list[Measurement], list[Measurement]]:
    """Pairs of one key, and what is left of either; of several with one key, those of one name go together first."""
    rest = list(right)
    pairs: dict[int, Measurement] = {}
    for by_name in (True, False):
        for index, one in enumerate(left):
            if index in pairs:
                continue
            alike = (other for other in rest if key(other) == key(one) and _may_pair(one, other, by_name))
            found = next(alike, None)
            if found is not None:
                pairs[index] = found
                rest.remove(found)
    alone = [one for index, one in enumerate(left) if index not in pairs]
    return [(left[index], pairs[index]) for index in sorted(pairs)], alone, rest


def _may_pair(one: Measurement, other: Measurement, by_name: bool) -> bool:
    return not by_name or one.artefact == other.artefact


def _entry_key(entry: Entry) -> Hashable:
    return entry.device, entry.runtime, entry.precision, entry.threads


def _board_key(board: BoardEntry) -> Hashable:
    return board.target, board.precision, board.optimization


def _entry_name(entry: Entry) -> str:
    threads = f", {entry.threads} threads" if entry.threads > 1 else ""
    return f"{entry.artefact} on {entry.runtime}{f' at {entry.device}' if entry.device else ''}{threads}"


def _board_name(board: BoardEntry) -> str:
    return f"{board.artefact} on {board.target}"


def entry_turns(entry: Entry) -> Turns:
    """The runs of an entry in their turns and processes.

    Raises:
        EdgecnnError: They do not add up.
    """
    blocks = iter(entry.blocks)
    processes = entry.processes or [len(entry.blocks)]
    try:
        return turns_of(entry.latencies_ms, [[next(blocks) for _ in range(turns)] for turns in processes])
    except (ValueError, RuntimeError, StopIteration) as error:
        raise EdgecnnError(
            f"{_entry_name(entry)}: blocks, processes and latencies_ms do not fit each other, so the file was changed. "
            "Measure again: edgecnn bench"
        ) from error


def _entries(one: Entry, other: Entry) -> EntryComparison:
    ratio = median_ratio(entry_turns(other), entry_turns(one))
    noise = ratio.low <= 1 <= ratio.high
    difference = low = high = None
    if one.accuracy is not None and other.accuracy is not None:
        difference, low, high = _difference(one, other)
    return EntryComparison(
        device=one.device,
        runtime=one.runtime,
        precision=one.precision,
        threads=one.threads,
        artefacts=(one.artefact, other.artefact),
        p50_ms=Pair(a=one.p50_ms, b=other.p50_ms),
        ratio=ratio.value,
        ratio_low=ratio.low,
        ratio_high=ratio.high,
        verdict="noise" if noise else "faster" if ratio.value < 1 else "slower",
        size_bytes=Pair(a=one.size_bytes, b=other.size_bytes),
        peak_rss_bytes=_pair(one.peak_rss_bytes, other.peak_rss_bytes),
        accuracy=_pair(one.accuracy, other.accuracy),
        difference=difference,
        difference_low=low,
        difference_high=high,
        accuracy_verdict=_accuracy_verdict(low, high),
    )


def _difference(one: Entry, other: Entry) -> tuple[float, float, float]:
    """Accuracy of ``other`` minus that of ``one``, with the 95 % interval from those of both.

    Newcombe's method 10 (1998, Statistics in Medicine 17:873), which takes the samples as independent: on the same
    samples the interval is too wide rather than too narrow.
    """
    assert one.accuracy is not None and other.accuracy is not None
    value = other.accuracy - one.accuracy
    if one.sha256 == other.sha256 and one.samples == other.samples and value == 0:
        return 0.0, 0.0, 0.0
    one_low, one_high = _ends(one)
    other_low, other_high = _ends(other)
    below = math.hypot(other.accuracy - other_low, one_high - one.accuracy)
    above = math.hypot(other_high - other.accuracy, one.accuracy - one_low)
    return value, value - below, value + above


def _ends(entry: Entry) -> tuple[float, float]:
    assert entry.accuracy is not None
    low = entry.accuracy if entry.accuracy_low is None else entry.accuracy_low
    return low, entry.accuracy if entry.accuracy_high is None else entry.accuracy_high


def _accuracy_verdict(low: float | None, high: float | None) -> Literal["noise", "better", "worse"] | None:
    if low is None or high is None:
        return None
    return "better" if low > 0 else "worse" if high < 0 else "noise"


def _boards(one: BoardEntry, other: BoardEntry) -> BoardComparison:
    return BoardComparison(
        target=one.target,
        precision=one.precision,
        optimization=one.optimization,
        artefacts=(one.artefact, other.artefact),
        instructions=Pair(a=one.instructions, b=other.instructions),
        arena_bytes=Pair(a=one.arena_bytes, b=other.arena_bytes),
        stack_bytes=_pair(one.stack_bytes, other.stack_bytes),
        code_bytes=_pair(one.code_bytes, other.code_bytes),
        weights_bytes=_pair(one.weights_bytes, other.weights_bytes),
    )


def _pair(a: float | None, b: float | None) -> Pair | None:
    return None if a is None or b is None else Pair(a=a, b=b)


def _notes(a: Results, b: Results) -> list[str]:
    """What makes the comparison one of different things."""
    found = []
    if a.model.name != b.model.name:
        found.append(f"A is {a.model.name}, B is {b.model.name}.")
    if a.device.cpu != b.device.cpu:
        found.append(f"A was measured on {a.device.cpu}, B on {b.device.cpu}: ratios of latency compare machines too.")
    if a.data is not None and b.data is not None:
        if (a.data.set, a.data.sha256) != (b.data.set, b.data.sha256):
            found.append(f"Accuracy of A is on {a.data.set}, that of B on {b.data.set}: not the same samples.")
        elif a.data.samples != b.data.samples:
            found.append(f"Accuracy of A is on {a.data.samples} samples, that of B on {b.data.samples}.")
    for name, one in (("A", a), ("B", b)):
        if any(len(entry.processes) < 2 for entry in one.entries):
            found.append(
                f"In {name}, one process took all turns: intervals do not hold what differs between processes. "
                "Measure with more --runs."
            )
        if any(not entry.steady for entry in one.entries):
            found.append(f"In {name}, latency had not settled everywhere; see its notes.")
    return found
