"""A segment with all choices made: simulated, and what it costs.

In the arena while a segment runs: values that were made whole before and are read in it or later, values that it makes
whole for later, rings of rows of all others, sums, and the scratch memory of one layer at a time. A value that dies in
the segment and one that is made in it may overlap (one such pair a segment).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import lcm

import numpy as np

from firmware_export.dataflow import Dataflow, Form
from firmware_export.layer import Layer, Program
from firmware_export.memory import Overlap, aligned
from firmware_export.simulate import Task, Trace, Work, simulate

PAIRS = 8
"""Pairs of a value that dies and one that is made whose overlap is measured."""


@dataclass(frozen=True)
class Choices:
    """What is free in a segment.

    Attributes:
        forms: Of each layer, accumulating or not.
        in_place: For values written in place: the value whose memory they take over.
        deep_first: See ``Task``.
    """

    forms: Mapping[int, Form]
    in_place: Mapping[int, int]
    deep_first: frozenset[int]


@dataclass(frozen=True)
class Stage:
    """A segment with its choices.

    Attributes:
        layers: Ascending.
        choices: What was chosen.
        trace: Order of steps, and rows alive.
        rings: By the value that it was made for: rows of each ring.
        overlaps: Ways in which one value that dies and one that is made may overlap; ``below`` and ``above`` are
            values. The second way, if there is one, makes the rows from the last to the first.
        bytes: Of the arena while it runs.
        saved: Of those that the overlap saves: they are not in ``bytes``.
        pushed_bytes: What pushed input adds to that.
    """

    layers: tuple[int, ...]
    choices: Choices
    trace: Trace
    rings: Mapping[int, int]
    overlaps: tuple[Overlap, ...]
    bytes: int
    saved: int
    pushed_bytes: int


@dataclass(frozen=True)
class Around:
    """What of a segment does not depend on choices. Sets of layers are masks: bit i is layer i.

    Attributes:
        before: Layers that have run.
        after: The same with the segment's.
        layers: The segment's, ascending.
        alive: Values of the arena made before it that it or a later one reads.
        made: Values of the arena that it makes.
        crossing: Those of them that later ones read.
    """

    before: int
    after: int
    layers: tuple[int, ...]
    alive: tuple[int, ...]
    made: tuple[int, ...]
    crossing: tuple[int, ...]


class Context:
    """A program, with what all its segments ask for.

    Attributes:
        flow: The program.
        sizes: Bytes of each value, aligned.
        read_mask: By value: the layers that read it, as a mask.
        replaceable: By layer: values whose rows it may overwrite by its own, if nobody else needs them any more.
        work: What may be done.
    """

    def __init__(self, flow: Dataflow, work: Work) -> None:
        self.flow, self.work = flow, work
        self.sizes = [aligned(value.nbytes) for value in flow.program.values]
        self.read_mask = {value: sum(1 << layer for layer in layers) for value, layers in flow.readers.items()}
        self.replaceable = [tuple(_replaceable(flow, forms[0].layer)) for forms in flow.forms]
        self._outputs = [layer.output if layer.output in flow.arena else None for layer in flow.program.layers]
        self._alive: tuple[int, tuple[int, ...]] = (0, ())    # of the latest ``before``: most often asked for again

    def alive(self, before: int) -> tuple[int, ...]:
        """Values of the arena made before a segment that it or a later one reads."""
        if self._alive[0] != before:
            masks = self.read_mask
            found = (value for index, value in enumerate(self._outputs[: before.bit_length()]) if before >> index & 1)
            self._alive = before, tuple(value for value in found if value is not None and masks[value] & ~before)
        return self._alive[1]

    def around(self, before: int, after: int) -> Around:
        """The segment of the layers that are in ``after`` and not in ``before``."""
        mask, later = after & ~before, ~after
        first = (mask & -mask).bit_length() - 1
        layers = tuple(index for index in range(first, mask.bit_length()) if mask >> index & 1)
        outputs = [self._outputs[layer] for layer in layers]
        made = tuple(value for value in outputs if value is not None)
        return Around(
            before=before,
            after=after,
            layers=layers,
            alive=self.alive(before),
            made=made,
            crossing=tuple(value for value in made if self.read_mask[value] & later),
        )

    def taken_over(self, around: Around, layer: int) -> list[int]:
        """Values in whose place a layer may write: they die there, all other readers ran in earlier segments."""
        return [value for value in self.replaceable[layer] if self.read_mask[value] & ~around.before == 1 << layer]

    def pushed_bytes(self, around: Around, rows: int) -> int:
        """What the pushed input adds to a segment, if the first one has a ring of so many rows of it."""
        pushed = self.flow.pushed
        if pushed is None:
            return 0
        if around.before:
            return self.sizes[pushed] if self.read_mask[pushed] & ~around.before else 0
        if self.read_mask[pushed] & ~around.after:
            return self.sizes[pushed]
        return aligned(rows * self.flow.program.values[pushed].row_bytes)

    def stage(self, around: Around, choices: Choices) -> Stage:
        """Simulate a segment.

        Raises:
            TooMuchWorkError: See ``simulate``.
        """
        flow, values, forms = self.flow, self.flow.program.values, choices.forms
        owner = {value: value for value in around.alive}
        for value in around.made:
            owner[value] = owner[choices.in_place[value]] if value in choices.in_place else value
        whole = {owner[value] for value in around.crossing}
        new = sorted(whole - set(around.alive))
        dying = [value for value in around.alive if not self.read_mask[value] & ~around.after and value not in whole]
        self.work.spent += 3 * (len(around.layers) + len(new) * len(dying)) + len(around.alive)
        pairs = sorted(
            ((made, dies) for made in new for dies in dying),
            key=lambda pair: -min(self.sizes[pair[0]], self.sizes[pair[1]]),
        )
        rings = set(owner.values()) - set(around.alive) - whole
        pushed = flow.pushed if not around.before else None
        if pushed is not None:
            owner[pushed] = pushed
            rings.add(pushed)
        task = Task(
            forms=forms,
            owner=owner,
            rings=frozenset(rings),
            lasting=frozenset(around.crossing) | frozenset(flow.program.outputs),
            pairs=tuple(pairs[:PAIRS]),
            pushed=pushed,
            deep_first=choices.deep_first,
        )
        trace = simulate(flow, task, self.work)
        kept = self._kept(task, trace.rows)
        if pushed is not None and self.read_mask[pushed] & ~around.after:
            kept[pushed] = values[pushed].rows
        total = sum(self.sizes[value] for value in (*around.alive, *new))
        total += sum(aligned(rows * values[ring].row_bytes) for ring, rows in kept.items() if ring != pushed)
        total += sum(aligned(form.layer.sums_bytes) for form in forms.values())
        total += max(aligned(form.layer.scratch_bytes) for form in forms.values())
        saved, overlaps = self._overlap(around, task, trace)
        return Stage(
            layers=around.layers,
            choices=choices,
            trace=trace,
            rings=kept,
            overlaps=overlaps,
            bytes=total - saved,
            saved=saved,
            pushed_bytes=self.pushed_bytes(around, kept[pushed] if pushed is not None else 0),
        )

    def _kept(self, task: Task, rows: Mapping[int, int]) -> dict[int, int]:
        """Rows of each ring: those alive at once, rounded up for readers that see rows of another size."""
        units = dict.fromkeys(rows, 1)
        for form in task.forms.values():
            for access in form.accesses:
                ring = task.owner.get(access.value)
                if ring in units:
                    units[ring] = lcm(units[ring], access.unit)
        values = self.flow.program.values
        return {ring: min(values[ring].rows, -(-count // units[ring]) * units[ring]) for ring, count in rows.items()}

    def _overlap(self, around: Around, task: Task, trace: Trace) -> tuple[int, tuple[Overlap, ...]]:
        """The pair that saves most by overlapping, and how it may lie."""
        best: tuple[int, tuple[Overlap, ...]] = (0, ())
        form = task.forms[around.layers[0]]
        # Pushed rows come from the first to the last, and what is handed from step to step is.
        alone = len(around.layers) == 1 and task.pushed is None
        reversible = alone and not form.at_end and not form.layer.sums_bytes
        for made, dies in task.pairs:
            ways = [Overlap(made, dies, aligned(trace.distances[made, dies]))]
            if reversible:
                distance = _reverse_distance(self.flow.program, form, made, dies)
                ways.append(Overlap(dies, made, aligned(distance)))
            together = [max(self.sizes[way.below], way.distance + self.sizes[way.above]) for way in ways]
            saved = self.sizes[made] + self.sizes[dies] - min(together)
            if saved > best[0]:
                best = saved, tuple(ways)
        return best


def _replaceable(flow: Dataflow, layer: Layer) -> Iterator[int]:
    """See ``Context.replaceable``: same rows, read one by one, each in the step that writes the row."""
    if layer.output not in flow.arena:
        return
    for position in sorted(set(layer.in_place)):
        read = layer.reads[position]
        value = flow.program.values[read.value]
        if (
            value.index in flow.arena
            and sum(other.value == value.index for other in layer.reads) == 1
            and (value.rows, value.row_bytes) == (layer.rows, layer.row_bytes)
            and (read.row_bytes, read.count, read.contiguous) == (layer.row_bytes, 1, False)
            and read.start == tuple(range(layer.steps))
        ):
            yield value.index


def _reverse_distance(program: Program, form: Form, made: int, dies: int) -> int:
    """How far above a dying value the output must begin if the rows are made from the last to the first."""
    access = form.access(dies)
    assert access is not None
    ends = (np.maximum.accumulate(access.high) + 1) * program.values[dies].row_bytes    # of what is read from here down
    begins = np.arange(form.layer.steps) * program.values[made].row_bytes
    return max(0, int((ends - begins).max()))
