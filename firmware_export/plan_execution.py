"""An abstract run of a plan, on an arena whose bytes say what they hold: the heart of its proof.

Nothing of what the planner thought is used, only what the plan says: the order of steps, and the rule by which a row's
address follows from its storage. Every byte of every value has a number; writing a row puts its numbers into the arena,
reading one compares them. So a row is read only where it was written and has not been overwritten since; and as every
row that is still needed is read later, nothing alive is ever overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from firmware_export.layer import Layer, Read
from firmware_export.plan import INPUT, Plan, Storage

Numbers = NDArray[np.int64]

NOTHING = -1
SCRATCH = -2
SUMS = -3    # and downwards, a number for each layer


class PlanError(AssertionError):
    """A plan that does not do what the program says."""


def need(holds: bool, text: str) -> None:
    """Refuse a plan.

    Raises:
        PlanError: It does not hold; ``text`` says what.
    """
    if not holds:
        raise PlanError(text)


def execute(plan: Plan) -> None:
    """Run all steps of a plan. If its input can be pushed, the rows arrive one by one and lie in the arena.

    Raises:
        PlanError: What is wrong, and in which step.
    """
    _Execution(plan).run()


Stretch = tuple[int, int]
"""Units of the arena: the first, and the one behind the last."""


@dataclass(frozen=True)
class _Place:
    """Where a value lies, in units of ``_Execution.grain`` bytes.

    Attributes:
        memory: The arena, or the caller's memory for an output.
        in_arena: Which of them.
        offset: Of its first row.
        ring: Units after which rows begin at the offset again.
        numbers: The number of each unit of the value.
    """

    memory: Numbers
    in_arena: bool
    offset: int
    ring: int
    numbers: Numbers

    def pieces(self, begin: int, end: int) -> list[tuple[int, int, int]]:
        """Where units ``[begin, end)`` lie, cut where the ring ends: from and to in the memory, from in the value."""
        slot = begin % self.ring
        if slot + end - begin <= self.ring:
            return [(self.offset + slot, self.offset + slot + end - begin, begin)]
        found = []
        while begin < end:
            slot = begin % self.ring
            count = min(end - begin, self.ring - slot)
            found.append((self.offset + slot, self.offset + slot + count, begin))
            begin += count
        return found

    def write(self, begin: int, end: int) -> None:
        """Put the numbers of units ``[begin, end)`` where they lie."""
        for first, last, number in self.pieces(begin, end):
            self.memory[first:last] = self.numbers[number : number + last - first]


@dataclass(frozen=True)
class _Reading:
    """A read of a layer.

    Attributes:
        read: The read.
        position: In ``Layer.reads``.
        place: Of the value; None if it lies in the caller's memory or in flash.
        rows: Of the value, as the layer sees it.
        units: Of a row.
    """

    read: Read
    position: int
    place: _Place | None
    rows: int
    units: int


class _Execution:
    """A run of all steps."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.program = plan, plan.program
        self.grain = _grain(plan)
        size = plan.arena_bytes if plan.push is None else plan.push.arena_bytes
        self.arena = np.full(self.units(size), NOTHING, np.int64)
        self.places = self.find_places()
        self.readings = [
            [self.reading(layer, position) for position in range(len(layer.reads))] for layer in self.program.layers
        ]
        self.done = [0] * len(self.program.layers)
        self.arrived = 0

    def units(self, size: int) -> int:
        """Of so many bytes."""
        return size // self.grain

    def find_places(self) -> dict[int, _Place]:
        """Of all values that are written."""
        plan = self.plan
        kept: dict[int, Storage] = dict(plan.storage)
        if plan.push is not None:
            kept[self.program.inputs[0]] = plan.push.storage
        found = {}
        begin = 0
        for value in self.program.values:
            units = self.units(value.nbytes)
            numbers = np.arange(begin, begin + units, dtype=np.int64)
            if value.index in kept:
                storage = kept[value.index]
                ring = self.units(storage.kept * storage.row_bytes)
                found[value.index] = _Place(self.arena, True, self.units(storage.offset), ring, numbers)
            elif value.index in self.program.outputs:
                found[value.index] = _Place(np.full(units, NOTHING, np.int64), False, 0, units, numbers)
            begin += units
        return found

    def reading(self, layer: Layer, position: int) -> _Reading:
        """A read, whose rows lie in one piece each, and all together if it is contiguous."""
        read = layer.reads[position]
        value, place, units = self.program.values[read.value], self.places.get(read.value), self.units(read.row_bytes)
        need(len(read.start) == layer.steps, f"{layer.op}: reads in {len(read.start)} of {layer.steps} steps")
        need(value.nbytes % read.row_bytes == 0, f"{layer.op}: rows of {read.row_bytes} in {value.nbytes} bytes")
        if place is not None:
            torn = place.ring != len(place.numbers) if read.contiguous else place.ring % units != 0
            need(not torn, f"{layer.op}: rows of value {read.value} do not lie in one piece")
        return _Reading(read, position, place, value.nbytes // read.row_bytes, units)

    def run(self) -> None:
        """All segments; the outputs are complete then."""
        for segment in self.plan.segments:
            for index in segment.order:
                if index == INPUT:
                    self.accept_row()
                else:
                    self.run_step(index, segment.reverse)
        for value in self.program.outputs:
            place = self.places[value]
            need(bool((place.memory == place.numbers).all()), f"output {value} is not complete")

    def accept_row(self) -> None:
        """The next row of the input arrives."""
        (index,) = self.program.inputs
        value = self.program.values[index]
        need(self.arrived < value.rows, "more input rows than there are")
        units = self.units(value.row_bytes)
        self.places[index].write(self.arrived * units, (self.arrived + 1) * units)
        self.arrived += 1

    def run_step(self, index: int, reverse: bool) -> None:
        """A step of a layer, which may write its scratch memory before it reads anything, and its output meanwhile."""
        layer = self.program.layers[index]
        step = layer.steps - 1 - self.done[index] if reverse else self.done[index]
        self.done[index] += 1
        own = self.own_memory(index, layer) if layer.sums_bytes or layer.scratch_bytes else []
        read_from: list[tuple[Stretch, int]] = []
        for reading in self.readings[index]:
            if reading.place is not None or reading.read.contiguous:
                read_from += self.read_rows(index, reading, step)
        for stretch, number in own:
            for other, _ in read_from:
                need(_apart(stretch, other), f"layer {index}, step {step}: scratch memory or sums over what it reads")
            self.arena[stretch[0] : stretch[1]] = number
        if layer.rows == layer.steps:
            self.write_row(index, layer, step, own, read_from)
        elif self.done[index] == layer.steps:
            self.write_row(index, layer, 0, own, read_from)

    def own_memory(self, index: int, layer: Layer) -> list[tuple[Stretch, int]]:
        """Scratch memory, which is overwritten, and sums, which must still be there; with what they hold."""
        found = []
        if layer.scratch_bytes:
            first = self.units(self.plan.scratch[index])
            found.append(((first, first + self.units(layer.scratch_bytes)), SCRATCH))
            self.arena[first : found[-1][0][1]] = SCRATCH
        if layer.sums_bytes:
            first = self.units(self.plan.sums[index])
            sums = (first, first + self.units(layer.sums_bytes))
            there = self.done[index] == 1 or bool((self.arena[sums[0] : sums[1]] == SUMS - index).all())
            need(there, f"layer {index}: its sums were overwritten")
            need(all(_apart(sums, other) for other, _ in found), f"layer {index}: scratch memory over sums")
            found.append((sums, SUMS - index))
        return found

    def read_rows(self, index: int, reading: _Reading, step: int) -> list[tuple[Stretch, int]]:
        """The stretches of the arena that a step reads, which hold what they should; with the read's position."""
        read, place, units = reading.read, reading.place, reading.units
        begin, end = read.start[step], read.start[step] + read.count
        if read.step != 1:
            rows = range(begin, begin + read.count * read.step, read.step)
            wanted = [(row, row + 1) for row in rows if 0 <= row < reading.rows]
        else:
            exists = begin >= 0 and end <= reading.rows
            need(exists or not read.contiguous, f"layer {index}, step {step}: rows outside value {read.value}")
            wanted = [(max(0, begin), min(reading.rows, end))]
        found: list[tuple[Stretch, int]] = []
        if place is None:
            return found
        # What is there in the first step that reads all this and in the last one is there in between: rows are made
        # once, so none that is gone comes back. Comparing a whole table for each row would take far too long.
        between = read.contiguous and step > 0 and set(read.start[step - 1 : step + 2]) == {read.start[step]}
        between = between and step + 1 < len(read.start)
        for begin, end in wanted:
            if begin >= end:
                continue
            for first, last, number in place.pieces(begin * units, end * units):
                # As bytes: numpy's comparison of arrays takes ten times as long for so few.
                there = between or (
                    place.memory[first:last].tobytes() == place.numbers[number : number + last - first].tobytes()
                )
                need(there, f"layer {index}, step {step}: rows {begin} to {end - 1} of value {read.value} are gone")
                if place.in_arena:
                    found.append(((first, last), reading.position))
        return found

    def write_row(
        self,
        index: int,
        layer: Layer,
        row: int,
        own: Sequence[tuple[Stretch, int]],
        read_from: Sequence[tuple[Stretch, int]],
    ) -> None:
        """Write an output row, which may lie over nothing that the step uses but a row that it is in place of."""
        place, units = self.places[layer.output], self.units(layer.row_bytes)
        pieces = place.pieces(row * units, (row + 1) * units)
        need(len(pieces) == 1, f"layer {index}: its rows do not lie in one piece")
        (first, last, _) = pieces[0]
        if place.in_arena:
            for other, position in read_from:
                if not _apart((first, last), other):
                    taken = self.plan.storage[layer.output].in_place_of
                    same = other == (first, last) and position in layer.in_place
                    fine = same and layer.reads[position].value == taken
                    need(fine, f"layer {index}, row {row}: writes over what it reads")
            for other, _ in own:
                need(_apart((first, last), other), f"layer {index}: writes over its scratch memory or its sums")
        place.write(row * units, (row + 1) * units)


def _apart(one: Stretch, other: Stretch) -> bool:
    return one[1] <= other[0] or other[1] <= one[0]


def _grain(plan: Plan) -> int:
    """The largest unit that divides all sizes and offsets: the numbers are fewer then."""
    program = plan.program
    kept = [*plan.storage.values(), *([plan.push.storage] if plan.push else [])]
    sizes = [number for storage in kept for number in (storage.offset, storage.row_bytes)]
    sizes += [value.row_bytes for value in program.values]
    sizes += [read.row_bytes for layer in program.layers for read in layer.reads]
    sizes += [number for layer in program.layers for number in (layer.sums_bytes, layer.scratch_bytes)]
    sizes += [*plan.sums.values(), *plan.scratch.values(), plan.arena_bytes]
    return max(1, gcd(*sizes))
