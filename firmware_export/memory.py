"""Where buffers lie in the arena: lifetimes in, offsets out. Pure functions that know nothing of networks.

Offline placement of blocks with lifetimes is dynamic storage allocation, NP-hard in general (Garey & Johnson, SR2).
Placing block after block at the lowest offset that is free finds the optimum for some sequence of the blocks, so the
sequence is what is searched: rules of thumb first, then by moving the block that sticks out to the front, and all
sequences where there are few blocks. It ends when the bound is met, which in networks is nearly always at once.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ALIGNMENT = 4
"""Of every offset, and of the arena."""

MOVES = 100_000
"""Blocks placed by a search that does not meet its bound."""

MOVES_FOR_EXTRA = 20_000
"""The same where only the bound with the extra block is not met."""

CROWD = 32
"""Blocks that a block meets; where they are several times as many, there are so many times fewer moves."""

FEW = 8
"""Blocks of which all sequences are tried."""


@dataclass(frozen=True)
class Block:
    """Memory that is needed from one moment to another.

    Attributes:
        bytes: Its size.
        first: The first moment.
        last: The last moment, which still counts.
        transient: Its bytes are used for an instant only: transient blocks may lie over each other.
    """

    bytes: int
    first: int
    last: int
    transient: bool = False

    @property
    def size(self) -> int:
        """Bytes, aligned."""
        return aligned(self.bytes)


@dataclass(frozen=True)
class Overlap:
    """Two blocks that may share bytes although both are needed, if one begins far enough above the other.

    Attributes:
        below: Index of the lower block.
        above: Index of the upper block.
        distance: Bytes from the beginning of the lower to that of the upper one, at least; 0 or more.
    """

    below: int
    above: int
    distance: int


@dataclass(frozen=True)
class Placement:
    """Where blocks lie.

    Attributes:
        offsets: Of each block, aligned.
        bytes: End of the highest, aligned; without the ``extra`` block.
        bytes_with_extra: The same with it.
    """

    offsets: tuple[int, ...]
    bytes: int
    bytes_with_extra: int


def aligned(size: int) -> int:
    """The next multiple of the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def lower_bound(blocks: Sequence[Block], overlaps: Sequence[Overlap] = ()) -> int:
    """Bytes alive at the worst moment: no placement can do with fewer.

    What is alive: aligned sizes, of transient blocks the largest, less what pairs that may overlap can share at best.
    """
    shared: dict[tuple[int, int], int] = {}
    for overlap in overlaps:
        pair = min(overlap.below, overlap.above), max(overlap.below, overlap.above)
        below, above = blocks[overlap.below].size, blocks[overlap.above].size
        together = max(below, aligned(overlap.distance) + above)
        shared[pair] = max(shared.get(pair, 0), below + above - together)
    worst = 0
    for moment in {block.first for block in blocks}:
        alive = [block.first <= moment <= block.last for block in blocks]
        lasting = sum(block.size for block, lives in zip(blocks, alive, strict=True) if lives and not block.transient)
        transient = max(
            (block.size for block, lives in zip(blocks, alive, strict=True) if lives and block.transient), default=0
        )
        saved = sum(size for (one, other), size in shared.items() if alive[one] and alive[other])
        worst = max(worst, lasting + transient - saved)
    return worst


def place(
    blocks: Sequence[Block], overlaps: Sequence[Overlap] = (), extra: int | None = None, by_rules: bool = False
) -> Placement:
    """Place blocks so that no two that are needed at the same moment share a byte, but for ``overlaps``.

    Deterministic. The fewest bytes that were found; under equal bytes the fewest with ``extra``.

    Args:
        blocks: What to place.
        overlaps: Pairs that may share bytes all the same.
        extra: A block that is placed after all others, around them, and not counted in ``Placement.bytes``.
        by_rules: Be content with what rules of thumb find, at once.
    """
    search = _Search(blocks, overlaps, extra)
    for sequence in _rules(blocks, search.counted):
        search.try_sequence(sequence)
        if search.done:
            break
    else:
        if not by_rules:
            search.improve()
    return search.best()


def _rules(blocks: Sequence[Block], counted: Sequence[int]) -> Iterator[list[int]]:
    """Sequences that are often right."""

    def alive(moment: int) -> int:
        return sum(blocks[one].size for one in counted if blocks[one].first <= moment <= blocks[one].last)

    def span(one: int) -> int:
        return blocks[one].last - blocks[one].first

    yield sorted(counted, key=lambda one: -blocks[one].size)
    yield sorted(counted, key=lambda one: (blocks[one].first, -blocks[one].size))
    yield sorted(counted, key=lambda one: (-span(one), -blocks[one].size))
    # Chains of values that overlap drift one way: what lasts in the order of time or against it, then the rest.
    for sign in (-1, 1):
        yield sorted(counted, key=lambda one: (span(one) == 0, sign * blocks[one].first, -blocks[one].size))
        yield sorted(counted, key=lambda one: (sign * blocks[one].last, -blocks[one].size))
    moments = sorted({blocks[one].first for one in counted}, key=lambda moment: (-alive(moment), moment))
    for peak in moments[:3]:    # from the fullest moment outwards
        yield sorted(
            counted,
            key=lambda one: (max(blocks[one].first - peak, peak - blocks[one].last, 0), -blocks[one].size),
        )


