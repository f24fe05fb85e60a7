"""Stratified choices: disjoint, covering, in proportion, and always the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.data.split import group_split, stratified_split, stratified_subset

classes = st.lists(st.integers(0, 6), min_size=2, max_size=200).map(lambda values: np.array(values, dtype=np.int64))
seeds = st.integers(0, 2**32 - 1)


@given(y=classes, count=st.integers(1, 250), seed=seeds)
def test_subset_has_the_size_and_the_proportions_asked_for(y: np.ndarray, count: int, seed: int) -> None:
    chosen = stratified_subset(y, count, seed)
    assert len(chosen) == min(count, len(y))
    assert np.all(np.diff(chosen) > 0)
    assert chosen[0] >= 0
    assert chosen[-1] < len(y)
    for label in np.unique(y):
        exact = len(chosen) * np.mean(y == label)
        assert abs(np.sum(y[chosen] == label) - exact) < 1


@given(y=classes, fraction=st.floats(0.01, 0.99), seed=seeds)
def test_split_is_disjoint_and_covers_everything(y: np.ndarray, fraction: float, seed: int) -> None:
    rest, held = stratified_split(y, fraction, seed)
    assert np.array_equal(np.sort(np.concatenate([rest, held])), np.arange(len(y)))
    assert len(rest) >= 1
    assert len(held) >= 1
    assert abs(len(held) - fraction * len(y)) <= 1
    for label in np.unique(y):
        assert abs(np.sum(y[held] == label) - len(held) * np.mean(y == label)) < 1


def test_another_seed_gives_another_split() -> None:
    y = np.repeat(np.arange(4), 50)
    assert not np.array_equal(stratified_split(y, 0.2, 1)[1], stratified_split(y, 0.2, 2)[1])


def test_the_choice_stays_as_it_is() -> None:
    """A golden value: if it changes, every test split made here changes, and no old result can be compared any more."""
    y = np.array([0, 1, 2] * 10)
    assert stratified_split(y, 0.2, 0)[1].tolist() == [7, 12, 14, 17, 18, 28]


@given(y=classes, fraction=st.floats(0.01, 0.99), seed=seeds, data=st.data())
def test_groups_stay_whole_and_no_class_is_lost(
    y: np.ndarray, fraction: float, seed: int, data: st.DataObject
) -> None:
    groups = np.array(data.draw(st.lists(st.integers(0, 9), min_size=len(y), max_size=len(y))), np.int64)
    rest, held = group_split(groups, y, fraction, seed)
    assert np.array_equal(np.sort(np.concatenate([rest, held])), np.arange(len(y)))
    assert set(y[rest]) == set(y)
    spare = [g for g in np.unique(groups) if set(y[groups != g]) == set(y)]
    if spare:
        assert len(held) and not set(groups[rest]) & set(groups[held])


def test_the_share_of_groups_is_about_what_was_asked_for() -> None:
    groups, y = np.repeat(np.arange(50), 4), np.tile([0, 1], 100)
    rest, held = group_split(groups, y, 0.2, 3)
    assert len(held) == 40
    assert not set(groups[rest]) & set(groups[held])
    assert not np.array_equal(held, group_split(groups, y, 0.2, 4)[1])


def test_where_no_group_can_be_spared_the_last_samples_are_held_back() -> None:
    """Not any at random: windows of one recording overlap with their neighbours."""
    person, y = np.zeros(20, np.int64), np.repeat([0, 1], 10)
    assert group_split(person, y, 0.2, 1)[1].tolist() == [8, 9, 18, 19]
    recordings = y.copy()    # one of each class: to hold one back would leave nothing of its class
    assert group_split(recordings, y, 0.2, 1)[1].tolist() == [8, 9, 18, 19]
