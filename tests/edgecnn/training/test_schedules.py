"""Learning rates: each schedule against its formula, worked out here by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.errors import UsageError
from edgecnn.recipe import NamedOptions
from edgecnn.training.schedules import SCHEDULES, History, Schedule, own_schedule

EPOCHS = 20
EXAMPLES: dict[str, dict[str, Any]] = {
    "constant": {},
    "step": {"every": 5, "factor": 0.5},
    "exponential": {"k": 0.1},
    "inverse_time": {"k": 0.5},
    "cosine": {},
    "reduce_on_plateau": {"patience": 2},
}


def schedule(name: str, **arguments: Any) -> Schedule:
    found = own_schedule(NamedOptions(name=name, **arguments), EPOCHS)
    assert found is not None
    return found


def after(made: Schedule, t: float, steps: int = 8, history: History = ()) -> float:
    """The learning rate when ``t`` epochs are done, for A = 0.4."""
    return made.rate(0.4, round(t * steps), steps, EPOCHS, history)


@pytest.mark.parametrize(
    ("name", "arguments", "t", "expected"),
    [
        ("constant", {}, 13.5, 0.4),
        ("step", {"every": 5, "factor": 0.5}, 4.875, 0.4),
        ("step", {"every": 5, "factor": 0.5}, 5, 0.2),
        ("step", {"every": 5, "factor": 0.5}, 19, 0.05),
        ("step", {"every": 7}, 14, 0.004),                         # a tenth twice
        ("exponential", {"k": math.log(2)}, 3, 0.05),              # halved each epoch
        ("exponential", {"k": 0.1}, 2.5, 0.4 * 0.778800783071405),    # e^-0.25
        ("inverse_time", {"k": 0.5}, 2, 0.2),
        ("inverse_time", {"k": 0.5}, 18, 0.04),
        ("cosine", {}, 0, 0.4),
        ("cosine", {}, 10, 0.2),
        ("cosine", {}, 5, 0.2 * (1 + math.sqrt(0.5))),
        ("cosine", {}, 20, 0.0),
        ("cosine", {"final": 0.25}, 10, 0.25),                     # half way from 0.4 to 0.1
        ("cosine", {"final": 0.25}, 20, 0.1),
    ],
)
def test_a_schedule_is_its_formula(name: str, arguments: dict[str, Any], t: float, expected: float) -> None:
    assert after(schedule(name, **arguments), t) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_warm_up_rises_to_the_first_rate_and_the_schedule_begins_there(name: str) -> None:
    made, plain = schedule(name, warmup_epochs=2, **EXAMPLES[name]), schedule(name, **EXAMPLES[name])
    rates = [made.rate(0.4, step, 8, EPOCHS) for step in range(17)]
    assert rates[:16] == pytest.approx([0.4 * (step + 1) / 16 for step in range(16)])
    assert rates[16] == rates[15] == pytest.approx(0.4)
    # From the end of the warm-up on it is the plain schedule of a training that is as much shorter.
    later = [made.rate(0.4, step, 8, EPOCHS) for step in range(16, 8 * EPOCHS)]
    assert later == pytest.approx([plain.rate(0.4, step, 8, EPOCHS - 2) for step in range(8 * (EPOCHS - 2))])


def test_half_an_epoch_of_warm_up_and_a_rate_of_its_own() -> None:
    made = schedule("constant", warmup_epochs=0.5, initial_learning_rate=1)
    assert [made.rate(0.4, step, 4, EPOCHS) for step in range(4)] == [0.5, 1, 1, 1]


def losses(*values: float) -> History:
    return [{"val_loss": value, "val_accuracy": 1 - value} for value in values]


def test_a_plateau_lowers_the_rate_and_a_better_value_starts_the_count_anew() -> None:
    made = schedule("reduce_on_plateau", patience=2, factor=0.5, min_delta=0.01)
    seen = losses(1.0, 0.9, 0.895, 0.89, 0.5, 0.6, 0.55, 0.52, 0.51)
    #             best best  1     2=0.5 best  1    2=.25 1    2=.125
    rates = [after(made, epoch, history=seen[:epoch]) for epoch in range(10)]
    assert rates == pytest.approx([0.4] * 4 + [0.2] * 3 + [0.1] * 2 + [0.05])


def test_a_plateau_may_rest_after_a_drop_and_has_a_lowest_rate() -> None:
    flat = losses(*[1.0] * 12)
    resting = schedule("reduce_on_plateau", patience=2, factor=0.5, cooldown=3)
    drops = [after(resting, epoch, history=flat[:epoch]) for epoch in range(13)]
    # 1 best; 2, 3: drop; 4, 5 rest; 6, 7: drop; 8, 9 rest; 10, 11: drop. The third epoch of rest counts again.
    assert [round(0.4 / rate) for rate in drops] == [1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 8, 8]
    bounded = schedule("reduce_on_plateau", patience=1, factor=0.5, lowest=0.3)
    assert after(bounded, 12, history=flat) == pytest.approx(0.4 * 0.3)


def test_a_plateau_of_accuracy_is_one_where_it_does_not_rise() -> None:
    made = schedule("reduce_on_plateau", patience=1, factor=0.5, monitor="val_accuracy")
    assert after(made, 3, history=losses(0.9, 0.8, 0.7)) == 0.4
    assert after(made, 3, history=losses(0.7, 0.8, 0.9)) == pytest.approx(0.1)


@pytest.mark.slow
def test_a_plateau_is_keras_own() -> None:
    """The same drops as Keras's callback on the same values."""
    import keras

    values = np.random.default_rng(3).normal(1, 0.1, 40).round(3).tolist()
    for cooldown in (0, 1, 3):
        callback = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=3, min_delta=0.01, cooldown=cooldown)

        class Optimizer:
            learning_rate = 0.4

        class Model:
            optimizer = Optimizer()

        callback.set_model(Model())
        callback.on_train_begin()
        theirs = []
        for epoch, value in enumerate(values):
            callback.on_epoch_end(epoch, {"val_loss": value})
            theirs.append(float(callback.model.optimizer.learning_rate))
        made = schedule("reduce_on_plateau", patience=3, factor=0.5, min_delta=0.01, cooldown=cooldown)
        ours = [after(made, 1, history=losses(*values[: epoch + 1])) for epoch in range(len(values))]
        assert ours == pytest.approx(theirs, rel=1e-6)
        assert len(set(ours)) > 3


