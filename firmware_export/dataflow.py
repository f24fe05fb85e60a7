"""Which rows each step of a layer needs, counted in the rows of whoever writes them. Tables for the planner."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import lcm

import numpy as np
from numpy.typing import NDArray

from firmware_export.layer import Layer, Program, Read

NEVER = 1 << 40
"""A row beyond all rows: nothing is needed any more."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Access:
    """What a layer reads of one value, all its reads of it together.

    Attributes:
        value: Its index.
        high: ``[steps]``, the highest row that a step reads; -1 where it reads none.
        low: ``[steps + 1]``, the lowest row that a step or a later one reads; ``NEVER`` where they read none.
        unit: A ring of the value must have a multiple of so many rows, for this layer to find each of its own rows,
            which may be of another size, in one piece.
    """

    value: int
    high: Rows
    low: Rows
    unit: int

    @cached_property
    def counts(self) -> list[int]:
        """``high + 1``: how many rows must be there."""
        counts: list[int] = (self.high + 1).tolist()
        return counts

    @cached_property
    def lows(self) -> list[int]:
        """``low``."""
        lows: list[int] = self.low.tolist()
        return lows


@dataclass(frozen=True)
class Form:
    """A layer as it is, or as its accumulating form.

    Attributes:
        layer: That form.
        at_end: Its only row is there after its last step, instead of one row after each.
        accesses: What it reads of values that are not constants, in the order of its reads.
    """

    layer: Layer
    at_end: bool
    accesses: tuple[Access, ...]

    def access(self, value: int) -> Access | None:
        """What it reads of a value; None if nothing."""
        return next((access for access in self.accesses if access.value == value), None)

    def steps_for(self, rows: Rows) -> Rows:
        """How many steps must be done for a row (-1: none) and those before it to be there."""
        return np.where(rows >= 0, self.layer.steps, 0) if self.at_end else rows + 1


@dataclass(frozen=True)
class Dataflow:
    """A program, seen from its rows.

    Attributes:
        program: The program.
        forms: Of each layer: as it is, and accumulating if it can be.
        writer: The layer that writes a value, for all values that are computed.
        readers: The layers that read a value, ascending.
        arena: Values that lie in the arena: computed, and not the network's outputs.
        pushed: The input, if it can be handed over row by row: the only one, of several rows.
    """

    program: Program
    forms: tuple[tuple[Form, ...], ...]
    writer: dict[int, int]
    readers: dict[int, tuple[int, ...]]
    arena: frozenset[int]
    pushed: int | None


def analyze(program: Program) -> Dataflow:
    """The tables of a program."""
    writer: dict[int, int] = {}
    for index, layer in enumerate(program.layers):
        value, other = program.values[layer.output], layer.accumulating or layer
        assert layer.output not in writer and value.data is None, f"layer {index}: its value is written twice"
        assert (layer.rows, layer.row_bytes) == (value.rows, value.row_bytes), f"layer {index}: rows unlike its value's"
        assert other.output == layer.output, f"layer {index}: its accumulating form writes something else"
        assert _values(other) == _values(layer), f"layer {index}: its accumulating form reads something else"
        writer[layer.output] = index
    read_by: dict[int, list[int]] = {value.index: [] for value in program.values}
    for index, layer in enumerate(program.layers):
        for number in _values(layer):
            read_by[number].append(index)
            given = number in program.inputs or program.values[number].data is not None
            assert given or writer.get(number, index) < index, f"layer {index} reads value {number} too early"
    single = program.inputs[0] if len(program.inputs) == 1 else None
    return Dataflow(
        program=program,
        forms=tuple(
            tuple(_form(program, form) for form in (layer, layer.accumulating) if form is not None)
            for layer in program.layers
        ),
        writer=writer,
        readers={value: tuple(layers) for value, layers in read_by.items()},
        arena=frozenset(writer) - frozenset(program.outputs),
        pushed=single if single is not None and program.values[single].rows > 1 else None,
    )


def _values(layer: Layer) -> list[int]:
    return sorted({read.value for read in layer.reads})


