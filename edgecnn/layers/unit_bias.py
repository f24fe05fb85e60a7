"""A bias for every unit, where a convolution shares one among all units of a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras


@keras.saving.register_keras_serializable(package="edgecnn")
class UnitBias(keras.layers.Layer):    # type: ignore[misc]
    """``y = x + b`` with a weight of its own for each value of a sample, begun at 0.

    LeCun et al. 1989, Backpropagation applied to handwritten zip code recognition, Neural Computation 1(4), section
    3.2: units of a feature map share their weights, not their biases. Input and output ``[N, ...]`` of one shape. It
    becomes an ADD of a constant.
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        """One bias for each value of a sample."""
        self.bias = self.add_weight(shape=tuple(input_shape[1:]), initializer="zeros", name="bias")
        super().build(input_shape)

    def call(self, x: Any) -> Any:
        """Add the biases."""
        return x + self.bias
