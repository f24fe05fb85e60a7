"""The order of rows in a segment, and how many rows of each value are alive at once in it.

The order is found by pulling: the last layers ask for their next row, which asks for the rows it needs, and so on up. A
row is thus made when it is first needed, and rings are as large as this very order makes them, never as a formula says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from firmware_export.dataflow import NEVER, Dataflow, Form
from firmware_export.plan import INPUT

UNLIMITED = 1 << 60


class TooMuchWorkError(Exception):
    """A segment whose simulation is not worth what it takes."""


class Work:
    """What planning a program may take altogether, counted: the same program is planned alike on every machine.

    The unit is about what looking at one layer of one segment takes, a third of a microsecond on a desktop of 2020.

    Attributes:
        limit: After so many units no more is looked for, and the best that is known is taken.
        spent: Units until now. May go beyond the limit by what one step of the search takes, and by what is taken.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.spent = 0

    @property
    def left(self) -> int:
        """Units until the limit."""
        return max(0, self.limit - self.spent)


@dataclass(frozen=True)
class Trace:
    """What a simulation found.

    Attributes:
        order: ``Segment.order``.
        rows: By owner of a ring: rows alive at once.
        distances: By an owner that is written and one that dies: how far above the beginning of the first the second
            must begin, in bytes, for the rows written never to meet rows that are still needed.
    """

    order: tuple[int, ...]
    rows: Mapping[int, int]
    distances: Mapping[tuple[int, int], int]


@dataclass(frozen=True)
class Task:
    """A segment to simulate.

    Attributes:
        forms: Its layers in an order in which they can run, in the form that was chosen.
        owner: For every value that they write or read in the arena, and for the pushed input: the value whose memory
            holds its rows, which is itself unless it was written in place.
        rings: Owners whose rows are to be counted.
        lasting: Values that are read after the segment or by the caller.
        pairs: Owners whose distance is to be found: one written, one that dies.
        pushed: The input, if the segment is the first and the input can be pushed.
        deep_first: Layers which, where a step needs rows of several layers, ask those first that stand behind most
            layers. Others ask those last, which is mostly better: they make more of the rows that all share.
    """

    forms: Mapping[int, Form]
    owner: Mapping[int, int]
    rings: frozenset[int]
    lasting: frozenset[int]
    pairs: tuple[tuple[int, int], ...] = ()
    pushed: int | None = None
    deep_first: frozenset[int] = frozenset()

    @property
    def steps(self) -> int:
        """Steps of all layers."""
        return sum(form.layer.steps for form in self.forms.values())


def simulate(flow: Dataflow, task: Task, work: Work | None = None) -> Trace:
    """Run a segment's steps in pull order.

    Args:
        flow: The program.
        task: The segment.
        work: Is spent, and always enough for a segment of one layer; unlimited without it.

    Raises:
        TooMuchWorkError: The segment has several layers, and more to do than is left.
    """
    return _Simulation(flow, task, work or Work(UNLIMITED)).run()


Readers = list[tuple[int, list[int]]]
"""Of some value: layers, and the lowest row that each still needs, by the number of steps that it has done."""


@dataclass(frozen=True)
class _Dying:
    """A value that dies while a layer writes rows of another.

    Attributes:
        pair: The owners of the two.
        readers: Of the one that dies.
        row_bytes: Of its rows.
        written_row_bytes: Of the rows written.
        last_step: The step that writes, if it is only one.
    """

    pair: tuple[int, int]
    readers: Readers
    row_bytes: int
    written_row_bytes: int
    last_step: int | None


