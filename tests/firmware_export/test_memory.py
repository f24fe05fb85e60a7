"""Placement: never two blocks over each other, never under the bound, and on few blocks the optimum."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.memory import ALIGNMENT, Block, Overlap, Placement, aligned, lower_bound, place


@st.composite
def blocks_of(draw: st.DrawFn, most: int, moments: int = 4, size: int = 24) -> list[Block]:
    """Blocks with lifetimes."""
    found = []
    for _ in range(draw(st.integers(1, most))):
        first = draw(st.integers(0, moments))
        last = draw(st.integers(first, moments))
        found.append(Block(draw(st.integers(1, size)), first, last, transient=draw(st.integers(0, 5)) == 0))
    return found


@st.composite
def overlaps_of(draw: st.DrawFn, blocks: Sequence[Block]) -> list[Overlap]:
    """Some pairs that may overlap."""
    pairs = list(itertools.permutations(range(len(blocks)), 2))
    if not pairs:
        return []
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=3, unique=True))
    return [Overlap(below, above, draw(st.integers(0, 24))) for below, above in chosen]


def may_meet(blocks: Sequence[Block], one: int, other: int) -> bool:
    a, b = blocks[one], blocks[other]
    return a.last < b.first or b.last < a.first or (a.transient and b.transient)


def fits(
    blocks: Sequence[Block], overlaps: Sequence[Overlap], offsets: Sequence[int], one: int, other: int
) -> bool:
    """Whether two blocks lie as they may."""
    apart = offsets[one] + blocks[one].size <= offsets[other] or offsets[other] + blocks[other].size <= offsets[one]
    return (
        apart
        or may_meet(blocks, one, other)
        or any(
            {overlap.below, overlap.above} == {one, other}
            and offsets[overlap.above] - offsets[overlap.below] >= overlap.distance
            for overlap in overlaps
        )
    )


def check(blocks: Sequence[Block], overlaps: Sequence[Overlap], placed: Placement, extra: int | None = None) -> None:
    for one, other in itertools.combinations(range(len(blocks)), 2):
        assert fits(blocks, overlaps, placed.offsets, one, other), (one, other, placed)
    assert all(offset >= 0 and offset % ALIGNMENT == 0 for offset in placed.offsets)
    ends = [offset + block.size for offset, block in zip(placed.offsets, blocks, strict=True)]
    assert placed.bytes == max((end for index, end in enumerate(ends) if index != extra), default=0)
    assert placed.bytes_with_extra == max(ends)


def best_by_trying(blocks: Sequence[Block], overlaps: Sequence[Overlap]) -> int:
    """Every aligned offset of every block, below the best that is known."""
    offsets = [0] * len(blocks)
    best = sum(block.size for block in blocks)

    def walk(index: int, end: int) -> None:
        nonlocal best
        if index == len(blocks):
            best = min(best, end)
            return
        for offset in range(0, best - blocks[index].size, ALIGNMENT):
            offsets[index] = offset
            if all(fits(blocks, overlaps, offsets, index, other) for other in range(index)):
                walk(index + 1, max(end, offset + blocks[index].size))

    walk(0, 0)
    return best


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_few_blocks_lie_as_low_as_they_can(data: st.DataObject) -> None:
    blocks = data.draw(blocks_of(5))
    overlaps = data.draw(overlaps_of(blocks))
    placed = place(blocks, overlaps)
    check(blocks, overlaps, placed)
    assert placed.bytes == best_by_trying(blocks, overlaps)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_many_blocks_lie_as_they_may(data: st.DataObject) -> None:
    blocks = data.draw(blocks_of(30, moments=8, size=100))
    overlaps = data.draw(overlaps_of(blocks))
    extra = data.draw(st.sampled_from([None, *range(len(blocks))]))
    # The extra block is not one of those that overlap.
    overlaps = [overlap for overlap in overlaps if extra not in (overlap.below, overlap.above)]
    placed = place(blocks, overlaps, extra)
    check(blocks, overlaps, placed, extra)
    assert placed.bytes_with_extra >= lower_bound(blocks, overlaps)
    rest = [block for index, block in enumerate(blocks) if index != extra]
    if extra is None:
        assert placed.bytes >= lower_bound(rest, overlaps)
    assert place(blocks, overlaps, extra) == placed


@settings(max_examples=100, deadline=None)
@given(blocks_of(12, moments=6))
def test_the_bound_is_what_is_alive_at_the_worst_moment(blocks: list[Block]) -> None:
    alive = []
    for moment in range(7):
        there = [block for block in blocks if block.first <= moment <= block.last]
        lasting = [aligned(block.bytes) for block in there if not block.transient]
        alive.append(sum(lasting) + max([aligned(block.bytes) for block in there if block.transient], default=0))
    assert lower_bound(blocks) == max(alive)


def test_a_chain_of_overlapping_values_meets_the_bound_by_going_up_and_down() -> None:
    """Each value lies 8 bytes from the one before it, below or above; going one way, the chain needs 100 + 9 · 8."""
    blocks = [Block(100, index, index + 1) for index in range(10)]
    both = [
        overlap
        for index in range(9)
        for overlap in (Overlap(index + 1, index, 8), Overlap(index, index + 1, 8))
    ]
    placed = place(blocks, both)
    check(blocks, both, placed)
    assert placed.bytes == lower_bound(blocks, both) == 108
    one_way = [Overlap(index + 1, index, 8) for index in range(9)]
    placed = place(blocks, one_way)
    check(blocks, one_way, placed)
    assert placed.bytes == 100 + 9 * 8


def test_transient_blocks_share_their_bytes() -> None:
    blocks = [Block(100, 0, 3), *(Block(size, 1, 1, transient=True) for size in (10, 50, 30))]
    assert place(blocks).bytes == 152 == lower_bound(blocks)


def test_the_extra_block_lies_in_the_gaps() -> None:
    """The small one leaves room beside it while the extra one is there."""
    blocks = [Block(40, 0, 0), Block(100, 1, 1), Block(60, 0, 0)]
    placed = place(blocks, extra=2)
    assert (placed.bytes, placed.bytes_with_extra) == (100, 100)
    assert place([Block(40, 0, 0), Block(60, 0, 0)], extra=1) == Placement((0, 40), 40, 100)


def test_nothing_needs_nothing() -> None:
    assert place([]) == Placement((), 0, 0)
    assert lower_bound([]) == 0
