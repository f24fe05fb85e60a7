"""The figures behind every claim, against the literature and against slower ways to count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.statistics import confusion_matrix, confusions, paired_drop, per_class, wilson


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3 (score, without continuity correction)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0000),
    ],
)
def test_wilson_gives_the_published_intervals(correct: int, total: int, low: float, high: float) -> None:
    interval = wilson(correct, total)
    assert interval.value == correct / total
    assert round(interval.low, 4) == low
    assert round(interval.high, 4) == high


@given(st.integers(1, 20_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_holds_the_share_and_mirrors(counts: tuple[int, int]) -> None:
    correct, total = counts
    interval, mirrored = wilson(correct, total), wilson(total - correct, total)
    assert 0 <= interval.low <= interval.value + 1e-12
    assert interval.value - 1e-12 <= interval.high <= 1
    assert interval.low == pytest.approx(1 - mirrored.high, abs=1e-12)


@given(st.integers(1, 1000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_ten_times_the_samples_narrow_the_interval(counts: tuple[int, int]) -> None:
    correct, total = counts
    few, many = wilson(correct, total), wilson(10 * correct, 10 * total)
    assert many.high - many.low < few.high - few.low


def test_wilson_needs_a_sample() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        wilson(0, 0)


def test_paired_drop_by_hand() -> None:
    # 12 lost, 5 won of 100; half a sample in each cell: (7 -+ 1.96 * sqrt(18 - 49 / 102)) / 102 (Agresti and Min 2005)
    before = np.array([True] * 12 + [False] * 5 + [True] * 60 + [False] * 23)
    after = np.array([False] * 12 + [True] * 5 + [True] * 60 + [False] * 23)
    drop = paired_drop(before, after)
    assert drop.value == pytest.approx(0.07)
    assert drop.low == pytest.approx((7 - 8.2037) / 102, abs=1e-5)
    assert drop.high == pytest.approx((7 + 8.2037) / 102, abs=1e-5)


pairs = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=200)


@given(pairs)
def test_paired_drop_is_the_difference_of_the_shares(outcomes: list[tuple[bool, bool]]) -> None:
    before, after = (np.array(column) for column in zip(*outcomes, strict=True))
    drop, back = paired_drop(before, after), paired_drop(after, before)
    assert drop.value == pytest.approx(before.mean() - after.mean())
    assert drop.low <= drop.value <= drop.high
    assert (back.low, back.high) == (pytest.approx(-drop.high), pytest.approx(-drop.low))


@given(st.lists(st.booleans(), min_size=1, max_size=100))
def test_nothing_changed_is_no_drop_and_the_surer_the_more_samples(right: list[bool]) -> None:
    once, thrice = np.array(right), np.array(right * 3)
    drop, surer = paired_drop(once, once), paired_drop(thrice, thrice)
    assert drop.value == 0
    assert drop.low == -drop.high < 0
    assert surer.high < drop.high


labelled = st.integers(1, 7).flatmap(
    lambda classes: st.tuples(
        st.just(classes),
        st.lists(st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1)), min_size=1, max_size=150),
    )
)


@given(labelled)
def test_confusion_matrix_counts_every_pair(case: tuple[int, list[tuple[int, int]]]) -> None:
    classes, samples = case
    truth, predicted = (np.array(column) for column in zip(*samples, strict=True))
    matrix = confusion_matrix(truth, predicted, classes)
    assert matrix.shape == (classes, classes)
    assert all(
        matrix[true, said] == samples.count((true, said)) for true in range(classes) for said in range(classes)
    )


@given(labelled)
def test_per_class_figures_are_those_of_the_samples(case: tuple[int, list[tuple[int, int]]]) -> None:
    classes, samples = case
    truth, predicted = (np.array(column) for column in zip(*samples, strict=True))
    figures = per_class(confusion_matrix(truth, predicted, classes), tuple(f"class {n}" for n in range(classes)))
    for index, one in enumerate(figures):
        said, there = predicted == index, truth == index
        assert one.label == f"class {index}"
        assert one.support == there.sum()
        assert one.precision == (pytest.approx((truth[said] == index).mean()) if said.any() else None)
        assert one.recall == (pytest.approx((predicted[there] == index).mean()) if there.any() else None)
        if one.precision and one.recall:
            assert one.f1 == pytest.approx(2 / (1 / one.precision + 1 / one.recall))
        else:
            assert one.f1 == (0 if said.any() or there.any() else None)


def test_confusions_are_the_mistakes_commonest_first() -> None:
    assert [(one.true, one.predicted, one.samples) for one in confusions([[9, 1, 0], [3, 9, 1], [0, 0, 9]])] == [
        (1, 0, 3), (0, 1, 1), (1, 2, 1),
    ]    # fmt: skip
    assert confusions([[5, 0], [0, 0]]) == []
