"""What stands where a batch normalization was that other layers took in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras


@keras.saving.register_keras_serializable(package="edgecnn")
class FoldedNorm(keras.layers.Layer):    # type: ignore[misc]
    """``y = x``, called as a batch normalization is: in a functional model those are given a mask."""

    def call(self, x: Any, mask: Any = None) -> Any:
        """Nothing is left to do."""
        del mask
        return x


@keras.saving.register_keras_serializable(package="edgecnn")
class AddChannels(keras.layers.Layer):    # type: ignore[misc]
    """``y = x + b`` with one ``b`` for each channel, begun at 0: in front of a convolution that pads with zeros.

    Input and output ``[N, ..., C]`` of one shape. It becomes an ADD of a constant.
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        """One value for each channel."""
        self.shift = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="shift")
        super().build(input_shape)

    def call(self, x: Any, mask: Any = None) -> Any:
        """Add the values."""
        del mask
        return x + self.shift
