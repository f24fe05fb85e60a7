"""Orders cut into runs: exactly the order again, and never more bytes than an exhaustive search needs."""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.order import RUN_BYTES, Run, compress, expand


def emitted(runs: Sequence[Run]) -> int:
    return sum(run.emitted_bytes for run in runs)


def least(order: tuple[int, ...]) -> int:
    """By trying every last run of every prefix."""

    @functools.cache
    def bytes_of(size: int) -> int:
        if size == 0:
            return 0
        found = []
        for length in range(1, size + 1):
            one = order[size - length : size]
            begin = size - length
            while begin >= 0 and order[begin : begin + length] == one:
                found.append(bytes_of(begin) + length + RUN_BYTES)
                begin -= length
        return min(found)

    return bytes_of(len(order))


@settings(max_examples=400, deadline=None)
@given(st.lists(st.integers(-1, 2), max_size=24))
def test_any_order_comes_back_in_the_fewest_bytes(order: list[int]) -> None:
    runs = compress(order)
    assert expand(runs) == tuple(order)
    assert emitted(runs) == least(tuple(order))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.lists(st.integers(-1, 5), min_size=1, max_size=9), st.integers(1, 9)), min_size=1, max_size=4)
)
def test_loops_are_found(pieces: list[tuple[list[int], int]]) -> None:
    order = [step for steps, times in pieces for step in steps * times]
    runs = compress(order)
    assert expand(runs) == tuple(order)
    assert emitted(runs) <= sum(len(steps) + RUN_BYTES for steps, _ in pieces)
    assert all(run.times >= 1 and run.steps for run in runs)
    if len(order) <= 60:
        assert emitted(runs) == least(tuple(order))


def test_prologue_loop_and_epilogue() -> None:
    order = (-1, 0, -1, 0, 1) + (-1, 0, 1, 2) * 30 + (1, 2, 3)
    runs = compress(order)
    assert expand(runs) == order
    assert max(runs, key=lambda run: run.times).times >= 29
    assert emitted(runs) <= 5 + 4 + 3 + 3 * RUN_BYTES


@pytest.mark.parametrize("count", [1, 2, 255, 65536, 200_000])
def test_one_layer_alone_is_one_run(count: int) -> None:
    assert compress((7,) * count) == (Run((7,), count),)


def test_nothing_to_do() -> None:
    assert compress(()) == ()


def test_a_long_order_of_a_deep_network_stays_small() -> None:
    """Sixty layers over a thousand rows, strides in between: one period has all layers in it."""
    period = [layer for layer in range(60) for _ in range(8 if layer < 20 else 4 if layer < 40 else 1)]
    order = [0] * 17 + period * 120 + list(range(40, 60)) * 3
    runs = compress(order)
    assert expand(runs) == tuple(order)
    assert emitted(runs) < 2 * len(period)


def test_a_very_long_order_without_long_loops_ends() -> None:
    """Where loops are looked for up to a certain length only, the order comes back all the same."""
    chance = random.Random(0)
    order = tuple(layer for _ in range(9000) for layer in (0,) * chance.randrange(1, 9) + (1, 2) * chance.randrange(5))
    runs = compress(order)
    assert expand(runs) == order
    assert emitted(runs) < len(order)
