"""Intervals of medians on latencies whose truth is known, and what else is said of a row of them."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.bench import figures
from edgecnn.bench.figures import Turns, median_interval, median_ratio, outliers, turns_of

RUNS, PER_PROCESS, PROCESSES = 10, 4, 5


def latencies(generator: np.random.Generator, middle: float, process: float, turn: float) -> Turns:
    """Turns whose true median is ``middle``: each process and each turn is slower or faster by a factor of its own."""
    def one(bias: float) -> np.ndarray:
        scatter = generator.lognormal(0, 0.03, RUNS) * generator.lognormal(0, turn)
        return middle * bias * scatter

    biases = generator.lognormal(0, process, PROCESSES)
    return Turns(tuple(tuple(one(bias) for _ in range(PER_PROCESS)) for bias in biases))


def test_draws_are_counted_and_not_written_out() -> None:
    generator = np.random.default_rng(2)
    turns = [generator.random(size) for size in (3, 4, 1, 4, 6)]
    counts = figures._drawn([2, 3], generator)
    assert counts.shape == (figures.RESAMPLES, 5)
    assert set(counts[:, :2].sum(axis=1) / 2 + counts[:, 2:].sum(axis=1) / 3) == {2}
    written = [np.concatenate([turns[i] for i in range(5) for _ in range(row[i])]) for row in counts[:50]]
    np.testing.assert_allclose(figures._medians(turns, counts)[:50], [np.median(row) for row in written])


@pytest.mark.parametrize(("process", "turn"), [(0.01, 0.01), (0.05, 0.01), (0.0, 0.05)])
def test_the_interval_holds_the_median_of_the_next_measurement(
    monkeypatch: pytest.MonkeyPatch, process: float, turn: float
) -> None:
    """Nominal: 95 %. With five processes and a bootstrap of 300, 200 trials tell 90 % from 95 %, not 94 from 96."""
    monkeypatch.setattr(figures, "RESAMPLES", 300)
    generator = np.random.default_rng(7)
    held = []
    for _ in range(200):
        interval = median_interval(latencies(generator, 2.0, process, turn))
        again = float(np.median(latencies(generator, 2.0, process, turn).latencies))
        held.append(interval.low <= again <= interval.high)
    assert np.mean(held) >= 0.91


@pytest.mark.parametrize("truth", [1.0, 1.5])
def test_the_ratio_of_two_holds_the_truth(monkeypatch: pytest.MonkeyPatch, truth: float) -> None:
    monkeypatch.setattr(figures, "RESAMPLES", 300)
    generator = np.random.default_rng(3)
    held, apart = [], []
    for _ in range(150):
        ratio = median_ratio(latencies(generator, 2.0 * truth, 0.03, 0.02), latencies(generator, 2.0, 0.03, 0.02))
        held.append(ratio.low <= truth <= ratio.high)
        apart.append(not ratio.low <= 1 <= ratio.high)
    assert np.mean(held) >= 0.92
    if truth > 1:
        assert np.mean(apart) == 1


def test_an_interval_of_runs_taken_one_by_one_would_be_far_too_narrow() -> None:
    """Why processes are drawn: their biases do not average out over the runs of one."""
    turns = latencies(np.random.default_rng(5), 2.0, 0.05, 0.0)
    alone = Turns(tuple((np.array([run]),) for run in turns.latencies))
    wide, narrow = median_interval(turns), median_interval(alone)
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_the_same_latencies_have_the_same_interval() -> None:
    turns = latencies(np.random.default_rng(1), 0.013, 0.02, 0.02)
    again = turns_of(turns.latencies.tolist(), turns.sizes)
    assert median_interval(turns) == median_interval(again)
    assert median_ratio(turns, again).low < 1 < median_ratio(turns, again).high


@pytest.mark.parametrize("values", [[3.0], [3.0, 3.0, 3.0], [1.0, 2.0, 9.0]])
def test_few_runs_of_one_process(values: list[float]) -> None:
    for sizes in ([[len(values)]], [[1] * len(values)]):
        interval = median_interval(turns_of(values, sizes))
        assert 0 <= interval.low <= interval.value == np.median(values) <= interval.high


def test_turns_that_do_not_add_up_are_refused() -> None:
    for sizes in ([[2, 2]], [[3, 0]], []):
        with pytest.raises(ValueError, match="do not add up"):
            turns_of([1.0, 2.0, 3.0], sizes)


def test_outliers_are_those_above_the_upper_fence() -> None:
    calm = np.linspace(1.0, 2.0, 101)    # quartiles 1.25 and 1.75: the fence is at 2.5
    assert outliers(calm) == 0
    assert outliers(np.append(calm, [2.4, 2.6, 40.0])) == 2
    assert outliers(np.append(calm, [0.001])) == 0
