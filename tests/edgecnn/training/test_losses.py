"""Losses against their formulas, worked out in NumPy; what the recipe may ask for, and what it may not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgecnn.errors import UsageError
from edgecnn.recipe import Recipe
from edgecnn.training.feed import targets
from edgecnn.training.losses import class_weights, loss_options, make_objective, takes_indices
from edgecnn.training.metrics import make_metrics

LABELS = ("ant", "bee", "cat")
P = np.array([[0.7, 0.2, 0.1], [0.25, 0.25, 0.5], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]], np.float32)
Y = np.array([0, 1, 1, 2])
Q = np.array([[0.9], [0.2], [0.6]], np.float32)
Z = np.array([1, 1, 0])


def recipe(task: str = "classification", mixup: float = 0.0, **train: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "model": {"name": "net", "task": task},
            "data": {"set": "digits", "augment": {"mixup": mixup}},
            "train": train,
        }
    )


def value(asked: Recipe, p: np.ndarray, y: np.ndarray, labels: tuple[str, ...] = LABELS) -> float:
    """The loss of outputs ``p`` for classes ``y``."""
    objective = make_objective(asked, p.shape[-1], labels, y)
    wanted = targets(y, asked.model.task, len(labels), objective.indices, p.shape[-1])
    return float(objective.loss(wanted, p))


def one_hot(y: np.ndarray, smooth: float = 0.0) -> np.ndarray:
    return np.eye(3)[y] * (1 - smooth) + smooth / 3


FORMULAS = {
    "mean_squared_error": lambda: np.mean((one_hot(Y) - P) ** 2),
    "mse": lambda: np.mean((one_hot(Y) - P) ** 2),
    "MeanAbsoluteError": lambda: np.mean(np.abs(one_hot(Y) - P)),
    "mae": lambda: np.mean(np.abs(one_hot(Y) - P)),
    "categorical_crossentropy": lambda: -np.mean(np.log(P[np.arange(4), Y])),
    "sparse_categorical_crossentropy": lambda: -np.mean(np.log(P[np.arange(4), Y])),
    "binary_crossentropy": lambda: -np.mean(one_hot(Y) * np.log(P) + (1 - one_hot(Y)) * np.log(1 - P)),
    "dice": lambda: 1 - 2 * np.sum(one_hot(Y) * P) / (np.sum(one_hot(Y)) + np.sum(P)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMULAS)
def test_a_loss_is_its_formula(name: str) -> None:
    assert value(recipe(loss=name), P, Y) == pytest.approx(FORMULAS[name](), rel=1e-5)


@pytest.mark.slow
def test_one_output_for_two_classes() -> None:
    expected = -np.mean(np.log([0.9, 0.2, 1 - 0.6]))
    assert value(recipe("binary"), Q, Z, LABELS[:2]) == pytest.approx(expected, rel=1e-5)
    masks, map_ = np.stack([Z, 1 - Z]).reshape(2, 3, 1), np.stack([Q, 1 - Q]).reshape(2, 3, 1, 1)
    assert value(recipe("segmentation"), map_, masks, LABELS[:2]) == pytest.approx(expected, rel=1e-5)
    overlap = 1 - 2 * np.sum(Q[:, 0] * Z) / (np.sum(Q) + np.sum(Z))
    assert value(recipe("binary", loss="dice"), Q, Z, LABELS[:2]) == pytest.approx(overlap, rel=1e-5)


@pytest.mark.slow
def test_masks_of_several_classes_and_of_two_with_an_output_each() -> None:
    expected = -np.mean(np.log(P[np.arange(4), Y]))
    assert value(recipe("segmentation"), P.reshape(1, 2, 2, 3), Y.reshape(1, 2, 2)) == pytest.approx(expected, rel=1e-5)
    pair = P[:, :2] / P[:, :2].sum(axis=1, keepdims=True)
    masks = np.array([0, 1, 1, 0])
    expected = -np.mean(np.log(pair[np.arange(4), masks]))
    found = value(recipe("segmentation"), pair.reshape(1, 2, 2, 2), masks.reshape(1, 2, 2), LABELS[:2])
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sparse_categorical_crossentropy", "categorical_crossentropy"])
def test_label_smoothing_goes_over_one_hot_targets_by_itself(name: str) -> None:
    expected = -np.mean(np.sum(one_hot(Y, 0.2) * np.log(P), axis=1))
    assert value(recipe(loss={"name": name, "label_smoothing": 0.2}), P, Y) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_label_smoothing_of_one_output() -> None:
    z = Z * 0.8 + 0.1
    expected = -np.mean(z * np.log(Q[:, 0]) + (1 - z) * np.log(1 - Q[:, 0]))
    asked = recipe("binary", loss={"name": "binary_crossentropy", "label_smoothing": 0.2})
    assert value(asked, Q, Z, LABELS[:2]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_accuracy_of_one_output_is_that_of_its_decisions() -> None:
    """As ``tasks.decide`` decides; a mixture of two classes counts for the larger part."""
    accuracy = make_metrics("binary", 1, 2, False)[0]
    accuracy.update_state(np.array([[1], [0], [0.3], [0.8]], np.float32), np.array([[0.5], [0.5], [0.2], [0.7]]))
    assert float(accuracy.result()) == pytest.approx(3 / 4)


def test_mixtures_and_smoothing_need_targets_between_the_classes() -> None:
    assert takes_indices(recipe(), 3)
    assert takes_indices(recipe("segmentation"), 3)
    assert not takes_indices(recipe(mixup=0.2), 3)
    assert not takes_indices(recipe(loss={"name": "SparseCategoricalCrossentropy", "label_smoothing": 0.1}), 3)
    assert not takes_indices(recipe(loss="mse"), 3)
    assert not takes_indices(recipe("binary"), 1)


def test_a_task_has_a_loss() -> None:
    found = [
        loss_options(recipe(task), outputs).name
        for task, outputs in (("classification", 3), ("binary", 1), ("segmentation", 1), ("segmentation", 2))
    ]
    sparse = "sparse_categorical_crossentropy"
    assert found == [sparse, "binary_crossentropy", "binary_crossentropy", sparse]


def test_class_weights() -> None:
    y = np.array([0] * 6 + [1] * 3 + [2])
    balanced = class_weights("balanced", y, LABELS)
    assert balanced is not None
    assert balanced == pytest.approx([10 / 18, 10 / 9, 10 / 3])
    assert np.mean(balanced[y]) == pytest.approx(1)
    assert [balanced[label] * np.sum(y == label) for label in range(3)] == pytest.approx([10 / 3] * 3)
    masks = y.reshape(2, 5, 1)
    assert np.array_equal(class_weights("balanced", masks, LABELS), balanced)    # type: ignore[arg-type]
    given = class_weights({"cat": 4, "ant": 0.5}, y, LABELS)
    assert given is not None
    assert given.tolist() == [0.5, 1.0, 4.0]
    assert class_weights("none", y, LABELS) is None


@pytest.mark.slow
def test_a_sample_counts_as_much_as_its_class() -> None:
    weights = {"ant": 0.5, "cat": 4.0}
    each, by_class = np.log(P[np.arange(4), Y]), np.array([0.5, 1, 1, 4])
    for name in ("sparse_categorical_crossentropy", "categorical_crossentropy"):
        found = value(recipe(loss=name, class_weight=weights), P, Y)
        assert found == pytest.approx(-np.mean(by_class * each), rel=1e-5)
    squares = np.mean((one_hot(Y) - P) ** 2, axis=1)
    assert value(recipe(loss="mse", class_weight=weights), P, Y) == pytest.approx(np.mean(by_class * squares), rel=1e-5)
    masks, maps = Y.reshape(1, 2, 2), P.reshape(1, 2, 2, 3)
    found = value(recipe("segmentation", class_weight=weights), maps, masks)
    assert found == pytest.approx(-np.mean(by_class * each), rel=1e-5)
    expected = -np.mean([3 * np.log(0.9), 3 * np.log(0.2), 0.5 * np.log(0.4)])
    assert value(recipe("binary", class_weight={"bee": 3, "ant": 0.5}), Q, Z, LABELS[:2]) == pytest.approx(
        expected, rel=1e-5
    )


@pytest.mark.slow
def test_a_mixture_has_the_mixture_of_the_weights() -> None:
    asked = recipe(mixup=0.3, class_weight={"ant": 2, "bee": 6})
    mixed = np.array([[0.25, 0.75, 0]], np.float32)
    objective = make_objective(asked, 3, LABELS, Y)
    expected = -(0.25 * 2 + 0.75 * 6) * (0.25 * np.log(0.7) + 0.75 * np.log(0.2))
    assert float(objective.loss(mixed, P[:1])) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "outputs", "train", "expected"),
    [
        ("classification", 3, {"loss": "mean_sqared_error"}, "unknown loss.*Did you mean 'mean_squared_error'"),
        ("classification", 3, {"loss": {"name": "dice", "smooth": 1}}, "unknown argument of train.loss 'dice'"),
        ("classification", 3, {"loss": {"name": "huber", "delta": "a"}}, "delta = 'a': a number is expected"),
        ("classification", 3, {"loss": {"name": "binary_crossentropy", "label_smoothing": 5}}, "smoothing = 5"),
        ("classification", 3, {"loss": {"name": "mse", "reduction": "many"}}, "train.loss 'mean_squared_error'"),
        ("binary", 1, {"loss": "categorical_crossentropy"}, "needs an output for each class.*binary_crossentropy"),
        ("segmentation", 1, {"loss": "sparse_categorical_crossentropy"}, "give the network 3 outputs"),
        ("classification", 3, {"loss": "dice", "class_weight": "balanced"}, "figure of a whole batch"),
        ("classification", 3, {"class_weight": {"bees": 2.0}}, "unknown label in train.class_weight.*'bee'"),
        ("classification", 3, {"class_weight": {"bee": -2.0}}, "bee = -2: a weight of 0 or more"),
    ],
)
def test_what_cannot_be_minimised(task: str, outputs: int, train: dict[str, Any], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        make_objective(recipe(task, **train), outputs, LABELS, Y)