def _form(program: Program, layer: Layer) -> Form:
    reads: dict[int, list[Read]] = {}
    for read in layer.reads:
        if program.values[read.value].data is None:
            reads.setdefault(read.value, []).append(read)
    accesses = []
    for value, of_value in reads.items():
        low, high = (np.stack(ends) for ends in zip(*(_ends(program, read) for read in of_value), strict=True))
        unit = lcm(*(_unit(program, read) for read in of_value))
        accesses.append(Access(value, high.max(axis=0), _from_here_on(low.min(axis=0)), unit))
    assert layer.steps == layer.rows or layer.rows == 1, f"{layer.op}: {layer.steps} steps make {layer.rows} rows"
    return Form(layer, layer.steps > layer.rows, tuple(accesses))


def _ends(program: Program, read: Read) -> tuple[Rows, Rows]:
    """The lowest and the highest row that each step reads, in the writer's rows; ``NEVER`` and -1 for none."""
    value = program.values[read.value]
    rows = value.nbytes // read.row_bytes
    start = np.asarray(read.start, np.int64)
    skipped = np.where(start < 0, -(start // read.step), 0)    # rows in front of the first that exists
    low = start + skipped * read.step
    last = np.minimum(read.count - 1, (rows - 1 - start) // read.step)
    high = start + last * read.step
    exist = (skipped < read.count) & (low < rows) & (high >= low)
    first_byte, end_byte = low * read.row_bytes, (high + 1) * read.row_bytes
    return np.where(exist, first_byte // value.row_bytes, NEVER), np.where(exist, (end_byte - 1) // value.row_bytes, -1)


def _from_here_on(low: Rows) -> Rows:
    return np.append(np.minimum.accumulate(low[::-1])[::-1], NEVER)


def _unit(program: Program, read: Read) -> int:
    """See ``Access.unit``: all rows, where they must lie one after the other or a row here is cut across there."""
    value = program.values[read.value]
    if read.contiguous or (read.row_bytes % value.row_bytes and value.row_bytes % read.row_bytes):
        return value.rows
    return max(1, read.row_bytes // value.row_bytes)


def least_rows(flow: Dataflow, value: int, plain: int | None = None) -> int:
    """Rows of a value that are alive at once in every order of rows, if all its readers run in one segment.

    Before a reader's step, all the rows must have been there that the step needs, directly or by way of layers in
    between (these are in the same segment, for layers between two layers of a segment always are); and the rows that
    this reader itself has still to read are alive. So a skip connection is counted with its delay.

    Args:
        flow: The program.
        value: The value.
        plain: A layer that does not accumulate, though it could.
    """
    readers = flow.readers[value]
    if not readers:
        return 1
    reached: dict[int, Rows] = {}    # by layer: the highest row of ``value`` that must be there for each step
    found = 1
    for index in range(readers[0], readers[-1] + 1):
        options: list[int] = []
        forms = flow.forms[index][:1] if index == plain else flow.forms[index]
        for form in forms:
            access = form.access(value)
            needed = _reached(flow, form, value, reached)
            if needed is None:
                break
            if not options:
                reached[index] = needed
            if access is not None:
                span = (needed - access.low[:-1] + 1)[access.low[:-1] < NEVER]
                rows = max(1, int(span.max(initial=1)))
                unit = access.unit if len(forms) == 1 else 1
                options.append(-(-rows // unit) * unit)
        found = max(found, min(options, default=1))
    return min(found, flow.program.values[value].rows)


def _reached(flow: Dataflow, form: Form, value: int, reached: dict[int, Rows]) -> Rows | None:
    """The highest row of a value that each step of a layer waits for; None if it does not come from that value."""
    needed = None
    for access in form.accesses:
        if access.value == value:
            here = access.high
        elif flow.writer.get(access.value) in reached:
            made = reached[flow.writer[access.value]]
            steps = flow.forms[flow.writer[access.value]][0].steps_for(access.high)
            here = np.where(steps > 0, made[steps - 1], -1)
        else:
            continue
        needed = here if needed is None else np.maximum(needed, here)
    return None if needed is None else np.maximum.accumulate(needed)
