"""What the planner decides: which layers run depth first together, in which order of rows, and where all bytes lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from firmware_export.layer import Program

INPUT = -1
"""In ``Segment.order``: the next row of the network's input must be there."""

Kind = Literal["whole", "ring", "sums", "scratch", "input"]


@dataclass(frozen=True)
class Segment:
    """Layers that run together.

    Attributes:
        layers: Their indices in ``Program.layers``, ascending. One layer alone runs whole.
        order: The layer of each step, in the order in which the steps run. The k-th time that a layer stands here is
            its step k (with ``reverse``: counted from its last one down). ``INPUT`` stands where the next input row is
            needed.
        reverse: One layer whose rows are made from the last to the first, so that its output can lie over its input.
    """

    layers: tuple[int, ...]
    order: tuple[int, ...]
    reverse: bool = False

    @property
    def is_stepped(self) -> bool:
        """Whether it follows its list of steps, rather than being a loop over one layer's rows."""
        return len(self.layers) > 1 or INPUT in self.order


@dataclass(frozen=True)
class Buffer:
    """A stretch of the arena.

    Attributes:
        kind: ``whole`` and ``ring`` hold a value's rows, ``sums`` and ``scratch`` belong to a layer, ``input`` is the
            ring of pushed rows.
        owner: Index of the value, or of the layer.
        bytes: Its size.
        offset: Where it begins, a multiple of the alignment.
        first: Index of the first segment that needs it.
        last: Index of the last one.
    """

    kind: Kind
    owner: int
    bytes: int
    offset: int
    first: int
    last: int


@dataclass(frozen=True)
class Storage:
    """Where a value's rows lie: row r of ``row_bytes`` at ``offset + r % kept * row_bytes`` of the arena.

    Attributes:
        offset: In the arena.
        kept: Rows that are kept; all of them where the value is whole.
        row_bytes: Of a row as its writer makes it.
        in_place_of: The value whose memory this one takes over, row by row; None if it has memory of its own.
    """

    offset: int
    kept: int
    row_bytes: int
    in_place_of: int | None = None


@dataclass(frozen=True)
class Push:
    """How the input is kept when the caller hands it over row by row.

    Attributes:
        storage: Of the input's rows.
        arena_bytes: Of the arena, these rows included.
    """

    storage: Storage
    arena_bytes: int


@dataclass(frozen=True)
class Plan:
    """The decisions.

    Attributes:
        program: The program, with accumulating layers where the planner chose that form.
        segments: In execution order; every layer stands in one of them.
        buffers: Everything in the arena, without the pushed input's rows.
        storage: For each value that lies in the arena.
        sums: Offset of each layer's accumulators, by its index.
        scratch: Offset of each layer's scratch memory, by its index.
        arena_bytes: End of the last buffer.
        lower_bound: Bytes that are alive at once at the worst moment: no placement of these segments can need less.
        push: None if the input cannot be pushed (several inputs, or a single row).
    """

    program: Program
    segments: tuple[Segment, ...]
    buffers: tuple[Buffer, ...]
    storage: Mapping[int, Storage]
    sums: Mapping[int, int]
    scratch: Mapping[int, int]
    arena_bytes: int
    lower_bound: int
    push: Push | None

    @property
    def counters(self) -> int:
        """Row counters that the stepped segments need: those of the longest."""
        return max((len(segment.layers) for segment in self.segments if segment.is_stepped), default=0)
