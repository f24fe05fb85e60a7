"""Upsampling that a microcontroller can do."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="edgecnn")
class NearestUpsampling2D(keras.layers.Layer):    # type: ignore[misc]    # Keras has no types
    """Every pixel repeated: ``output[n, i, j, c] = input[n, i // factor, j // factor, c]``.

    It stands in for ``keras.layers.UpSampling2D(interpolation="nearest")``, which converts to RESHAPE and TILE around a
    tensor of six dimensions that TFLite Micro does not take. This one converts to a single RESIZE_NEAREST_NEIGHBOR.

    Input ``[N, H, W, C]``, output ``[N, factor * H, factor * W, C]``, of the same type.

    Args:
        factor: How often each pixel is repeated along height and along width.
        **options: Of ``keras.layers.Layer``, such as ``name``.

    Raises:
        ValueError: ``factor`` is below 1, or an input does not have a fixed height and width.
    """

    def __init__(self, factor: int = 2, **options: Any) -> None:
        if factor < 1:
            raise ValueError(f"factor={factor}: it is 1 or more")
        super().__init__(**options)
        self.factor = factor

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Nothing to make; an open size would become SHAPE and STRIDED_SLICE, which a device has no use for."""
        if input_shape[1] is None or input_shape[2] is None:
            raise ValueError("the height and width of its input must be fixed: give them to keras.Input")
        self.built = True

    def call(self, images: Any) -> Any:
        """``[N, H, W, C]`` to ``[N, factor * H, factor * W, C]``."""
        height, width = images.shape[1:3]
        return tf.image.resize(images, (self.factor * height, self.factor * width), method="nearest")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Height and width times the factor."""
        batch, height, width, channels = input_shape
        return (
            batch,
            None if height is None else self.factor * height,
            None if width is None else self.factor * width,
            channels,
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, for saving."""
        return {**super().get_config(), "factor": self.factor}
