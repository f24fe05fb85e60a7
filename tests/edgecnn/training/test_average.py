"""Averages of weights against the formula, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgecnn.training.average import WeightAverage, snapshot

pytestmark = pytest.mark.slow    # for Keras


@pytest.fixture
def model() -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    made = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(2)]
    )
    made.compile(optimizer="sgd", loss="mse")
    made.optimizer.build(made.trainable_variables)
    return made


def values(model: Any) -> list[np.ndarray]:
    return [np.array(variable) for variable in model.variables]


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_an_average_is_its_formula_and_statistics_of_batch_norm_are_in_it(model: Any) -> None:
    average = WeightAverage(model, 0.3)
    generator = np.random.default_rng(0)
    expected = values(model)
    for batch in range(1, 6):
        for variable in model.variables:
            if variable.dtype == "float32":
                variable.assign(generator.normal(size=variable.shape))
        model.optimizer.iterations.assign(batch)
        average.follow()
        share = min(0.3, (1 + batch) / (10 + batch))    # 2/11, 3/12, 4/13, then 0.3
        expected = [share * old + (1 - share) * new for old, new in zip(expected, values(model), strict=True)]
    found = [value for value, variable in zip(expected, model.variables, strict=True) if variable.dtype == "float32"]
    assert len(found) == 8    # two dense layers, scale and shift, two statistics
    for ours, theirs in zip(average.state, found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_showing_the_averages_leaves_the_weights_as_they_were(model: Any) -> None:
    average = WeightAverage(model, 0.9)
    first = values(model)
    model.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0, callbacks=[average.callback()])
    before = values(model)
    kept = snapshot(model, average)
    assert same(values(model), before)
    assert not same(kept, before)
    assert not same(kept, first)
    assert same(snapshot(model, None), before)


def test_validation_sees_the_averages(model: Any) -> None:
    average = WeightAverage(model, 0.9)
    x, y = np.random.default_rng(0).normal(size=(2, 64, 3)).astype(np.float32)
    seen: list[float] = []

    def fit(*callbacks: Any) -> None:
        history = model.fit(
            x, y[:, :2], epochs=2, validation_data=(x, y[:, :2]), callbacks=list(callbacks), verbose=0, shuffle=False
        )
        seen.append(history.history["val_loss"][-1])

    fit(average.callback())
    own = values(model)
    average.show()
    shown = model.evaluate(x, y[:, :2], verbose=0)
    average.hide()
    assert seen[0] == pytest.approx(shown, rel=1e-6)
    assert same(values(model), own)
    assert seen[0] != pytest.approx(model.evaluate(x, y[:, :2], verbose=0), rel=1e-4)


def test_a_state_goes_back_where_it_came_from(model: Any) -> None:
    average, other = WeightAverage(model, 0.9), WeightAverage(model, 0.9)
    model.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0, callbacks=[average.callback()])
    other.state = average.state
    assert same(other.state, average.state)
