"""The proof of a plan: buffers and steps are as they must be, and an abstract run finds each row where it belongs."""

from __future__ import annotations

import numpy as np

from firmware_export.memory import aligned
from firmware_export.plan import INPUT, Buffer, Plan
from firmware_export.plan_execution import PlanError, execute, need


def check_plan(plan: Plan) -> None:
    """Prove a plan.

    If rows can be pushed, it is the pushed run that is proven: in the other one the input does not lie in the arena,
    and all else is the same.

    Raises:
        PlanError: What is wrong.
    """
    _check_buffers(plan)
    _check_steps(plan)
    execute(plan)


def _check_buffers(plan: Plan) -> None:
    """What lies in the arena lies in a buffer of its own, inside the arena, aligned, and while that is there."""
    program, have, bound = plan.program, plan.arena_bytes, plan.lower_bound
    wanted = aligned(max((buffer.offset + buffer.bytes for buffer in plan.buffers), default=0))
    need(have == wanted, f"an arena of {have} bytes, but the buffers end at {wanted}")
    need(0 <= bound <= have, f"an arena of {have} bytes, below the bound of {bound}")
    for buffer in plan.buffers:
        need(buffer.offset >= 0 and buffer.offset == aligned(buffer.offset), f"{buffer} is not aligned")
    if plan.push is not None:
        kept = plan.push.storage
        need(kept.offset >= 0 and kept.offset == aligned(kept.offset), f"pushed rows at {kept.offset} are not aligned")
        wanted = aligned(max(kept.offset + kept.kept * kept.row_bytes, have))
        need(plan.push.arena_bytes == wanted, f"{plan.push.arena_bytes} bytes with pushed rows instead of {wanted}")
    buffers = {(_part(buffer), buffer.owner): buffer for buffer in plan.buffers}
    need(len(buffers) == len(plan.buffers), "two buffers of one owner")
    computed = {layer.output for layer in program.layers} - set(program.outputs)
    need(set(plan.storage) == computed, f"storage of the values {sorted(plan.storage)} instead of {sorted(computed)}")
    for index, storage in plan.storage.items():
        value, key = program.values[index], ("value", _owner(plan, index))
        need(key in buffers, f"value {index} has no buffer")
        need(0 < storage.kept <= value.rows and storage.row_bytes == value.row_bytes, f"value {index}: {storage}")
        place = (buffers[key].offset, buffers[key].bytes)
        need((storage.offset, storage.kept * storage.row_bytes) == place, f"value {index} is not at {place}")
    for part, offsets in (("sums", plan.sums), ("scratch", plan.scratch)):
        placed = {owner: (buffer.offset, buffer.bytes) for (kind, owner), buffer in buffers.items() if kind == part}
        sizes = {index: getattr(layer, f"{part}_bytes") for index, layer in enumerate(program.layers)}
        needed = {index: (offsets.get(index), size) for index, size in sizes.items() if size}
        need(placed == needed and set(offsets) == set(needed), f"{part} at {placed} instead of {needed}")
    for number, segment in enumerate(plan.segments):
        for index in segment.layers:
            layer = program.layers[index]
            values = {layer.output, *(read.value for read in layer.reads)} & computed
            keys = [("value", _owner(plan, value)) for value in values]
            keys += [(part, index) for part in ("sums", "scratch") if (part, index) in buffers]
            for key in keys:
                there = buffers[key].first <= number <= buffers[key].last
                need(there, f"layer {index} needs {buffers[key]} in segment {number}")


def _part(buffer: Buffer) -> str:
    return buffer.kind if buffer.kind in ("sums", "scratch") else "value"


def _owner(plan: Plan, value: int) -> int:
    """The value whose memory a value lies in."""
    for _ in plan.storage:
        taken = plan.storage[value].in_place_of
        if taken is None:
            return value
        need(taken in plan.storage, f"value {value} lies in place of value {taken}, which has no memory")
        value = taken
    raise PlanError(f"value {value} lies in its own place")


def _check_steps(plan: Plan) -> None:
    """Every layer stands in one segment, with each of its steps once; only a layer alone runs backwards."""
    layers = [layer for segment in plan.segments for layer in segment.layers]
    need(sorted(layers) == list(range(len(plan.program.layers))), f"layers {layers}")
    for number, segment in enumerate(plan.segments):
        name = f"segment {number}"
        need(list(segment.layers) == sorted(segment.layers), f"{name}: layers {segment.layers}")
        allowed = {INPUT} if number == 0 and plan.push is not None else set()
        steps = np.asarray(segment.order, np.int64)
        need(set(segment.order) - allowed == set(segment.layers), f"{name}: steps of other layers")
        for layer in segment.layers:
            made, wanted = int((steps == layer).sum()), plan.program.layers[layer].steps
            need(made == wanted, f"{name}: {made} steps of layer {layer} instead of {wanted}")
        alone = len(segment.layers) == 1 and INPUT not in segment.order
        need(alone or not segment.reverse, f"{name}: several layers backwards")
        left = any(plan.program.layers[layer].sums_bytes for layer in segment.layers)
        need(not (segment.reverse and left), f"{name}: a layer backwards that leaves something for its next step")
