"""Where a compiled network keeps what it computes: the compiler's plan as a document that every report is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from firmware_export.emit.names import names_of
from firmware_export.layer import Array, Layer
from firmware_export.plan import INPUT, Buffer, Kind, Plan, Segment

Kept = Literal["whole", "ring", "in place", "over input", "output"]
"""How a layer's output is kept.

``whole``: all its rows. ``ring``: the rows that somebody still needs. ``in place``: each row over a row of an input.
``over input``: all rows, in memory of an input that is read for the last time. ``output``: in the caller's memory.
"""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlannedLayer(_Record):
    """One kernel call and what it costs."""

    name: str = Field(description="As in the C text: the operator and its number, conv_2d_1.")
    op: str = Field(description="TFLite's operator; COPY for a move that the compiler added.")
    tensor: str = Field(description="Name of the output in the model file.")
    output_shape: tuple[int, ...]
    dtype: str = Field(description="Of the output.")
    macs: int = Field(description="Multiply-accumulates.")
    weight_bytes: int = Field(description="Weights, biases and requantization tables of this layer.")
    kept: Kept
    rows: int = Field(description="Of the output.")
    rows_kept: int = Field(description="How many of them are in the arena at once; 0 for the caller's output.")
    output_bytes: int = Field(description="Of the arena for the output alone; 0 where it has no memory of its own.")
    scratch_bytes: int = Field(description="Of the arena for accumulators and for work within a row.")
    segment: int = Field(description="Index of the segment that runs it.")


class PlannedBuffer(_Record):
    """A stretch of the arena."""

    kind: Kind = Field(description="whole and ring hold rows; sums and scratch are a layer's work.")
    layers: tuple[int, ...] = Field(description="Layers whose output, sums or scratch it is; none for the input.")
    bytes: int
    offset: int
    first: int = Field(description="Index of the first segment that needs it.")
    last: int = Field(description="Index of the last one.")
    written: float = Field(description="Share of the first segment's work that is done when it is first written.")
    read: float = Field(description="Share of the last segment's work that is done when it was last read.")


class PlannedSegment(_Record):
    """Layers that run row by row together; one layer alone runs whole."""

    layers: tuple[int, ...]
    reverse: bool = Field(description="Its rows are made from the last to the first.")
    work: float = Field(description="About how long it takes: multiply-accumulates and bytes written.")


class MemoryPlan(_Record):
    """The whole plan. Input and output lie in the caller's memory, beside the arena."""

    arena_bytes: int
    lower_bound_bytes: int = Field(description="Alive at once at the worst moment: no placement can need less.")
    push_arena_bytes: int | None = Field(description="Of the arena when the input comes row by row; None if it cannot.")
    input_bytes: int
    output_bytes: int
    weight_bytes: int = Field(description="In flash: weights, biases, requantization tables and constant operands.")
    lookup_bytes: int = Field(description="In flash: tables that the compiler made, such as those of TANH.")
    macs: int
    tflm_arena_bytes: int | None = Field(default=None, description="TFLite Micro's arena, where it could be measured.")
    tflm_note: str = Field(default="", description="How TFLite Micro's arena was measured, or why it was not.")
    layers: tuple[PlannedLayer, ...]
    buffers: tuple[PlannedBuffer, ...]
    segments: tuple[PlannedSegment, ...]


class TargetSizes(_Record):
    """What the compiled C takes on a target, beside the arena and the caller's buffers."""

    target: str
    optimization: str = Field(description="-O2 or -Os.")
    code_bytes: int = Field(description="Instructions and the constants among them.")
    weight_bytes: int = Field(description="Weights, biases, requantization and look-up tables.")
    table_bytes: int = Field(description="The layers' parameters, the order of rows, names of classes.")
    flash_bytes: int = Field(description="Code, weights and tables.")
    ram_bytes: int = Field(description="Variables; 0, because all memory is the caller's.")
    stack_bytes: int | None = Field(description="Of a call at the deepest; None where the compiler does not tell.")
    push_stack_bytes: int | None = Field(description="Of the calls that take rows.")
    library: tuple[str, ...] = Field(description="Functions of the C library and the compiler's that it calls.")


def memory_plan(plan: Plan, tflm_arena_bytes: int | None = None, tflm_note: str = "") -> MemoryPlan:
    """The document of a plan.

    Args:
        plan: The compiler's.
        tflm_arena_bytes: TFLite Micro's arena for the same model.
        tflm_note: How that was measured.
    """
    program = plan.program
    names = names_of(program)
    segment_of = {layer: number for number, segment in enumerate(plan.segments) for layer in segment.layers}
    layers = tuple(
        _layer(plan, layer, names.layers[index], segment_of[index]) for index, layer in enumerate(program.layers)
    )
    read = {read.value for layer in program.layers for read in layer.reads}
    constants = sum(value.nbytes for value in program.values if value.data is not None and value.index in read)
    clocks = [_Clock(plan, segment) for segment in plan.segments]
    return MemoryPlan(
        arena_bytes=plan.arena_bytes,
        lower_bound_bytes=plan.lower_bound,
        push_arena_bytes=plan.push.arena_bytes if plan.push is not None else None,
        input_bytes=sum(program.values[index].nbytes for index in program.inputs),
        output_bytes=sum(program.values[index].nbytes for index in program.outputs),
        weight_bytes=sum(layer.weight_bytes for layer in layers) + constants,
        lookup_bytes=sum(_table_bytes(layer, weights=False) for layer in program.layers),
        macs=sum(layer.macs for layer in layers),
        tflm_arena_bytes=tflm_arena_bytes,
        tflm_note=tflm_note,
        layers=layers,
        buffers=tuple(_buffer(plan, names.writers, clocks, buffer) for buffer in plan.buffers),
        segments=tuple(
            PlannedSegment(layers=segment.layers, reverse=segment.reverse, work=round(clock.work, 1))
            for segment, clock in zip(plan.segments, clocks, strict=True)
        ),
    )


