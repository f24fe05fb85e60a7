"""What is held back of the training split."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.data import DataSet, Samples
from edgecnn.data.base import DataSetInfo
from edgecnn.errors import UsageError
from edgecnn.recipe import Recipe
from edgecnn.training.splits import training_splits

INFO = DataSetInfo("made_up", "", None, None, None, "", "", ())
RECIPE = Recipe.model_validate({"model": {"name": "net"}, "data": {"set": "made_up", "validation": 0.3}})


@pytest.mark.parametrize("groups", [[0] * 20, [0] * 10 + [1] * 10], ids=["one person", "one recording of each class"])
def test_windows_of_one_recording_are_not_divided_at_random(groups: list[int]) -> None:
    """With what is to be kept together on one side, nothing could be held back, or a class would not be learned."""
    time = np.tile(np.arange(10), 2)
    windows = Samples(time.astype(np.float32)[:, None, None], np.repeat([0, 1], 10), np.array(groups))
    dataset = DataSet(INFO, ("sit", "walk"), "", lambda _: (windows, {}))
    splits = training_splits(dataset, RECIPE)
    assert splits.train.x.ravel().tolist() == 2 * list(range(7))    # the beginning of each
    assert splits.validation.x.ravel().tolist() == 2 * [7, 8, 9]
    assert splits.validation.y.tolist() == [0] * 3 + [1] * 3


def test_where_nothing_can_be_held_back() -> None:
    """Three people, each with a class of their own beside three that all have; one sample of each."""
    y, people = np.array([0, 1, 2, 3, 0, 1, 2, 4, 0, 1, 2, 5]), np.repeat([0, 1, 2], 4)
    dataset = DataSet(INFO, tuple("abcdef"), "here", lambda _: (Samples(np.zeros((12, 1, 1)), y, people), {}))
    with pytest.raises(UsageError, match="here: of 12 training samples none can be held back"):
        training_splits(dataset, RECIPE)
