"""When a warm-up ends: on a clock that the test turns."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgecnn.bench.steady import is_steady, warm_up


@pytest.mark.parametrize(
    ("medians", "steady"),
    [
        ([1.0] * 4, False),
        ([1.0] * 5, True),
        ([9.0, 1.0, 1.01, 1.0, 1.02, 1.03], True),
        ([1.4, 1.3, 1.2, 1.1, 1.0], False),
        ([1.0, 1.0, 1.0, 1.0, 1.06], False),
    ],
)
def test_the_last_blocks_must_agree(medians: list[float], steady: bool) -> None:
    assert is_steady(medians) is steady


def machine(run_ms: Callable[[int], float]) -> tuple[Callable[[int], list[float]], Callable[[], float]]:
    """Runs that take what ``run_ms`` says of the number of runs before, and the clock that they move on."""
    state = {"runs": 0, "now": 0.0}

    def run(count: int) -> list[float]:
        taken = [run_ms(int(state["runs"]) + index) for index in range(count)]
        state["runs"] += count
        state["now"] += sum(taken) / 1e3
        return taken

    return run, lambda: state["now"]


def test_a_fast_start_that_falls_is_waited_for() -> None:
    run, clock = machine(lambda number: 1.0 if number > 300 else 4.0 - number / 100)
    runs, steady = warm_up(run, 0, 5.0, clock)
    assert steady
    assert runs > 300
    assert clock() < 2


def test_what_never_settles_is_given_up() -> None:
    run, clock = machine(lambda number: 1.0 + number // 20 % 2)
    runs, steady = warm_up(run, 0, 0.5, clock)
    assert not steady
    assert 0.5 <= clock() < 0.6
    assert runs > 100


def test_at_least_is_at_least() -> None:
    run, clock = machine(lambda _: 0.1)
    assert warm_up(run, 0, 5.0, clock)[1]
    runs, steady = warm_up(run, 50_000, 0.5, clock)
    assert runs >= 50_000
    assert steady


def test_a_slow_network_is_not_run_for_ever() -> None:
    run, clock = machine(lambda _: 900.0)
    assert warm_up(run, 1, 2.0, clock) == (3, False)
