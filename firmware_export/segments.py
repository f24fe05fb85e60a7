"""All segments of a program: what each costs at least, and with the best choices.

Choices are the form of each layer that can accumulate, which layers write in place of what they read, and in which
order a layer asks for rows of several others.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Literal

from firmware_export.dataflow import Form, analyze, least_rows
from firmware_export.layer import Program
from firmware_export.memory import aligned
from firmware_export.simulate import TooMuchWorkError, Work
from firmware_export.stages import Around, Choices, Context, Stage

Overlapping = Literal["any", "alone", "never"]
"""Which segments may have a value that dies and one that is made overlap: all, those of one layer, none."""

VARIANTS = 64
"""Combinations of choices that are tried for a segment …"""

WORK = 10_000_000
"""What planning a program may take: a few seconds. Networks of sixty layers take a hundredth of it."""

VARIANT_STEPS = 40_000
"""… as long as the simulations have no more steps than this together."""


@dataclass(frozen=True)
class Bound:
    """What a segment needs at least, whatever the choices; see ``Stage``."""

    bytes: int
    pushed_bytes: int


@dataclass(frozen=True)
class _Knob:
    """Something to choose for a layer: its ``form``, in which value's ``place`` it writes, the ``order`` of its reads.

    Attributes:
        kind: Which of them.
        layer: The layer.
        count: Possible settings; 0 is the most promising one.
    """

    kind: str
    layer: int
    count: int


Setting = tuple[int, ...]
"""Of all knobs."""


class Segments:
    """All segments of a program, weighed on demand. Sets of layers are masks: bit i is layer i.

    Attributes:
        flow: The program.
        overlapping: Which segments may have an overlap; may be changed at any time.
        apart: Segments, as (before, after), that may have none in any case; may be changed as well.
        work: What all that is asked for has taken, and may take.
        steps_simulated: Of all simulations.
    """

    def __init__(self, program: Program) -> None:
        self.flow = analyze(program)
        self.overlapping: Overlapping = "any"
        self.apart: frozenset[tuple[int, int]] = frozenset()
        self.steps_simulated = 0
        self.work = Work(WORK)
        self._context = Context(self.flow, self.work)
        self._bounds: dict[tuple[int, int], tuple[Bound, Bound]] = {}
        self._weighed: dict[tuple[int, int], Stage] = {}

    def may_overlap(self, before: int, after: int) -> bool:
        """Whether a segment may have an overlap now."""
        alone = self.overlapping == "alone" and bin(after & ~before).count("1") == 1
        return (self.overlapping == "any" or alone) and (before, after) not in self.apart

    def bound(self, before: int, after: int) -> Bound:
        """Of the segment of the layers that are in ``after`` and not in ``before``."""
        if (before, after) not in self._bounds:
            sizes, read_mask = self._context.sizes, self._context.read_mask
            around = self._context.around(before, after)
            total = sum(sizes[value] for value in around.alive) + self._least_made(around)
            total += max(self._least_scratch[layer] for layer in around.layers)
            self.work.spent += 5 + 3 * len(around.layers) + len(around.alive)
            dying = max((sizes[value] for value in around.alive if not read_mask[value] & ~after), default=0)
            saved = min(dying, max((sizes[value] for value in around.crossing), default=0))
            rows = least_rows(self.flow, self.flow.pushed) if self.flow.pushed is not None and not before else 0
            pushed = self._context.pushed_bytes(around, rows)
            self._bounds[before, after] = Bound(max(0, total - saved), pushed), Bound(total, pushed)
        overlapped, apart = self._bounds[before, after]
        return overlapped if self.may_overlap(before, after) else apart

    def weigh(self, before: int, after: int) -> Stage:
        """The same segment with the best of all choices, or of those that changing them one by one leads to.

        Raises:
            TooMuchWorkError: It has several layers, and to simulate it a single time would be beyond ``work``.
        """
        if (before, after) not in self._weighed:
            self._weighed[before, after] = self._best(before, after)
        stage = self._weighed[before, after]
        if self.may_overlap(before, after):
            return stage
        return dataclasses.replace(stage, overlaps=(), bytes=stage.bytes + stage.saved, saved=0)

    @cached_property
    def _least_sums(self) -> Sequence[int]:
        """By layer, in the form that has less."""
        return [min(aligned(form.layer.sums_bytes) for form in forms) for forms in self.flow.forms]

    @cached_property
    def _least_scratch(self) -> Sequence[int]:
        """By layer, in the form that has less."""
        return [min(aligned(form.layer.scratch_bytes) for form in forms) for forms in self.flow.forms]

    @cached_property
    def _least(self) -> Mapping[int, int]:
        """Bytes of the smallest ring that each value of the arena can have."""
        return {value: self._ring_bytes(value, None) for value in sorted(self.flow.arena)}

    @cached_property
    def _least_unless_summed(self) -> Mapping[tuple[int, int], int]:
        """By value and a reader that could accumulate: the same if that reader does not."""
        return {
            (access.value, layer): self._ring_bytes(access.value, layer)
            for layer, forms in enumerate(self.flow.forms)
            if len(forms) > 1
            for access in forms[0].accesses
        }

    @cached_property
    def _ring_work(self) -> Sequence[int]:
        """Of ``least_rows``, for all layers before each."""
        units = (sum(len(form.accesses) * (10 + form.layer.steps // 50) for form in forms) for forms in self.flow.forms)
        return [0, *itertools.accumulate(units)]

    def _ring_bytes(self, value: int, plain: int | None) -> int:
        """A row has to do where readers stand so far apart that to look closer is too much work."""
        readers, rows = self.flow.readers[value], 1
        if readers:
            units = self._ring_work[readers[-1] + 1] - self._ring_work[readers[0]]
            if self.work.spent + units <= self.work.limit // 5:
                self.work.spent += units
                rows = least_rows(self.flow, value, plain)
        return aligned(rows * self.flow.program.values[value].row_bytes)

    def _least_made(self, around: Around) -> int:
        """Bytes of the values that a segment makes and of its layers' sums, at least."""
        memory: dict[int, int] = {}    # of the memory in which a value lies, as far as it is counted
        total = 0
        crossing, replaceable = frozenset(around.crossing), self._context.replaceable
        for layer in around.layers:
            forms = self.flow.forms[layer]
            sums = self._least_sums[layer]
            if len(forms) > 1:    # it accumulates, or its inputs are kept for it
                kept = sum(
                    max(0, self._least_unless_summed[access.value, layer] - memory[access.value])
                    for access in forms[0].accesses
                    if access.value in memory and access.value not in crossing
                )
                sums = min(aligned(forms[1].layer.sums_bytes), aligned(forms[0].layer.sums_bytes) + kept)
            total += sums
            value = forms[0].layer.output
            if value in self.flow.arena:
                own = self._context.sizes[value] if value in crossing else self._least[value]
                taken_over = self._context.taken_over(around, layer) if replaceable[layer] else ()
                taken = max((memory.get(other, self._context.sizes[other]) for other in taken_over), default=0)
                memory[value] = max(own, taken)
                total += max(0, own - taken)
        return total

    def _best(self, before: int, after: int) -> Stage:
        """Try settings of the knobs until the bound is met or there are no more."""
        around, least = self._context.around(before, after), self.bound(before, after)
        knobs = self._knobs(around)
        steps = sum(self.flow.program.layers[layer].steps for layer in around.layers)
        tried: dict[Setting, Stage] = {}

        def cost(setting: Setting) -> tuple[int, int]:
            if setting not in tried:
                tried[setting] = self._context.stage(around, self._choices(around, knobs, setting))
                self.steps_simulated += steps
            return tried[setting].bytes, tried[setting].pushed_bytes

        limit = min(VARIANTS, max(2, VARIANT_STEPS // steps))
        settings: Iterator[Setting] = itertools.product(*(range(knob.count) for knob in knobs))
        if prod(knob.count for knob in knobs) > limit:
            settings = _walk(knobs, cost, limit)
        best = (0,) * len(knobs)
        cost(best)
        try:
            for setting in settings:
                best = min(best, setting, key=cost)
                if cost(best) == (least.bytes, least.pushed_bytes) or not self.work.left:
                    break
        except TooMuchWorkError:
            pass    # what was tried until now is as good as it gets
        return tried[best]

    def _knobs(self, around: Around) -> list[_Knob]:
        flow = self.flow
        made = {flow.program.layers[layer].output for layer in around.layers}
        if not around.before and flow.pushed is not None:
            made.add(flow.pushed)
        found = [_Knob("form", layer, 2) for layer in around.layers if len(flow.forms[layer]) > 1]
        for layer in around.layers:
            taken_over = self._context.taken_over(around, layer)
            if len(taken_over) > 1:
                found.append(_Knob("place", layer, len(taken_over)))
            if sum(access.value in made for access in flow.forms[layer][0].accesses) > 1:
                found.append(_Knob("order", layer, 2))
        return found

    def _choices(self, around: Around, knobs: Sequence[_Knob], setting: Setting) -> Choices:
        """What a setting stands for."""
        chosen = {(knob.kind, knob.layer): number for knob, number in zip(knobs, setting, strict=True)}
        forms = {layer: self._ranked_forms(around, layer)[chosen.get(("form", layer), 0)] for layer in around.layers}
        in_place = {}
        for layer, form in forms.items():
            taken_over = [] if form.at_end else self._context.taken_over(around, layer)
            if taken_over:
                in_place[form.layer.output] = taken_over[chosen.get(("place", layer), 0)]
        deep_first = frozenset(layer for (kind, layer), number in chosen.items() if kind == "order" and number)
        return Choices(forms, in_place, deep_first)

    def _ranked_forms(self, around: Around, layer: int) -> tuple[Form, ...]:
        """A layer's forms. It should accumulate if its input would be kept just for it, and is larger than the sums."""
        forms = self.flow.forms[layer]
        inside = [access.value for access in forms[0].accesses if access.value in around.made]
        kept = sum(self._context.sizes[value] for value in inside if value not in around.crossing)
        return forms[::-1] if len(forms) > 1 and forms[1].layer.sums_bytes < kept else forms


def _walk(knobs: Sequence[_Knob], cost: Callable[[Setting], tuple[int, int]], limit: int) -> Iterator[Setting]:
    """At most so many settings, from the promising ones on: one knob is changed at a time, what is better is kept."""
    here: Setting = (0,) * len(knobs)
    deep = tuple(int(knob.kind == "order") for knob in knobs)
    yield here
    yield deep
    here = min(here, deep, key=cost)
    position = unchanged = 0
    for _ in range(limit - 2):
        number = (here[position] + 1) % knobs[position].count
        trial = (*here[:position], number, *here[position + 1 :])
        yield trial
        unchanged += 1
        if cost(trial) < cost(here):
            here, unchanged = trial, 0
        if unchanged == len(knobs):
            return
        position = (position + 1) % len(knobs)
