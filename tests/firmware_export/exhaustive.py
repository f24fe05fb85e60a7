"""The planner's model once more, slowly: every cut, every form, every place, and what is alive row by row."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from firmware_export.dataflow import Dataflow, Form
from firmware_export.layer import Layer, Read
from firmware_export.plan import INPUT
from firmware_export.simulate import Task, simulate

Event = tuple[int, int]
"""A layer or ``INPUT``, and its step."""


@dataclass(frozen=True, order=True)
class Cost:
    """Bytes of a segment, and what pushed input adds."""

    bytes: int
    pushed: int


def downsets(flow: Dataflow) -> list[frozenset[int]]:
    """Sets of layers that hold with each layer all that it reads from."""
    layers = range(len(flow.program.layers))
    made_by = {layer.output: index for index, layer in enumerate(flow.program.layers)}
    needs = {
        index: {made_by[read.value] for read in flow.program.layers[index].reads if read.value in made_by}
        for index in layers
    }
    return [
        frozenset(chosen)
        for size in range(len(layers) + 1)
        for chosen in itertools.combinations(layers, size)
        if all(needs[index] <= set(chosen) for index in chosen)
    ]


def optimum(flow: Dataflow) -> tuple[int, int, int, int]:
    """Worst bytes, worst bytes with pushed input, layers run with others, segments: the first as small as can be, then
    the second, and so on."""
    states = downsets(flow)
    cost = {
        (before, after): cheapest(flow, before, after) for before in states for after in states if before < after
    }
    every = frozenset(range(len(flow.program.layers)))

    def least(allowed: Mapping[tuple[frozenset[int], frozenset[int]], int]) -> int:
        reached = {frozenset(): 0}
        for state in states[1:]:
            ways = [max(reached[one], allowed[one, state]) for one in reached if (one, state) in allowed]
            if ways:
                reached[state] = min(ways)
        return reached[every]

    worst = least({edge: found.bytes for edge, found in cost.items()})
    fit = {edge: found.bytes + found.pushed for edge, found in cost.items() if found.bytes <= worst}
    worst_pushed = least(fit)
    prices: dict[frozenset[int], tuple[int, int]] = {frozenset(): (0, 0)}
    for state in states[1:]:
        ways = []
        for one, (streamed, segments) in prices.items():
            if fit.get((one, state), worst_pushed + 1) <= worst_pushed:
                size = len(state - one)
                ways.append((streamed + (size if size > 1 else 0), segments + 1))
        if ways:
            prices[state] = min(ways)
    return (worst, worst_pushed, *prices[every])


def cheapest(flow: Dataflow, before: frozenset[int], after: frozenset[int]) -> Cost:
    """A segment with the best choices."""
    layers = sorted(after - before)
    found = []
    for forms in itertools.product(*(flow.forms[layer] for layer in layers)):
        chosen = dict(zip(layers, forms, strict=True))
        orders = {
            simulate(flow, task(flow, before, after, chosen, frozenset(deep))).order
            for size in range(len(layers) + 1)
            for deep in itertools.combinations(layers, size)
        }
        for in_place, order in itertools.product(places(flow, before, chosen), orders):
            found.append(cost_of(flow, before, after, chosen, in_place, order))
    return min(found)


def task(
    flow: Dataflow,
    before: frozenset[int],
    after: frozenset[int],
    forms: Mapping[int, Form],
    deep_first: frozenset[int],
) -> Task:
    """For the order only."""
    outputs = {form.layer.output for form in forms.values()}
    lasting = {value for value in outputs if set(flow.readers[value]) - after} | set(flow.program.outputs)
    pushed = None if before else flow.pushed
    owner = {} if pushed is None else {pushed: pushed}
    return Task(forms, owner, frozenset(owner), frozenset(lasting), (), pushed, deep_first)


def places(flow: Dataflow, before: frozenset[int], forms: Mapping[int, Form]) -> Iterator[dict[int, int]]:
    """Every way to write in place."""
    options = []
    for form in forms.values():
        layer = form.layer
        takes: list[tuple[int, int] | None] = [None]
        for position in layer.in_place:
            read = layer.reads[position]
            value = flow.program.values[read.value]
            left = [forms.get(index) for index in flow.readers[read.value] if index not in before]
            if (
                {read.value, layer.output} <= flow.arena
                and left == [form]
                and [one.value for one in layer.reads].count(read.value) == 1
                and (value.rows, value.row_bytes, read.row_bytes) == (layer.rows, layer.row_bytes, layer.row_bytes)
                and [touched(flow, read, step) for step in range(layer.steps)] == [{row} for row in range(layer.rows)]
                and not read.contiguous
            ):
                takes.append((layer.output, read.value))
        options.append(takes)
    for combination in itertools.product(*options):
        yield dict(one for one in combination if one is not None)


def touched(flow: Dataflow, read: Read, step: int) -> set[int]:
    """The writer's rows that a step reads."""
    value = flow.program.values[read.value]
    found = set()
    for number in range(read.count):
        row = read.start[step] + number * read.step
        if 0 <= row < value.nbytes // read.row_bytes:
            first, last = row * read.row_bytes, (row + 1) * read.row_bytes - 1
            found.update(range(first // value.row_bytes, last // value.row_bytes + 1))
    return found


def cost_of(
    flow: Dataflow,
    before: frozenset[int],
    after: frozenset[int],
    forms: Mapping[int, Form],
    in_place: Mapping[int, int],
    order: Sequence[int],
) -> Cost:
    """What lies in the arena."""
    values, program = flow.program.values, flow.program
    layers = {index: form.layer for index, form in forms.items()}
    events = [(index, list(order[:at]).count(index)) for at, index in enumerate(order)]
    alive = {
        program.layers[index].output for index in before if set(flow.readers[program.layers[index].output]) - before
    } & flow.arena
    made = [layer.output for layer in layers.values() if layer.output in flow.arena]
    crossing = {value for value in made if set(flow.readers[value]) - after}

    def owner(value: int) -> int:
        return owner(in_place[value]) if value in in_place else value

    there = (*made, *alive)
    members = {own: [value for value in there if owner(value) == own] for own in map(owner, there)}
    whole = {owner(value) for value in crossing} - alive
    total = sum(up(values[value].nbytes) for value in (*alive, *whole))
    for own, shared in members.items():
        if own not in alive and own not in whole:
            total += up(ring(flow, layers, events, shared) * values[own].row_bytes)
    total += sum(up(layer.sums_bytes) for layer in layers.values())
    total += max(up(layer.scratch_bytes) for layer in layers.values())
    dying = {value for value in alive if not set(flow.readers[value]) - after and not crossing & set(members[value])}
    best = 0
    for new, old in itertools.product(sorted(whole), sorted(dying)):
        sizes = up(values[new].nbytes), up(values[old].nbytes)
        best = max(best, sum(sizes) - forward(flow, layers, events, members[new], members[old]))
        if len(layers) == 1 and not forms[events[-1][0]].at_end and (before or flow.pushed is None):
            best = max(best, sum(sizes) - backward(flow, layers, events, members[new], members[old]))
    pushed = 0
    if flow.pushed is not None:
        readers = set(flow.readers[flow.pushed])
        size = values[flow.pushed].nbytes
        if not before and readers <= after:
            size = ring(flow, layers, events, [flow.pushed]) * values[flow.pushed].row_bytes
        pushed = up(size) if not before or readers - before else 0
    return Cost(total - best, pushed)


def up(size: int) -> int:
    return (size + 3) // 4 * 4


def row_written(layers: Mapping[int, Layer], event: Event, shared: Sequence[int], pushed: int | None) -> int | None:
    """The row of one of the values that an event writes."""
    index, step = event
    if index == INPUT:
        return step if pushed in shared else None
    layer = layers[index]
    if layer.output not in shared:
        return None
    if layer.steps != layer.rows:
        return 0 if step == layer.steps - 1 else None
    return step


def needed_from(
    flow: Dataflow, layers: Mapping[int, Layer], events: Sequence[Event], shared: Sequence[int]
) -> list[set[int]]:
    """For each event: the rows of the values that it or a later one reads."""
    found: list[set[int]] = [set()]
    for index, step in reversed(events):
        reads = layers[index].reads if index != INPUT else ()
        now = [touched(flow, read, step) for read in reads if read.value in shared]
        found.append(found[-1].union(*now))
    return found[:0:-1]


def ring(flow: Dataflow, layers: Mapping[int, Layer], events: Sequence[Event], shared: Sequence[int]) -> int:
    """Rows that must be kept."""
    value = flow.program.values[shared[0]]
    rows = 1
    for event, needed in zip(events, needed_from(flow, layers, events, shared), strict=True):
        row = row_written(layers, event, shared, flow.pushed)
        if row is not None and needed:
            rows = max(rows, row - min(needed) + 1)
    reads = [read for layer in layers.values() for read in layer.reads if read.value in shared]
    sizes = [read.row_bytes for read in reads]
    if any(read.contiguous for read in reads):
        return value.rows
    if any(max(size, value.row_bytes) % min(size, value.row_bytes) for size in sizes):
        return value.rows
    while any(rows * value.row_bytes % size for size in sizes):
        rows += 1
    return min(rows, value.rows)


def forward(
    flow: Dataflow, layers: Mapping[int, Layer], events: Sequence[Event], new: Sequence[int], old: Sequence[int]
) -> int:
    """Bytes of both together if the old value lies as little above the new one as it can."""
    made, dies = flow.program.values[new[0]], flow.program.values[old[0]]
    distance = 0
    for event, needed in zip(events, needed_from(flow, layers, events, old), strict=True):
        row = row_written(layers, event, new, None)
        if row is not None and needed:
            distance = max(distance, (row + 1) * made.row_bytes - min(needed) * dies.row_bytes)
    return max(up(made.nbytes), up(distance) + up(dies.nbytes))


def backward(
    flow: Dataflow, layers: Mapping[int, Layer], events: Sequence[Event], new: Sequence[int], old: Sequence[int]
) -> int:
    """The same with the new one above and its rows made from the last to the first."""
    made, dies = flow.program.values[new[0]], flow.program.values[old[0]]
    steps = [event for event in events if event[0] != INPUT][::-1]
    distance = 0
    for event, needed in zip(steps, needed_from(flow, layers, steps, old), strict=True):
        row = row_written(layers, event, new, None)
        if row is not None and needed:
            distance = max(distance, (max(needed) + 1) * dies.row_bytes - row * made.row_bytes)
    return max(up(dies.nbytes), up(distance) + up(made.nbytes))
