"""A moving average of the weights, which is smoother than where the last batches happened to lead them.

After every batch: average ← d · average + (1 − d) · weight, for all values of the network that are real numbers, the
moving statistics of batch norm among them (Polyak and Juditsky 1992; with an exponential window as in Tarvainen and
Valpola 2017, *Mean teachers are better role models*, section 2). So that a short training is not an average with its
random beginning, d is at most (1 + n) / (10 + n) after n batches.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgecnn.keras_quiet import import_keras


class WeightAverage:
    """The averages of a model's weights.

    Args:
        model: A compiled ``keras.Model`` whose optimizer is built; its weights now are the first averages.
        decay: d, between 0 and 1.
    """

    def __init__(self, model: Any, decay: float) -> None:
        import tensorflow as tf

        self._model = model
        self._pairs = [
            (variable, tf.Variable(variable.value, trainable=False))
            for variable in model.variables
            if tf.as_dtype(variable.dtype).is_floating
        ]
        self._aside: list[np.ndarray] | None = None
        iterations = model.optimizer.iterations

        def follow() -> None:
            batches = tf.cast(iterations.value, tf.float32)
            share = tf.minimum(np.float32(decay), (1 + batches) / (10 + batches))
            for variable, average in self._pairs:
                average.assign(share * average + (1 - share) * variable.value)

        self._follow = tf.function(follow)

    @property
    def state(self) -> list[np.ndarray]:
        """The averages, for a checkpoint."""
        return [average.numpy() for _, average in self._pairs]

    @state.setter
    def state(self, values: list[np.ndarray]) -> None:
        for (_, average), value in zip(self._pairs, values, strict=True):
            average.assign(value)

    def follow(self) -> None:
        """A batch has changed the weights."""
        self._follow()

    def show(self) -> None:
        """Put the averages into the model; its own weights are kept aside."""
        self._aside = [np.array(variable) for variable, _ in self._pairs]
        for variable, average in self._pairs:
            variable.assign(average)

    def hide(self) -> None:
        """Put the model's own weights back."""
        assert self._aside is not None    # show() was called
        for (variable, _), value in zip(self._pairs, self._aside, strict=True):
            variable.assign(value)
        self._aside = None

    def callback(self) -> Any:
        """A Keras callback that follows every batch and lets validation see the averages."""
        keras, average = import_keras("training"), self

        class Callback(keras.callbacks.Callback):    # type: ignore[misc, name-defined]
            """Made here because Keras is imported late."""

            def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
                del batch, logs
                average.follow()

            def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
                del logs
                average.show()

            def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
                del logs
                average.hide()

        return Callback()


def snapshot(model: Any, average: WeightAverage | None) -> list[np.ndarray]:
    """What a model is worth keeping for, in the order of ``model.variables``: its weights, or their averages."""
    if average is None:
        return [np.array(variable) for variable in model.variables]
    average.show()
    try:
        return [np.array(variable) for variable in model.variables]
    finally:
        average.hide()