class _Simulation:
    """Layers are numbered from 0 on here; the pushed input counts as the last of them."""

    def __init__(self, flow: Dataflow, task: Task, work: Work) -> None:
        self.task, self.work = task, work
        self.forms = list(task.forms.values())
        self.layers = [*task.forms, *([INPUT] if task.pushed is not None else [])]
        self.steps = [form.layer.steps for form in self.forms]
        self.done = [0] * len(self.layers)
        self.order: list[int] = []
        self.needs = self._needs()
        self.rows = dict.fromkeys(sorted(task.rings), 1)
        self.distances = dict.fromkeys(task.pairs, 0)
        self._watch(flow)
        self._find_sinks()

    def _needs(self) -> list[list[tuple[int, list[int]]]]:
        """For each layer: of which layers it needs rows, and by its step how many of their steps."""
        source = {form.layer.output: index for index, form in enumerate(self.forms)}
        pushed = len(self.forms)
        if self.task.pushed is not None:
            source[self.task.pushed] = pushed
        depth = [0] * (pushed + 1)    # the most layers that one after the other stand before a layer
        needs: list[list[tuple[int, list[int]]]] = []
        for index, (layer, form) in enumerate(self.task.forms.items()):
            found = []
            for access in form.accesses:
                if access.value in source:
                    writer = source[access.value]
                    counts = access.counts
                    if writer < pushed and self.forms[writer].at_end:
                        counts = [self.steps[writer] if count else 0 for count in counts]
                    found.append((writer, counts))
            found.sort(key=lambda need: depth[need[0]], reverse=layer in self.task.deep_first)
            needs.append(found)
            depth[index] = 1 + max((depth[writer] for writer, _ in found), default=0)
        return [*needs, []]

    def _watch(self, flow: Dataflow) -> None:
        """What to look at in each step: the ring that a row is written to, and the values that die meanwhile."""
        task, values = self.task, flow.program.values
        readers: dict[int, Readers] = {owner: [] for owner in (*task.rings, *(dying for _, dying in task.pairs))}
        for index, form in enumerate(self.forms):
            for access in form.accesses:
                owner = task.owner.get(access.value)
                if owner in readers:
                    readers[owner].append((index, access.lows))
        self.rings: list[tuple[int, Readers] | None] = []
        self.dying: list[list[_Dying]] = []
        for form in self.forms:
            owner, row_bytes = task.owner.get(form.layer.output, -1), form.layer.row_bytes
            self.rings.append((owner, readers[owner]) if owner in task.rings and not form.at_end else None)
            last_step = form.layer.steps - 1 if form.at_end else None
            self.dying.append(
                [
                    _Dying(pair, readers[pair[1]], values[pair[1]].row_bytes, row_bytes, last_step)
                    for pair in task.pairs
                    if pair[0] == owner
                ]
            )
        self.rings.append((task.pushed, readers[task.pushed]) if task.pushed is not None else None)
        self.dying.append([])

    def _find_sinks(self) -> None:
        """Layers that nobody has to ask, and from how many steps on; and the layers that several of them wait for."""
        wanted = [0] * len(self.needs)
        for needs in self.needs:
            for writer, counts in needs:
                wanted[writer] = max(wanted[writer], max(counts))
        self.sinks: list[tuple[int, int]] = []
        reach: list[set[int]] = [set() for _ in self.needs]
        for index, form in enumerate(self.forms):
            begin = 0 if form.layer.output in self.task.lasting else wanted[index]
            if begin < self.steps[index]:
                self.sinks.append((index, begin))
                reach[index].add(index)
        for index in reversed(range(len(self.forms))):
            for writer, _ in self.needs[index]:
                reach[writer] |= reach[index]
        self.shared = [len(found) > 1 for found in reach]

    def spend(self, units: int) -> None:
        """Count work before it is done."""
        if len(self.forms) > 1 and units > self.work.left:
            raise TooMuchWorkError
        self.work.spent += units

    def units(self, index: int) -> int:
        """Work of a step."""
        ring = self.rings[index]
        readers = sum(1 + len(dying.readers) for dying in self.dying[index]) + (len(ring[1]) if ring else 0)
        return 3 + 3 * len(self.needs[index]) + readers

    def run(self) -> Trace:
        done, steps = self.done, self.steps
        self.spend(sum(count * self.units(index) for index, count in enumerate(steps)))
        if len(self.sinks) == 1:
            self.pull(self.sinks[0][0], steps[self.sinks[0][0]])
        # Several: one that makes others wait for nothing goes first, otherwise the one that is least advanced.
        while left := [index for index, begin in self.sinks if begin <= done[index] < steps[index]]:
            self.spend(len(self.sinks))
            chosen = next((index for index in left if self.is_free(index)), None)
            if chosen is None:
                chosen = min(left, key=lambda index: done[index] / steps[index])
            self.pull(chosen, done[chosen] + 1)
        assert done[: len(steps)] == steps
        return Trace(tuple(self.order), self.rows, self.distances)

    def is_free(self, sink: int) -> bool:
        """Its next step can be done without another one of a layer that other sinks wait for as well."""
        asked: dict[int, int] = {}
        waiting = [(writer, counts[self.done[sink]]) for writer, counts in self.needs[sink]]
        while waiting:
            index, count = waiting.pop()
            self.spend(2)
            known = asked.get(index, self.done[index])
            if known >= count:
                continue
            if self.shared[index] and (index, 0) not in self.sinks:
                return False
            asked[index] = count
            for step in range(known, count):
                waiting += [(writer, counts[step]) for writer, counts in self.needs[index]]
        return True

    def pull(self, sink: int, count: int) -> None:
        """Do steps until ``count`` of a layer are done."""
        done, needs, layers, order, rings, all_rows = (
            self.done, self.needs, self.layers, self.order, self.rings, self.rows,
        )
        stack = [(sink, count)]
        while stack:
            index, count = stack[-1]
            step = done[index]
            if step >= count:
                stack.pop()
                continue
            for writer, counts in needs[index]:
                if done[writer] < counts[step]:
                    stack.append((writer, counts[step]))
                    break
            else:
                ring = rings[index]
                if ring is not None:    # the rows that this step reads count as alive
                    lowest = step
                    for reader, low in ring[1]:
                        if low[done[reader]] < lowest:
                            lowest = low[done[reader]]
                    if step - lowest >= all_rows[ring[0]]:
                        all_rows[ring[0]] = step - lowest + 1
                if self.dying[index]:
                    self.measure(index, step)
                order.append(layers[index])
                done[index] = step + 1

    def measure(self, index: int, step: int) -> None:
        """Note how far a row that is written must stay below the values that die."""
        for dying in self.dying[index]:
            lowest = min(low[self.done[reader]] for reader, low in dying.readers)
            if lowest < NEVER and dying.last_step in (None, step):
                end = dying.written_row_bytes * (1 if dying.last_step is not None else step + 1)
                self.distances[dying.pair] = max(self.distances[dying.pair], end - lowest * dying.row_bytes)
