"""Where to cut a program into segments, for the smallest arena.

Between two segments, a set of layers has run that with a layer contains all those before it. The segments are a path
from the empty set to all layers, over prefixes of the file's order or, where there are not many, over all such sets.
Wanted are, in this order: the fewest bytes in the worst segment; with pushed input, the fewest bytes in the worst
segment; the fewest layers that stand in a segment with others; the fewest segments.

To weigh a segment is to simulate it, so that is put off: every segment has a bound that costs nearly nothing, the best
path is found with bounds in place of weights, what is on it is weighed, and so on until all of it is. As bounds are
never too high, that path is the best one. If that goes beyond what planning may take, what is not weighed yet is given
up: what is left is weighed segments, and each layer alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from firmware_export.dataflow import Dataflow
from firmware_export.segments import Segments
from firmware_export.simulate import TooMuchWorkError
from firmware_export.stages import Stage

STATES = 150
"""Sets of layers between segments that are looked at; if there are more, only prefixes of the file's order."""

LONGEST = 250
"""Layers of a segment: a step is emitted as a byte."""

VISITS = 1_000_000
"""Layers that all segments may have together; limits their length in networks of hundreds of layers."""

UNREACHED = np.int64(1) << 60

Matrix = NDArray[np.int64]


def best_stages(segments: Segments) -> tuple[Stage, ...]:
    """The best segments, in the order in which they run."""
    return _Cuts(segments).find()


def states_of(flow: Dataflow, limit: int = STATES) -> tuple[int, ...]:
    """Sets of layers that may have run, as masks: no layer without those it reads from. Smaller ones first."""
    count = len(flow.program.layers)
    before = [
        sum(1 << flow.writer[access.value] for access in forms[0].accesses if access.value in flow.writer)
        for forms in flow.forms
    ]
    found, latest = {0}, [0]
    while latest and len(found) <= limit:
        latest = sorted(
            {
                state | 1 << layer
                for state in latest
                for layer in range(count)
                if not state >> layer & 1 and not before[layer] & ~state
            }
        )
        found.update(latest)
    if len(found) > limit:
        found = {(1 << size) - 1 for size in range(count + 1)}
    return tuple(sorted(found, key=lambda state: (bin(state).count("1"), state)))


class _Cuts:
    """What is known of every segment: from state i to state j, at ``[i, j]``."""

    def __init__(self, segments: Segments) -> None:
        self.segments = segments
        self.states = states_of(segments.flow)
        count = len(self.states)
        self.bytes: Matrix = np.full((count, count), UNREACHED)
        self.with_push: Matrix = np.full((count, count), UNREACHED)
        self.price: Matrix = np.full((count, count), UNREACHED)    # streamed layers first, then segments
        self.weighed: dict[tuple[int, int], Stage] = {}
        layers = len(segments.flow.program.layers)
        longest = min(LONGEST, max(1, isqrt(2 * VISITS // count)))
        sizes = [bin(state).count("1") for state in self.states]
        self.alone: list[tuple[int, int]] = []    # segments of one layer, in the file's order: a path in any case
        for i, before in enumerate(self.states):
            for j in range(i + 1, count):
                size = sizes[j] - sizes[i]
                if size > longest and (i, j) != (0, count - 1):
                    continue
                after = self.states[j]
                in_file_s_order = size == 1 and not before & (before + 1) and not after & (after + 1)
                if in_file_s_order:
                    self.alone.append((i, j))
                if before & ~after or size > LONGEST or not (in_file_s_order or segments.work.left):
                    continue
                bound = segments.bound(before, after)
                self.note(i, j, bound.bytes, bound.pushed_bytes)
                self.price[i, j] = (size * (layers + 1) if size > 1 else 0) + 1

    def note(self, i: int, j: int, size: int, pushed: int) -> None:
        """Set what is known of a segment."""
        self.bytes[i, j], self.with_push[i, j] = size, size + pushed

    def find(self) -> tuple[Stage, ...]:
        """The best path, all of it weighed."""
        given_up = False
        if self.price[0, -1] < UNREACHED:    # all depth first: what is known should the rest be given up
            self.weigh(0, len(self.states) - 1)
        while True:
            path = self.best_path()
            unknown = [edge for edge in path if edge not in self.weighed]
            if not unknown:
                return tuple(self.weighed[edge] for edge in path)
            if not self.segments.work.left and not given_up:
                given_up = True
                self.give_up()
                continue
            for i, j in unknown:
                bound = self.bytes[i, j]
                self.weigh(i, j)
                if self.bytes[i, j] > bound:
                    break    # there may be a better path now

    def weigh(self, i: int, j: int) -> None:
        """Replace a bound by what a simulation says; leave out what it would take too long to simulate."""
        try:
            stage = self.segments.weigh(self.states[i], self.states[j])
        except TooMuchWorkError:
            self.leave_out(i, j)
            return
        self.weighed[i, j] = stage
        self.note(i, j, stage.bytes, stage.pushed_bytes)

    def give_up(self) -> None:
        """Leave out the segments that are not weighed, but for each layer alone, which is weighed now."""
        for i, j in self.alone:
            if (i, j) not in self.weighed:
                self.weigh(i, j)
        for i, j in np.argwhere(self.price < UNREACHED).tolist():
            if (i, j) not in self.weighed:
                self.leave_out(i, j)

    def leave_out(self, i: int, j: int) -> None:
        """Set that a segment is none to take."""
        self.bytes[i, j] = self.with_push[i, j] = self.price[i, j] = UNREACHED

    def best_path(self) -> Sequence[tuple[int, int]]:
        """By what is known now."""
        self.segments.work.spent += len(self.states) * 40 + len(self.states) ** 2 // 16
        worst = self.least_worst(self.bytes)
        allowed = self.bytes <= worst
        worst_with_push = self.least_worst(np.where(allowed, self.with_push, UNREACHED))
        price = np.where(allowed & (self.with_push <= worst_with_push), self.price, UNREACHED)
        count = len(self.states)
        reached = np.full(count, UNREACHED)
        previous = np.zeros(count, np.int64)
        reached[0] = 0
        for j in range(1, count):
            prices = np.minimum(reached[:j] + price[:j, j], UNREACHED)
            previous[j] = int(prices.argmin())
            reached[j] = prices[previous[j]]
        path = []
        j = count - 1
        while j:
            path.append((int(previous[j]), j))
            j = int(previous[j])
        return path[::-1]

    def least_worst(self, cost: Matrix) -> np.int64:
        """The worst segment of the path whose worst segment is best."""
        count = len(self.states)
        worst = np.full(count, UNREACHED)
        worst[0] = 0
        for j in range(1, count):
            worst[j] = np.maximum(worst[:j], cost[:j, j]).min()
        last: np.int64 = worst[count - 1]
        return last