@given(st.sampled_from(sorted(SCHEDULES)), st.integers(1, 30), st.floats(0, 5))
def test_a_rate_is_positive_until_the_end_and_never_above_the_first(name: str, steps: int, warmup: float) -> None:
    made = schedule(name, warmup_epochs=warmup, **EXAMPLES[name])
    rates = [made.rate(0.4, step, steps, EPOCHS) for step in range(steps * EPOCHS)]
    assert all(0 < rate <= 0.4 * (1 + 1e-12) for rate in rates)


@pytest.mark.parametrize("name", ["InverseTime", "inverse_time", "inversetime"])
def test_names_are_those_of_a_class_or_of_a_function(name: str) -> None:
    assert schedule(name, k=1) == schedule("inverse_time", k=1.0)


def test_what_is_keras_own_is_not_ours() -> None:
    assert own_schedule(NamedOptions(name="cosine_decay"), EPOCHS) is None


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"name": "step"}, r"'step': every is required.*It takes: .*factor, every"),
        ({"name": "step", "evry": 3}, "unknown argument of train.schedule 'step' 'evry'. Did you mean 'every'"),
        ({"name": "step", "every": "3"}, "every: found '3'"),
        ({"name": "step", "every": True}, "every: found True"),
        ({"name": "step", "every": 3, "factor": 2}, "factor: found 2.*less than 1"),
        ({"name": "exponential", "k": 0}, "k: found 0.*greater than 0"),
        ({"name": "cosine", "warmup_epochs": 20}, "warmup_epochs = 20 leaves nothing of 20 epochs"),
        ({"name": "reduce_on_plateau", "monitor": "loss_val"}, "monitor: found 'loss_val'"),
    ],
)
def test_a_mistake_is_named(arguments: dict[str, Any], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        own_schedule(NamedOptions(**arguments), EPOCHS)
