"""Optimizers on a small problem, momentum's steps by hand, clipping, and Keras's own schedules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgecnn.errors import UsageError
from edgecnn.recipe import TrainSection
from edgecnn.training.keras_objects import make_optimizer

pytestmark = pytest.mark.slow    # for Keras

A = np.array([[2.0, 0.5], [0.5, 1.0]], np.float32)
"""The problem: (w - 1)' A (w - 1) / 2, least at w = 1, with gradient A (w - 1)."""


FIRST = {"initial_learning_rate": 1.0}


def section(**train: Any) -> TrainSection:
    return TrainSection.model_validate(train)


def walk(steps: int, start: tuple[float, float] = (3.0, -2.0), **train: Any) -> list[np.ndarray]:
    """The weights after each step, the first ones included."""
    import keras

    optimizer = make_optimizer(section(**train), steps_per_epoch=10)
    w = keras.Variable(np.array(start, np.float32))
    optimizer.build([w])
    path = [np.array(w)]
    for _ in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor(A @ (path[-1] - 1))])
        path.append(np.array(w))
    return path


def loss(w: np.ndarray) -> float:
    return float((w - 1) @ A @ (w - 1) / 2)


@pytest.mark.parametrize(
    "optimizer",
    [
        {"name": "sgd", "learning_rate": 0.1},
        {"name": "momentum", "learning_rate": 0.02},
        {"name": "nesterov", "learning_rate": 0.02},
        {"name": "AdaGrad", "learning_rate": 0.5},
        {"name": "RMSProp", "learning_rate": 0.05},
        {"name": "adam", "learning_rate": 0.1},
        {"name": "AdamW", "learning_rate": 0.1, "weight_decay": 0.001},
    ],
    ids=lambda options: str(options["name"]),
)
def test_an_optimizer_goes_down(optimizer: dict[str, Any]) -> None:
    path = walk(60, optimizer=optimizer)
    assert loss(path[0]) > 5
    assert loss(path[-1]) < 0.1


def test_momentum_is_its_formula() -> None:
    """v ← β·v − η·g, w ← w + v, twice, from w = (3, −2): g = A (2, −3) = (2.5, −2)."""
    path = walk(2, optimizer={"name": "sgd", "momentum": 0.5, "learning_rate": 0.1})
    # v = (-0.25, 0.2), w = (2.75, -1.8); g = A (1.75, -2.8) = (2.1, -1.925)
    assert path[1] == pytest.approx([2.75, -1.8], rel=1e-6)
    # v = 0.5 (-0.25, 0.2) - 0.1 (2.1, -1.925) = (-0.335, 0.2925)
    assert path[2] == pytest.approx([2.415, -1.5075], rel=1e-6)


def test_nesterov_is_its_formula() -> None:
    """v ← β·v − η·g, w ← w + β·v − η·g; with β = 0.9 and η = 0.1."""
    path = walk(2, optimizer={"name": "nesterov", "learning_rate": 0.1})
    # v = (-0.25, 0.2), w = (3, -2) + 0.9 v + (-0.25, 0.2) = (2.525, -1.62); g = A (1.525, -2.62) = (1.74, -1.8575)
    assert path[1] == pytest.approx([2.525, -1.62], rel=1e-6)
    # v = 0.9 (-0.25, 0.2) - (0.174, -0.18575) = (-0.399, 0.36575); w + 0.9 v - 0.1 g = (1.9919, -1.105075)
    assert path[2] == pytest.approx([1.9919, -1.105075], rel=1e-6)


def test_names_of_the_books_are_sgd_with_arguments() -> None:
    plain = walk(5, optimizer={"name": "momentum", "learning_rate": 0.02})
    spelled = walk(5, optimizer={"name": "sgd", "momentum": 0.9, "learning_rate": 0.02})
    assert np.array_equal(plain, spelled)
    other = walk(5, optimizer={"name": "momentum", "momentum": 0.5, "learning_rate": 0.02})
    assert not np.array_equal(plain, other)


@pytest.mark.parametrize(
    ("clip", "expected"),
    [
        ({"clipvalue": 2.25}, (2.25, -2.0)),
        ({"clipnorm": 1.0}, (2.5 / np.hypot(2.5, 2), -2 / np.hypot(2.5, 2))),
        ({"global_clipnorm": 100.0}, (2.5, -2.0)),
    ],
)
def test_gradients_are_clipped(clip: dict[str, float], expected: tuple[float, float]) -> None:
    path = walk(1, optimizer={"name": "sgd", "learning_rate": 1.0, **clip})
    assert path[0] - path[1] == pytest.approx(expected, rel=1e-5)


def rates(schedule: Any, steps: int, epochs: int = 4) -> list[float]:
    optimizer = make_optimizer(section(schedule=schedule, epochs=epochs), steps_per_epoch=10)
    import keras

    w = keras.Variable(np.zeros(1, np.float32))
    optimizer.build([w])
    found = []
    for _ in range(steps):
        found.append(float(np.asarray(optimizer.learning_rate)))
        optimizer.apply([keras.ops.zeros(1)])
    return found


def test_schedules_of_keras_decay_over_the_whole_training() -> None:
    found = rates({"name": "CosineDecay", "initial_learning_rate": 0.2}, 40)
    expected = [0.1 * (1 + np.cos(np.pi * step / 40)) for step in range(40)]
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_schedules_of_keras_warm_up_too() -> None:
    found = rates({"name": "cosine_decay", "initial_learning_rate": 0.2, "warmup_epochs": 1}, 40)
    assert found[:10] == pytest.approx([0.2 * (step + 1) / 10 for step in range(10)], rel=1e-5)
    expected = [0.1 * (1 + np.cos(np.pi * step / 30)) for step in range(30)]
    assert found[10:] == pytest.approx(expected, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        ({"optimizer": "adagard"}, "unknown optimizer 'adagard'. Did you mean 'adagrad'"),
        ({"optimizer": {"name": "sgd", "momentun": 0.9}}, "argument of train.optimizer 'sgd'.*'momentum'"),
        ({"optimizer": {"name": "sgd", "clipnorm": 1.0, "clipvalue": 1.0}}, "train.optimizer 'sgd': Only one of"),
        ({"optimizer": {"name": "sgd", "use_ema": True}}, "train.average"),
        ({"optimizer": {"name": "adamw", "weight_decay": "x"}}, "weight_decay = 'x': a number is expected"),
        ({"schedule": {"name": "cosine_decay", "initial_learning_rate": "fast"}}, "gives no learning rate"),
        ({"schedule": "cosin"}, "unknown schedule 'cosin'. Did you mean 'cosine'"),
        ({"schedule": {"name": "cosine_decay", "warmup_epochs": 15, **FIRST}}, "less than the 15"),
        (
            {"optimizer": {"name": "sgd", "learning_rate": 1}, "schedule": {"name": "cosine", **FIRST}},
            "both set the learning rate",
        ),
        (
            {"optimizer": {"name": "sgd", "learning_rate": 1}, "schedule": "cosine_decay"},
            "both set the learning rate",
        ),
    ],
)
def test_a_mistake_is_named(train: dict[str, Any], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        make_optimizer(section(**train), steps_per_epoch=10)


def test_a_schedule_of_ours_takes_the_rate_of_the_optimizer() -> None:
    made = make_optimizer(section(optimizer={"name": "sgd", "learning_rate": 0.25}, schedule="cosine"), 10)
    assert float(np.asarray(made.learning_rate)) == 0.25
