"""The planner: which layers run depth first together, in which order their rows are made, and where every byte lies."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from firmware_export.cuts import best_stages
from firmware_export.dataflow import Dataflow
from firmware_export.layer import Program
from firmware_export.memory import Block, Overlap, Placement, lower_bound, place
from firmware_export.plan import INPUT, Buffer, Kind, Plan, Push, Segment, Storage
from firmware_export.plan_check import check_plan
from firmware_export.segments import Segments
from firmware_export.stages import Stage

PLACING = 20
"""Units of ``Work`` that are counted for each pair of buffers to place."""

RETRIES = 8
"""Segments without whose overlap a plan is tried, if placement does not meet the bound."""


def plan(program: Program) -> Plan:
    """Decide everything: cuts, forms, orders of rows, rings, what is in place, and offsets.

    Deterministic, and proven before it is returned: in an abstract run of every step each row is found where it was
    written. The search ends when it has taken ``segments.WORK``, with the best plan until then.

    Args:
        program: The lowered network.

    Raises:
        AssertionError: The program breaks a rule of ``layer.py``, or the plan is wrong: a fault of the compiler.
    """
    segments = Segments(program)
    found: list[Plan] = []

    def attempt() -> Sequence[Stage]:
        stages = best_stages(segments)
        if not found or max(stage.bytes for stage in stages) <= min(found, key=_merit).arena_bytes:
            found.append(_Assembly(segments.flow, stages).plan())
            segments.work.spent += PLACING * len(found[-1].buffers) ** 2
        return stages

    stages = attempt()
    if found[0].arena_bytes > found[0].lower_bound:
        # Values that overlap in one segment after the other drift, which leaves gaps: fewer overlaps may be better.
        for edge in _overlapped(stages)[:RETRIES]:
            if not segments.work.left:
                break
            segments.apart = frozenset({edge})
            attempt()
        segments.apart = frozenset()
        for segments.overlapping in ("alone", "never"):
            if segments.work.left:
                attempt()
    best = min(found, key=_merit)
    check_plan(best)
    return best


def fits(program: Program, limit: int) -> bool:
    """Whether a plan of at most so many bytes is found at once. ``plan`` then finds one of no more.

    Args:
        program: The lowered network.
        limit: Bytes of the arena.
    """
    segments = Segments(program)
    stages = best_stages(segments)
    least = max((stage.bytes for stage in stages), default=0)
    return least <= limit and _Assembly(segments.flow, stages).plan(by_rules=True).arena_bytes <= limit


def _overlapped(stages: Sequence[Stage]) -> list[tuple[int, int]]:
    """The segments with an overlap, as layers before and after. Those that save most first."""
    before, found = 0, []
    for stage in stages:
        after = before | sum(1 << layer for layer in stage.layers)
        if stage.saved:
            found.append((stage.saved, before, after))
        before = after
    return [(before, after) for _, before, after in sorted(found, key=lambda one: -one[0])]


def _merit(planned: Plan) -> tuple[int, int, int, int]:
    """What is wanted, the most important first: all of it small."""
    streamed = sum(len(segment.layers) for segment in planned.segments if len(segment.layers) > 1)
    pushed = planned.push.arena_bytes if planned.push else 0
    return planned.arena_bytes, pushed, streamed, len(planned.segments)


class _Assembly:
    """Segments put together: lifetimes, offsets, and the description of both."""

    def __init__(self, flow: Dataflow, stages: Sequence[Stage]) -> None:
        self.flow = flow
        self.values = flow.program.values
        self.stages = stages
        self.stage_of = {layer: index for index, stage in enumerate(stages) for layer in stage.layers}
        self.in_place = {value: taken for stage in stages for value, taken in stage.choices.in_place.items()}
        # The value whose memory a value lies in, from segment to segment.
        self.owner: dict[int, int] = {}
        for stage in stages:
            for layer in stage.layers:
                value = flow.program.layers[layer].output
                if value in flow.arena:
                    self.owner[value] = self.owner[self.in_place[value]] if value in self.in_place else value

    def plan(self, by_rules: bool = False) -> Plan:
        """Place everything; see ``memory.place``."""
        buffers = [*self.value_buffers(), *self.layer_buffers()]
        pushed = self.pushed_buffer()
        everything = [*buffers, *([pushed] if pushed else [])]
        blocks = [Block(item.bytes, item.first, item.last, transient=item.kind == "scratch") for item in everything]
        number = {buffer.owner: index for index, buffer in enumerate(buffers) if buffer.kind in ("whole", "ring")}
        overlaps = [
            Overlap(number[self.owner[way.below]], number[self.owner[way.above]], way.distance)
            for stage in self.stages
            for way in stage.overlaps
        ]
        placed = place(blocks, overlaps, len(buffers) if pushed else None, by_rules)
        buffers = [dataclasses.replace(buffer, offset=placed.offsets[index]) for index, buffer in enumerate(buffers)]
        program = self.flow.program
        forms = {layer: form.layer for stage in self.stages for layer, form in stage.choices.forms.items()}
        storage = self.storage(buffers)
        return Plan(
            program=dataclasses.replace(program, layers=tuple(forms[index] for index in range(len(forms)))),
            segments=tuple(self.segment(index, storage) for index in range(len(self.stages))),
            buffers=tuple(buffers),
            storage=storage,
            sums=_offsets(buffers, "sums"),
            scratch=_offsets(buffers, "scratch"),
            arena_bytes=placed.bytes,
            lower_bound=lower_bound(blocks[: len(buffers)], overlaps),
            push=self.push(placed) if pushed else None,
        )

    def value_buffers(self) -> list[Buffer]:
        """One for each value that has memory of its own, for as long as it or a value in its place is needed."""
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for value, owner in self.owner.items():
            written = self.stage_of[self.flow.writer[value]]
            read = max((self.stage_of[reader] for reader in self.flow.readers[value]), default=written)
            first[owner] = min(first.get(owner, written), written)
            last[owner] = max(last.get(owner, read), read)
        found = []
        for owner, begin in first.items():
            rows, row_bytes = self.values[owner].rows, self.values[owner].row_bytes
            kept = self.stages[begin].rings[owner] if begin == last[owner] else rows
            kind: Kind = "ring" if kept < rows else "whole"
            found.append(Buffer(kind, owner, kept * row_bytes, 0, begin, last[owner]))
        return found

    def layer_buffers(self) -> list[Buffer]:
        """Sums and scratch memory."""
        found = []
        for index, stage in enumerate(self.stages):
            for layer, form in stage.choices.forms.items():
                if form.layer.sums_bytes:
                    found.append(Buffer("sums", layer, form.layer.sums_bytes, 0, index, index))
                if form.layer.scratch_bytes:
                    found.append(Buffer("scratch", layer, form.layer.scratch_bytes, 0, index, index))
        return found

    def pushed_buffer(self) -> Buffer | None:
        """The rows of the input that are kept if it is pushed."""
        if self.flow.pushed is None:
            return None
        last = max((self.stage_of[reader] for reader in self.flow.readers[self.flow.pushed]), default=0)
        return Buffer("input", self.flow.pushed, self.pushed_rows() * self.pushed_row_bytes(), 0, 0, last)

    def pushed_rows(self) -> int:
        """How many."""
        assert self.flow.pushed is not None
        return self.stages[0].rings[self.flow.pushed]

    def pushed_row_bytes(self) -> int:
        """Of one of them."""
        assert self.flow.pushed is not None
        return self.values[self.flow.pushed].row_bytes

    def push(self, placed: Placement) -> Push:
        """Where they lie: behind everything else in ``placed``."""
        storage = Storage(placed.offsets[-1], self.pushed_rows(), self.pushed_row_bytes())
        return Push(storage, placed.bytes_with_extra)

    def storage(self, buffers: Sequence[Buffer]) -> dict[int, Storage]:
        """Of every value in the arena."""
        kept = {buffer.owner: buffer for buffer in buffers if buffer.kind in ("whole", "ring")}
        return {
            value: Storage(
                offset=kept[owner].offset,
                kept=kept[owner].bytes // self.values[owner].row_bytes,
                row_bytes=self.values[value].row_bytes,
                in_place_of=self.in_place.get(value),
            )
            for value, owner in sorted(self.owner.items())
        }

    def segment(self, index: int, storage: Mapping[int, Storage]) -> Segment:
        """Of a stage: with the input rows that only later segments need, and the direction."""
        stage = self.stages[index]
        order = stage.trace.order
        if index == 0 and self.flow.pushed is not None:
            pushed = self.flow.pushed
            needed = 0
            for later in self.stages[1:]:
                for form in later.choices.forms.values():
                    access = form.access(pushed)
                    needed = max(needed, int(access.high.max()) + 1 if access else 0)
            order += (INPUT,) * (needed - order.count(INPUT))
        return Segment(stage.layers, order, self.is_reversed(stage, storage))

    def is_reversed(self, stage: Stage, storage: Mapping[int, Storage]) -> bool:
        """A layer alone whose output lies over its input so that the rows must be made from the last to the first."""
        if len(stage.overlaps) < 2:
            return False
        made, dies = (storage[value] for value in (stage.overlaps[0].below, stage.overlaps[0].above))
        apart = (
            made.offset + made.kept * made.row_bytes <= dies.offset
            or dies.offset + dies.kept * dies.row_bytes <= made.offset
        )
        return not apart and dies.offset - made.offset < stage.overlaps[0].distance


def _offsets(buffers: Sequence[Buffer], kind: Kind) -> dict[int, int]:
    return {buffer.owner: buffer.offset for buffer in buffers if buffer.kind == kind}