class _Search:
    """The best placement so far, and how to look for a better one."""

    def __init__(self, blocks: Sequence[Block], overlaps: Sequence[Overlap], extra: int | None) -> None:
        self.extra = extra
        self.size = [block.size for block in blocks]
        self.counted = [index for index in range(len(blocks)) if index != extra]
        # For each block and each that it must not meet: how far above or below that one's beginning it must begin.
        distances = {(overlap.below, overlap.above): aligned(overlap.distance) for overlap in overlaps}
        self.meets: list[list[tuple[int, int, int]]] = [[] for _ in blocks]
        for index, block in enumerate(blocks):
            for number, other in enumerate(blocks):
                apart = other.last < block.first or block.last < other.first or (block.transient and other.transient)
                if number != index and not apart and self.size[index] and self.size[number]:
                    above = min(distances.get((number, index), other.size), other.size)
                    below = min(distances.get((index, number), block.size), block.size)
                    self.meets[index].append((number, above, below))
        counted = [blocks[index] for index in self.counted]
        place_of = {index: number for number, index in enumerate(self.counted)}
        inner = [
            Overlap(place_of[overlap.below], place_of[overlap.above], overlap.distance)
            for overlap in overlaps
            if extra not in (overlap.below, overlap.above)
        ]
        self.bound = lower_bound(counted, inner)
        self.bound_with_extra = self.bound if extra is None else lower_bound(blocks, overlaps)
        self.found: tuple[int, int] | None = None
        self.offsets: list[int] = []
        self.moves = 0

    @property
    def done(self) -> bool:
        """There is nothing to gain."""
        return self.found == (self.bound, self.bound_with_extra)

    def best(self) -> Placement:
        """What was found."""
        assert self.found is not None
        return Placement(tuple(self.offsets), *self.found)

    def lowest(self, index: int, offsets: Sequence[int]) -> int:
        """The lowest offset at which a block meets none of those that lie already (offset -1: not yet)."""
        size, offset = self.size[index], 0
        taken = []
        for number, above, below in self.meets[index]:
            at = offsets[number]
            if at >= 0:
                # Free are: the offsets up to at - below, and those from at + above on.
                begin, end = at - min(below, size), at + above
                if begin < end:
                    taken.append((begin, end))
        taken.sort()
        for begin, end in taken:
            if begin < offset < end:
                offset = end
        return offset

    def try_sequence(self, sequence: Sequence[int]) -> bool:
        """Place in this sequence. False if that was given up half way, because the best known is lower."""
        offsets = [-1] * len(self.size)
        end = 0
        for index in sequence:
            offsets[index] = self.lowest(index, offsets)
            end = max(end, offsets[index] + self.size[index])
            self.moves += 1
            if self.found is not None and end > self.found[0]:
                return False
        self.keep(offsets, end)
        return True

    def keep(self, offsets: list[int], end: int) -> None:
        """Note a placement of all blocks but the extra one, if it is better than the best."""
        with_extra = end
        if self.extra is not None:
            offsets[self.extra] = self.lowest(self.extra, offsets)
            with_extra = max(end, offsets[self.extra] + self.size[self.extra])
        if self.found is None or (end, with_extra) < self.found:
            self.found, self.offsets = (end, with_extra), list(offsets)

    def improve(self) -> None:
        """Search until there is nothing to gain, or for so many moves."""
        if len(self.counted) <= FEW:
            self.try_all([-1] * len(self.size), frozenset(self.counted), 0)
            return
        chance = random.Random(0)
        sequence = sorted(self.counted, key=lambda index: -self.size[index])
        begin = self.moves
        # A move looks at all blocks that one meets: in a crowd there are fewer moves.
        crowd = max(1, sum(map(len, self.meets)) // (CROWD * len(self.meets)))
        while not self.done and self.found is not None:
            if self.moves - begin > (MOVES_FOR_EXTRA if self.found[0] == self.bound else MOVES) // crowd:
                return
            highest = [index for index in sequence if self.offsets[index] + self.size[index] == self.found[0]]
            moved = chance.choice(highest if highest and chance.random() < 0.7 else sequence)
            trial = [index for index in sequence if index != moved]
            trial.insert(chance.randrange(len(trial) + 1) if chance.random() < 0.5 else 0, moved)
            if self.try_sequence(trial) or chance.random() < 0.02:
                sequence = trial

    def try_all(self, offsets: list[int], left: frozenset[int], end: int) -> None:
        """Place what is left in every sequence."""
        if self.done or (self.found is not None and end > self.found[0]):
            return
        if not left:
            self.keep(list(offsets), end)
        for index in sorted(left):
            offsets[index] = self.lowest(index, offsets)
            self.try_all(offsets, left - {index}, max(end, offsets[index] + self.size[index]))
            offsets[index] = -1