class _Clock:
    """When the layers of a segment work, as shares of its work: a MAC and a written byte count alike."""

    def __init__(self, plan: Plan, segment: Segment) -> None:
        layers = plan.program.layers
        cost = {index: layers[index].macs / layers[index].steps + layers[index].row_bytes for index in segment.layers}
        self.work = sum(cost[index] * layers[index].steps for index in segment.layers)
        self.begin: dict[int, float] = {}
        self.end: dict[int, float] = {}
        done = 0.0
        for index in segment.order:
            if index != INPUT:
                self.begin.setdefault(index, done / self.work)
                done += cost[index]
                self.end[index] = done / self.work


def _layer(plan: Plan, layer: Layer, name: str, segment: int) -> PlannedLayer:
    value = plan.program.values[layer.output]
    storage = plan.storage.get(value.index)
    kept = _kept(plan, layer)
    own = [buffer for buffer in plan.buffers if buffer.kind in ("whole", "ring") and buffer.owner == value.index]
    return PlannedLayer(
        name=name,
        op=layer.op,
        tensor=value.name,
        output_shape=value.shape,
        dtype=value.dtype,
        macs=layer.macs,
        weight_bytes=_table_bytes(layer, weights=True),
        kept=kept,
        rows=value.rows,
        rows_kept=storage.kept if storage is not None else 0,
        output_bytes=sum(buffer.bytes for buffer in own),
        scratch_bytes=layer.sums_bytes + layer.scratch_bytes,
        segment=segment,
    )


def _table_bytes(layer: Layer, weights: bool) -> int:
    tables = [field for field in layer.fields.values() if isinstance(field, Array)]
    return sum(table.data.nbytes for table in tables if table.is_weights == weights)


def _kept(plan: Plan, layer: Layer) -> Kept:
    storage = plan.storage.get(layer.output)
    if storage is None:
        return "output"
    if storage.in_place_of is not None:
        return "in place"
    if storage.kept < plan.program.values[layer.output].rows:
        return "ring"
    own = [buffer for buffer in plan.buffers if _holds(buffer, layer.output)]
    inputs = [buffer for buffer in plan.buffers if any(_holds(buffer, read.value) for read in layer.reads)]
    over = any(_overlap(one, other) for one in own for other in inputs)
    return "over input" if over else "whole"


def _holds(buffer: Buffer, value: int) -> bool:
    return buffer.kind in ("whole", "ring") and buffer.owner == value


def _overlap(one: Buffer, other: Buffer) -> bool:
    """Whether two buffers have bytes in common while both are there."""
    together = one.first <= other.last and other.first <= one.last
    return together and one.offset < other.offset + other.bytes and other.offset < one.offset + one.bytes


def _buffer(plan: Plan, writers: Mapping[int, int], clocks: Sequence[_Clock], buffer: Buffer) -> PlannedBuffer:
    layers = _layers_in(plan, writers, buffer)
    users = list(layers)
    if buffer.kind in ("whole", "ring"):
        values = {plan.program.layers[layer].output for layer in layers}
        every = enumerate(plan.program.layers)
        users += [index for index, layer in every if any(read.value in values for read in layer.reads)]
    first, last = clocks[buffer.first], clocks[buffer.last]
    return PlannedBuffer(
        kind=buffer.kind,
        layers=layers,
        bytes=buffer.bytes,
        offset=buffer.offset,
        first=buffer.first,
        last=buffer.last,
        written=round(min((first.begin[layer] for layer in users if layer in first.begin), default=0.0), 4),
        read=round(max((last.end[layer] for layer in users if layer in last.end), default=1.0), 4),
    )


def _layers_in(plan: Plan, writers: Mapping[int, int], buffer: Buffer) -> tuple[int, ...]:
    """The layer that a buffer belongs to, and those that write in place of what it holds."""
    if buffer.kind in ("sums", "scratch"):
        return (buffer.owner,)
    values = [value for value in writers if _memory_of(plan, value) == buffer.owner]
    return tuple(sorted(writers[value] for value in values))


def _memory_of(plan: Plan, value: int) -> int | None:
    """The value whose memory a value lies in, itself or another; None for the caller's memory."""
    while (storage := plan.storage.get(value)) is not None:
        if storage.in_place_of is None:
            return value
        value = storage.in_place_of
    return None


def kept_words(layer: PlannedLayer) -> str:
    """How a layer's output is kept, in two or three words: ``3 of 32 rows``."""
    return f"{layer.rows_kept} of {layer.rows} rows" if layer.kept == "ring" else layer.kept


def arithmetic(plan: MemoryPlan) -> str:
    """What the compiled network computes in: ``int8`` or ``int16×8``."""
    return "int16×8" if any(layer.dtype == "int16" for layer in plan.layers) else "int8"


def is_streamed(segment: PlannedSegment) -> bool:
    """Whether its layers run row by row together."""
    return len(segment.layers) > 1
