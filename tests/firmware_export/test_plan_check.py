"""The proof finds what is wrong with a plan: held against a second executor, byte by byte, on damaged plans."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_export.layer import Program
from firmware_export.plan import INPUT, Plan, Segment, Storage
from firmware_export.plan_check import check_plan
from firmware_export.plan_execution import PlanError, execute
from firmware_export.schedule import plan
from tests.firmware_export.programs import Builder, dscnn, everything, programs, resnet8

NETWORKS = (resnet8, dscnn)


def runs(planned: Plan) -> bool:
    """Whether a plan does what its program says: an arena of cells, each with the byte that it holds."""
    program = planned.program
    arena: dict[int, Any] = {}
    callers: dict[int, dict[int, Any]] = {index: {} for index in program.outputs}
    arrived = 0
    done = dict.fromkeys(range(len(program.layers)), 0)
    storage = dict(planned.storage)
    if planned.push is not None:
        storage[program.inputs[0]] = planned.push.storage

    def cells(value: int, row: int, size: int) -> range:
        """The rule that the generated code follows."""
        kept = storage[value]
        first = kept.offset + row % (kept.kept * kept.row_bytes // size) * size
        return range(first, first + size)

    def put(value: int, row: int, size: int) -> None:
        for number in range(size):
            held = (value, row * size + number)
            if value in storage:
                arena[cells(value, row, size)[number]] = held
            else:
                callers[value][row * size + number] = held

    for segment in planned.segments:
        for index in segment.order:
            if index == INPUT:
                value = program.values[program.inputs[0]]
                if arrived == value.rows:
                    return False
                put(value.index, arrived, value.row_bytes)
                arrived += 1
                continue
            layer = program.layers[index]
            step = layer.steps - 1 - done[index] if segment.reverse else done[index]
            done[index] += 1
            busy: set[int] = set()
            scratch = range(planned.scratch.get(index, 0), planned.scratch.get(index, 0) + layer.scratch_bytes)
            sums = range(planned.sums.get(index, 0), planned.sums.get(index, 0) + layer.sums_bytes)
            if set(scratch) & set(sums):
                return False
            arena.update(dict.fromkeys(scratch, "scratch"))
            if done[index] > 1 and any(arena[cell] != ("sums", index) for cell in sums):
                return False
            for position, read in enumerate(layer.reads):
                if read.value not in storage and read.value not in callers:
                    continue
                last = None
                for number in range(read.count):
                    row = read.start[step] + number * read.step
                    if not 0 <= row < program.values[read.value].nbytes // read.row_bytes:
                        continue
                    held = [(read.value, row * read.row_bytes + byte) for byte in range(read.row_bytes)]
                    if read.value in callers:
                        if any(callers[read.value].get(byte) != one for one in held for byte in [one[1]]):
                            return False
                        continue
                    at = cells(read.value, row, read.row_bytes)
                    if [arena.get(cell) for cell in at] != held or set(at) & {*sums, *scratch}:
                        return False
                    if read.contiguous and last is not None and at.start != last:
                        return False
                    last = at.stop
                    out = cells(layer.output, step, layer.row_bytes) if layer.output in storage else range(0)
                    if out != at or position not in layer.in_place or storage[layer.output].in_place_of != read.value:
                        busy.update(at)
            arena.update(dict.fromkeys(sums, ("sums", index)))
            if layer.rows != layer.steps and done[index] < layer.steps:
                continue
            row = 0 if layer.rows != layer.steps else step
            if layer.output in storage and set(cells(layer.output, row, layer.row_bytes)) & {*busy, *sums, *scratch}:
                return False
            put(layer.output, row, layer.row_bytes)
    return all(len(callers[index]) == program.values[index].nbytes for index in program.outputs)


def proven(planned: Plan) -> bool:
    """What the proof says."""
    try:
        execute(planned)
    except PlanError:
        return False
    return True


# Damage, each to a random part of a plan. None where a plan has no such part.


def shrink_ring(planned: Plan, chance: random.Random) -> Plan | None:
    found = [index for index, storage in planned.storage.items() if storage.kept > 1]
    if not found:
        return None
    index = chance.choice(found)
    smaller = dataclasses.replace(planned.storage[index], kept=planned.storage[index].kept - 1)
    return dataclasses.replace(planned, storage={**planned.storage, index: smaller})


def move_value(planned: Plan, chance: random.Random) -> Plan | None:
    if not planned.storage:
        return None
    index = chance.choice(list(planned.storage))
    storage = planned.storage[index]
    step = chance.choice([-8, -4, -1, 1, 4, 8])
    moved = dataclasses.replace(storage, offset=max(0, storage.offset + step))
    if moved.offset + moved.kept * moved.row_bytes > planned.arena_bytes:
        return None
    return dataclasses.replace(planned, storage={**planned.storage, index: moved})


def move_own_memory(planned: Plan, chance: random.Random) -> Plan | None:
    kinds = [kind for kind in ("sums", "scratch") if getattr(planned, kind)]
    if not kinds:
        return None
    kind = chance.choice(kinds)
    offsets = dict(getattr(planned, kind))
    index = chance.choice(list(offsets))
    size = getattr(planned.program.layers[index], f"{kind}_bytes")
    offsets[index] = chance.randrange(max(1, planned.arena_bytes - size + 1))
    return dataclasses.replace(planned, **{kind: offsets})


def move_pushed_rows(planned: Plan, chance: random.Random) -> Plan | None:
    if planned.push is None:
        return None
    kept = planned.push.storage
    changed: Storage = dataclasses.replace(kept, offset=chance.randrange(kept.offset + 1))
    if kept.kept > 1 and chance.random() < 0.5:
        changed = dataclasses.replace(kept, kept=kept.kept - 1)
    return dataclasses.replace(planned, push=dataclasses.replace(planned.push, storage=changed))


def swap_steps(planned: Plan, chance: random.Random) -> Plan | None:
    number = chance.randrange(len(planned.segments))
    order = list(planned.segments[number].order)
    places = [at for at in range(len(order) - 1) if order[at] != order[at + 1]]
    if not places:
        return None
    at = chance.choice(places)
    order[at], order[at + 1] = order[at + 1], order[at]
    return with_segment(planned, number, dataclasses.replace(planned.segments[number], order=tuple(order)))


def turn(planned: Plan, chance: random.Random) -> Plan | None:
    found = [number for number, segment in enumerate(planned.segments) if len(segment.layers) == 1]
    found = [number for number in found if INPUT not in planned.segments[number].order]
    if not found:
        return None
    number = chance.choice(found)
    segment = planned.segments[number]
    return with_segment(planned, number, dataclasses.replace(segment, reverse=not segment.reverse))


def forget_place(planned: Plan, chance: random.Random) -> Plan | None:
    found = [index for index, storage in planned.storage.items() if storage.in_place_of is not None]
    if not found:
        return None
    index = chance.choice(found)
    alone = dataclasses.replace(planned.storage[index], in_place_of=None)
    return dataclasses.replace(planned, storage={**planned.storage, index: alone})


def swap_segments(planned: Plan, chance: random.Random) -> Plan | None:
    if len(planned.segments) < 2:
        return None
    segments = list(planned.segments)
    at = chance.randrange(len(segments) - 1)
    segments[at], segments[at + 1] = segments[at + 1], segments[at]
    return dataclasses.replace(planned, segments=tuple(segments))


def drop_step(planned: Plan, chance: random.Random) -> Plan | None:
    number = chance.randrange(len(planned.segments))
    order = list(planned.segments[number].order)
    del order[chance.randrange(len(order))]
    return with_segment(planned, number, dataclasses.replace(planned.segments[number], order=tuple(order)))


def with_segment(planned: Plan, number: int, segment: Segment) -> Plan:
    segments = (*planned.segments[:number], segment, *planned.segments[number + 1 :])
    return dataclasses.replace(planned, segments=segments)


DAMAGES: tuple[Callable[[Plan, random.Random], Plan | None], ...] = (
    shrink_ring,
    move_value,
    move_own_memory,
    move_pushed_rows,
    swap_steps,
    turn,
    forget_place,
    swap_segments,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=programs(), seed=st.integers(0, 1 << 30))
def test_damage_is_found_exactly_where_bytes_go_wrong(program: Program, seed: int) -> None:
    planned = plan(program)
    assert proven(planned) and runs(planned)
    chance = random.Random(seed)
    for damage in DAMAGES * 2:
        damaged = damage(planned, chance)
        # A kernel gets one pointer to a row; the byte-wise executor does not see a row that a ring cuts in two.
        if damaged is not None and rows_are_whole(damaged):
            assert proven(damaged) == runs(damaged), damage.__name__


def rows_are_whole(planned: Plan) -> bool:
    storage = dict(planned.storage)
    if planned.push is not None:
        storage[planned.program.inputs[0]] = planned.push.storage
    seen = [(layer.output, layer.row_bytes) for layer in planned.program.layers]
    seen += [(read.value, read.row_bytes) for layer in planned.program.layers for read in layer.reads]
    return all(
        storage[value].kept * storage[value].row_bytes % size == 0 for value, size in seen if value in storage
    )


@pytest.mark.parametrize("network", NETWORKS)
def test_every_ring_is_as_small_as_it_can_be(network: Callable[[], Program]) -> None:
    planned = plan(network())
    rings = [index for index, storage in planned.storage.items() if storage.kept > 1]
    assert rings
    for index in rings:
        smaller = dataclasses.replace(planned.storage[index], kept=planned.storage[index].kept - 1)
        assert not proven(dataclasses.replace(planned, storage={**planned.storage, index: smaller})), index


@pytest.mark.parametrize("network", NETWORKS)
def test_missing_and_doubled_steps_are_found(network: Callable[[], Program]) -> None:
    planned = plan(network())
    check_plan(planned)
    for seed in range(40):
        dropped = drop_step(planned, random.Random(seed))
        assert dropped is not None
        # Without an input row, a later step may find one that it needs missing, or it was one that nobody needs.
        inputs = [sum(segment.order.count(INPUT) for segment in one.segments) for one in (planned, dropped)]
        if inputs[0] == inputs[1]:
            with pytest.raises(PlanError, match="steps of"):
                check_plan(dropped)
    first = planned.segments[0]
    with pytest.raises(PlanError, match="steps of layer"):
        check_plan(with_segment(planned, 0, dataclasses.replace(first, order=(*first.order, first.order[-1]))))


def small_plan() -> Plan:
    net = Builder()
    first = net.conv(net.input(8, 6), 8, scratch=12)
    second = net.unary(net.conv(first, 8))
    last = net.layer(8, 4, everything(second, 8))
    return plan(net.program(net.pool(last, 4)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda it: dataclasses.replace(it, arena_bytes=it.arena_bytes + 4), "arena of"),
        (lambda it: dataclasses.replace(it, arena_bytes=it.arena_bytes - 4), "arena of"),
        (lambda it: dataclasses.replace(it, lower_bound=it.arena_bytes + 1), "below the bound"),
        (lambda it: dataclasses.replace(it, buffers=it.buffers[1:]), "arena of|no buffer|instead of"),
        (lambda it: dataclasses.replace(it, buffers=(*it.buffers, it.buffers[0])), "two buffers"),
        (lambda it: dataclasses.replace(it, storage={}), "storage of"),
        (lambda it: dataclasses.replace(it, scratch={}), "scratch at"),
        (lambda it: dataclasses.replace(it, sums={0: 0}), "sums at"),
        (lambda it: dataclasses.replace(it, segments=it.segments[:-1]), "layers"),
        (lambda it: dataclasses.replace(it, push=dataclasses.replace(it.push, arena_bytes=4)), "with pushed rows"),
    ],
)
def test_contradictions_are_found(change: Callable[[Plan], Plan], message: str) -> None:
    planned = small_plan()
    with pytest.raises(PlanError, match=message):
        check_plan(change(planned))


def test_a_buffer_must_be_there_when_it_is_used() -> None:
    planned = small_plan()
    late = next(buffer for buffer in planned.buffers if buffer.last > buffer.first)
    buffers = tuple(dataclasses.replace(it, first=it.last) if it == late else it for it in planned.buffers)
    with pytest.raises(PlanError, match="in segment"):
        check_plan(dataclasses.replace(planned, buffers=buffers))
