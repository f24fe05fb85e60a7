"""Outputs to decisions."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.tasks import decide, outputs_wanted


def test_classification_takes_the_first_of_the_largest() -> None:
    assert decide("classification", np.array([[0.1, 0.7, 0.2], [0.4, 0.2, 0.4]], np.float32)).tolist() == [1, 0]


def test_binary_falls_for_the_second_class_from_a_half_on() -> None:
    outputs = np.array([[0.0], [0.4999], [0.5], [1.0]], np.float32)
    assert decide("binary", outputs).tolist() == [0, 0, 1, 1]


def test_segmentation_decides_for_each_pixel() -> None:
    probability = np.array([[[[0.2], [0.9]], [[0.5], [0.1]]]], np.float32)    # [1, 2, 2, 1]
    assert decide("segmentation", probability).tolist() == [[[0, 1], [1, 0]]]
    classes = np.stack([1 - probability[..., 0], probability[..., 0], np.zeros((1, 2, 2), np.float32)], axis=-1)
    assert decide("segmentation", classes).tolist() == [[[0, 1], [0, 0]]]


@pytest.mark.parametrize(
    ("task", "classes", "wanted"),
    [("classification", 3, (3,)), ("binary", 2, (1,)), ("segmentation", 2, (1, 2)), ("segmentation", 4, (4,)),
     ("filter", 2, ())],
)    # fmt: skip
def test_outputs_that_a_task_needs(task: str, classes: int, wanted: tuple[int, ...]) -> None:
    assert outputs_wanted(task, classes) == wanted    # type: ignore[arg-type]
