"""One segment: what it costs to run certain layers together after certain others, and with which choices.

Choices are the form of each layer that can accumulate, which layers write in place of what they read, and in which
order rows are asked for. In the arena while a segment runs: values that were made whole before and are read in it or
later, values that it makes whole for later, rings of rows of all others, sums, and the scratch memory of one layer at a
time. A value that dies in the segment and one that is made in it may overlap (one such pair a segment).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import lcm, prod
from typing import Literal

import numpy as np

from firmware_export.dataflow import Dataflow, Form, analyze, least_rows
from firmware_export.layer import Layer, Program
from firmware_export.memory import Overlap, aligned
from firmware_export.simulate import Task, Trace, simulate

Overlapping = Literal["any", "alone", "never"]
"""Which segments may have a value that dies and one that is made overlap: all, those of one layer, none."""

VARIANTS = 64
"""Combinations of choices that are tried for a segment …"""

VARIANT_STEPS = 40_000
"""… as long as the simulations have no more steps than this together."""

PAIRS = 8
"""Pairs of a dying and a new value whose overlap is measured."""


@dataclass(frozen=True)
class Stage:
    """A segment with its choices.

    Attributes:
        layers: Ascending.
        forms: By layer.
        trace: Order of steps, and rows alive.
        in_place: For values written in place: the value whose memory they take over.
        rings: By the value that it was made for: rows of each ring.
        overlaps: Ways in which one value that dies and one that is made may overlap; ``below`` and ``above`` are
            values. The second way, if there is one, makes the rows from the last to the first.
        bytes: Of the arena while it runs.
        saved: Of those that the overlap saves: they are not in ``bytes``.
        pushed_bytes: What pushed input adds to that.
    """

    layers: tuple[int, ...]
    forms: Mapping[int, Form]
    trace: Trace
    in_place: Mapping[int, int]
    rings: Mapping[int, int]
    overlaps: tuple[Overlap, ...]
    bytes: int
    saved: int
    pushed_bytes: int


@dataclass(frozen=True)
class Bound:
    """What a segment needs at least, whatever the choices; see ``Stage``."""

    bytes: int
    pushed_bytes: int


@dataclass(frozen=True)
class _Around:
    """What of a segment does not depend on choices.

    Attributes:
        before: Layers that have run, as a mask.
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


@dataclass(frozen=True)
class _Knob:
    """Something to choose for a layer: its ``form``, in which value's ``place`` it writes, the ``order`` of its reads.

    Attributes:
        kind: Which of them.
        layer: The layer.
        count: Possible settings.
    """

    kind: str
    layer: int
    count: int


