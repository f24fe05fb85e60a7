"""Local response normalization, which AlexNet and GoogLeNet have in their original form."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="edgecnn")
class LocalResponseNormalization(keras.layers.Layer):    # type: ignore[misc]
    """Divides each value by a power of the energy of its neighbours in the channels: ``a / (k + α Σ a²) ** β``.

    Krizhevsky, Sutskever and Hinton 2012, ImageNet classification with deep convolutional neural networks, section
    3.3; the sum runs over ``2 * radius + 1`` channels around the value's own, as far as there are any. No weights;
    input and output ``[N, ..., C]``. There is no int8 kernel of it: batch normalization took its place.

    Args:
        radius: Neighbours on each side; the paper's n = 5 is a radius of 2.
        k: Added to the sum.
        alpha: Factor of the sum.
        beta: The power.
        kwargs: What every Keras layer takes.
    """

    def __init__(
        self, radius: int = 2, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.radius, self.k, self.alpha, self.beta = radius, k, alpha, beta

    def call(self, x: Any) -> Any:
        """The normalized values."""
        channels, radius = x.shape[-1], self.radius
        squares = keras.ops.pad(keras.ops.square(x), [(0, 0)] * (len(x.shape) - 1) + [(radius, radius)])
        energy = sum(squares[..., shift : shift + channels] for shift in range(2 * radius + 1))
        return x * keras.ops.power(self.k + self.alpha * energy, -self.beta)

    def get_config(self) -> dict[str, Any]:
        """What ``__init__`` was given."""
        own = {"radius": self.radius, "k": self.k, "alpha": self.alpha, "beta": self.beta}
        return {**super().get_config(), **own}