class Segments:
    """All segments of a program, weighed on demand. Sets of layers are masks: bit i is layer i."""

    def __init__(self, program: Program) -> None:
        self.flow: Dataflow = analyze(program)
        self.sizes = [aligned(value.nbytes) for value in program.values]
        self.read_mask = {value: sum(1 << layer for layer in layers) for value, layers in self.flow.readers.items()}
        self.steps_simulated = 0
        self.overlapping: Overlapping = "any"
        self._bounds: dict[tuple[int, int], tuple[Bound, Bound]] = {}
        self._weighed: dict[tuple[int, int], Stage] = {}

    def may_overlap(self, layers: int) -> bool:
        """Whether a segment of so many layers may have an overlap, as ``overlapping`` says."""
        return self.overlapping == "any" or (self.overlapping == "alone" and layers == 1)

    @cached_property
    def least(self) -> Mapping[int, int]:
        """Bytes of the smallest ring that each value of the arena, or the pushed input, can have."""
        pushed = [] if self.flow.pushed is None else [self.flow.pushed]
        return {
            value: aligned(least_rows(self.flow, value) * self.flow.program.values[value].row_bytes)
            for value in [*sorted(self.flow.arena), *pushed]
        }

    @cached_property
    def least_unless_summed(self) -> Mapping[tuple[int, int], int]:
        """By value and a reader that could accumulate: the same if that reader does not."""
        flow = self.flow
        return {
            (access.value, layer): aligned(
                least_rows(flow, access.value, plain=layer) * flow.program.values[access.value].row_bytes
            )
            for layer, forms in enumerate(flow.forms)
            if len(forms) > 1
            for access in forms[0].accesses
        }

    @cached_property
    def replaceable(self) -> Mapping[int, tuple[int, ...]]:
        """By layer: values whose rows it may overwrite by its own, if nobody else needs them any more."""
        return {
            index: tuple(_replaceable(self.flow, forms[0].layer)) for index, forms in enumerate(self.flow.forms)
        }

    def bound(self, before: int, after: int) -> Bound:
        """Of the segment of the layers that are in ``after`` and not in ``before``."""
        if (before, after) not in self._bounds:
            around = self._around(before, after)
            total = sum(self.sizes[value] for value in around.alive)
            total += self._least_made(around)
            forms = [self.flow.forms[layer] for layer in around.layers]
            total += max(min(aligned(form.layer.scratch_bytes) for form in either) for either in forms)
            dying = max((self.sizes[value] for value in around.alive if not self.read_mask[value] & ~after), default=0)
            saved = min(dying, max((self.sizes[value] for value in around.crossing), default=0))
            pushed = self._pushed_bytes(around, None)
            self._bounds[before, after] = Bound(max(0, total - saved), pushed), Bound(total, pushed)
        overlapped, apart = self._bounds[before, after]
        return overlapped if self.may_overlap(bin(after & ~before).count("1")) else apart

    def weigh(self, before: int, after: int) -> Stage:
        """The best of the choices for a segment: of all, or of those that changing one by one leads to."""
        if (before, after) not in self._weighed:
            self._weighed[before, after] = self._best(before, after)
        stage = self._weighed[before, after]
        if self.may_overlap(len(stage.layers)):
            return stage
        return dataclasses.replace(stage, overlaps=(), bytes=stage.bytes + stage.saved, saved=0)

    def _best(self, before: int, after: int) -> Stage:
        around = self._around(before, after)
        least = self.bound(before, after)
        goal = (least.bytes, least.pushed_bytes)
        knobs = self._knobs(around)
        steps = sum(self.flow.program.layers[layer].steps for layer in around.layers)
        limit = min(VARIANTS, max(2, VARIANT_STEPS // steps))
        tried: dict[tuple[int, ...], Stage] = {}

        def cost(setting: tuple[int, ...]) -> tuple[int, int]:
            if setting not in tried:
                tried[setting] = self._stage(around, *self._set(around, knobs, setting))
            return tried[setting].bytes, tried[setting].pushed_bytes

        settings = itertools.product(*(range(knob.count) for knob in knobs))
        if prod(knob.count for knob in knobs) > limit:
            settings = self._walk(knobs, cost, limit)
        best = (0,) * len(knobs)
        for setting in settings:
            best = min(best, setting, key=cost)
            if cost(best) == goal:
                break
        return tried[best]

    def _around(self, before: int, after: int) -> _Around:
        flow, mask = self.flow, after & ~before
        layers = tuple(index for index in range(mask.bit_length()) if mask >> index & 1)
        outputs = [flow.program.layers[layer].output for layer in layers]
        made = tuple(value for value in outputs if value in flow.arena)
        return _Around(
            before=before,
            after=after,
            layers=layers,
            alive=tuple(
                layer.output
                for index, layer in enumerate(flow.program.layers[: before.bit_length()])
                if before >> index & 1 and layer.output in flow.arena and self.read_mask[layer.output] & ~before
            ),
            made=made,
            crossing=tuple(value for value in made if self.read_mask[value] & ~after),
        )

    def _taken_over(self, around: _Around, layer: int) -> list[int]:
        """Values in whose place a layer may write: they die there, all other readers ran in earlier segments."""
        return [value for value in self.replaceable[layer] if self.read_mask[value] & ~around.before == 1 << layer]

    def _least_made(self, around: _Around) -> int:
        """Bytes of the values that a segment makes and of its layers' sums, at least."""
        memory: dict[int, int] = {}    # of the memory in which a value lies, counted so far
        total = 0
        for layer in around.layers:
            forms = self.flow.forms[layer]
            sums = min(aligned(form.layer.sums_bytes) for form in forms)
            if len(forms) > 1:    # it accumulates, or its inputs are kept for it
                kept = sum(
                    max(0, self.least_unless_summed[value, layer] - memory[value])
                    for value in {access.value for access in forms[0].accesses}
                    if value in memory and value not in around.crossing
                )
                sums = min(aligned(forms[1].layer.sums_bytes), aligned(forms[0].layer.sums_bytes) + kept)
            total += sums
            value = forms[0].layer.output
            if value in around.made:
                own = self.sizes[value] if value in around.crossing else self.least[value]
                taken = [memory.get(other, self.sizes[other]) for other in self._taken_over(around, layer)]
                memory[value] = max([own, *taken])
                total += max(0, own - max(taken, default=0))
        return total

    def _pushed_bytes(self, around: _Around, rows: int | None) -> int:
        """What the pushed input adds; ``rows`` is what a simulation found, if there was one."""
        pushed = self.flow.pushed
        if pushed is None:
            return 0
        waiting = self.read_mask[pushed]
        if around.before:
            return self.sizes[pushed] if waiting & ~around.before else 0
        if waiting & ~around.after:
            return self.sizes[pushed]
        return self.least[pushed] if rows is None else aligned(rows * self.flow.program.values[pushed].row_bytes)

    def _knobs(self, around: _Around) -> list[_Knob]:
        """What can be chosen. Setting 0 is the most promising one."""
        flow = self.flow
        made = {flow.program.layers[layer].output for layer in around.layers}
        if not around.before and flow.pushed is not None:
            made.add(flow.pushed)
        found = [_Knob("form", layer, 2) for layer in around.layers if len(flow.forms[layer]) > 1]
        for layer in around.layers:
            taken = self._taken_over(around, layer)
            if len(taken) > 1:
                found.append(_Knob("place", layer, len(taken)))
            if sum(access.value in made for access in flow.forms[layer][0].accesses) > 1:
                found.append(_Knob("order", layer, 2))
        return found

    def _set(
        self, around: _Around, knobs: Sequence[_Knob], setting: Sequence[int]
    ) -> tuple[dict[int, Form], dict[int, int], frozenset[int]]:
        """The choices that a setting of the knobs stands for: forms, values written in place, layers deep first."""
        chosen = {(knob.kind, knob.layer): number for knob, number in zip(knobs, setting, strict=True)}
        forms = {layer: self._ranked_forms(around, layer)[chosen.get(("form", layer), 0)] for layer in around.layers}
        in_place = {}
        for layer, form in forms.items():
            taken = [] if form.at_end else self._taken_over(around, layer)
            if taken:
                in_place[form.layer.output] = taken[chosen.get(("place", layer), 0)]
        deep_first = frozenset(layer for (kind, layer), number in chosen.items() if kind == "order" and number)
        return forms, in_place, deep_first

    def _walk(
        self, knobs: Sequence[_Knob], cost: Callable[[tuple[int, ...]], tuple[int, int]], limit: int
    ) -> Iterator[tuple[int, ...]]:
        """Settings from the promising ones on, changing one knob at a time and keeping what is better."""
        here = (0,) * len(knobs)
        deep = tuple(int(knob.kind == "order") for knob in knobs)
        yield here
        yield deep
        here = min(here, deep, key=cost)
        left, position, unchanged = limit - 2, 0, 0
        while left > 0 and unchanged < len(knobs):
            number = (here[position] + 1) % knobs[position].count
            trial = (*here[:position], number, *here[position + 1 :])
            yield trial
            unchanged += 1
            if cost(trial) < cost(here):
                here, unchanged = trial, 0
            position = (position + 1) % len(knobs)
            left -= 1

    def _ranked_forms(self, around: _Around, layer: int) -> tuple[Form, ...]:
        """A layer's forms. It should accumulate if its input would be kept just for it, and is larger than the sums."""
        forms = self.flow.forms[layer]
        inputs = {access.value for access in forms[0].accesses}
        kept = sum(self.sizes[value] for value in inputs if value in around.made and value not in around.crossing)
        return forms[::-1] if len(forms) > 1 and forms[1].layer.sums_bytes < kept else forms

    def _stage(
        self,
        around: _Around,
        forms: Mapping[int, Form],
        in_place: Mapping[int, int],
        deep_first: frozenset[int],
    ) -> Stage:
        """Simulate a segment with all choices made."""
        flow = self.flow
        owner = {value: value for value in around.alive}
        for value in around.made:
            owner[value] = owner[in_place[value]] if value in in_place else value
        whole = {owner[value] for value in around.crossing}
        lasting = set(around.crossing) | set(flow.program.outputs)
        new = sorted(whole - set(around.alive))
        dying = [value for value in around.alive if not self.read_mask[value] & ~around.after and value not in whole]
        rings = set(owner.values()) - set(around.alive) - whole
        pushed = flow.pushed if not around.before else None
        if pushed is not None:
            owner[pushed] = pushed
            rings.add(pushed)
        pairs = sorted(
            ((made, dies) for made in new for dies in dying),
            key=lambda pair: -min(self.sizes[pair[0]], self.sizes[pair[1]]),
        )[:PAIRS]
        task = Task(forms, owner, frozenset(rings), frozenset(lasting), tuple(pairs), pushed, deep_first)
        self.steps_simulated += task.steps
        trace = simulate(flow, task)

        kept = self._kept(forms, owner, trace.rows)
        input_rows = kept.pop(pushed, 0) if pushed is not None else 0
        values = flow.program.values
        total = sum(self.sizes[value] for value in (*around.alive, *new))
        total += sum(aligned(rows * values[value].row_bytes) for value, rows in kept.items())
        total += sum(aligned(form.layer.sums_bytes) for form in forms.values())
        total += max(aligned(form.layer.scratch_bytes) for form in forms.values())
        saved, overlaps = self._overlap(around, forms, trace, pairs)
        if pushed is not None and self.read_mask[pushed] & ~around.after:
            input_rows = values[pushed].rows
        if pushed is not None:
            kept[pushed] = input_rows
        return Stage(
            layers=around.layers,
            forms=forms,
            trace=trace,
            in_place=in_place,
            rings=kept,
            overlaps=overlaps,
            bytes=total - saved,
            saved=saved,
            pushed_bytes=self._pushed_bytes(around, input_rows),
        )

    def _kept(self, forms: Mapping[int, Form], owner: Mapping[int, int], rows: Mapping[int, int]) -> dict[int, int]:
        """Rows of each ring: those alive at once, rounded up for readers that see rows of another size."""
        units = dict.fromkeys(rows, 1)
        for form in forms.values():
            for access in form.accesses:
                ring = owner.get(access.value)
                if ring in units:
                    units[ring] = lcm(units[ring], access.unit)
        values = self.flow.program.values
        return {ring: min(values[ring].rows, -(-count // units[ring]) * units[ring]) for ring, count in rows.items()}

    def _overlap(
        self, around: _Around, forms: Mapping[int, Form], trace: Trace, pairs: list[tuple[int, int]]
    ) -> tuple[int, tuple[Overlap, ...]]:
        """The pair that saves most by overlapping, and how it may lie."""
        best: tuple[int, tuple[Overlap, ...]] = (0, ())
        alone = len(around.layers) == 1 and (around.before or self.flow.pushed is None)
        for made, dies in pairs:
            ways = [Overlap(made, dies, aligned(trace.distances[made, dies]))]
            form = forms[around.layers[0]]
            if alone and not form.at_end:
                distance = _reverse_distance(self.flow.program, form, made, dies)
                ways.append(Overlap(dies, made, aligned(distance)))
            together = [max(self.sizes[way.below], way.distance + self.sizes[way.above]) for way in ways]
            saved = self.sizes[made] + self.sizes[dies] - min(together)
            if saved > best[0]:
                best = saved, tuple(ways)
        return best


def _replaceable(flow: Dataflow, layer: Layer) -> Iterator[int]:
    """See ``Segments.replaceable``: same rows, read one by one, each in the step that writes the row."""
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
    access = next(access for access in form.accesses if access.value == dies)
    ends = (np.maximum.accumulate(access.high) + 1) * program.values[dies].row_bytes    # of what is read from here down
    begins = np.arange(form.layer.steps) * program.values[made].row_bytes
    return max(0, int((ends - begins).max()))
