"""Word embeddings that a microcontroller can look up."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="edgecnn")
class TokenEmbedding(keras.layers.Layer):    # type: ignore[misc]    # Keras has no types
    """A trained vector for each id: ``output[n, t] = table[ids[n, t]]``.

    It stands in for ``keras.layers.Embedding``, which allows for negative ids with LESS, ADD and SELECT around the
    look-up; TFLite Micro has no int32 kernels for those. This one converts to a single GATHER. Ids are integers all the
    way: the network's input stays int32 when its values become int8.

    Input ``[N, T]`` of ids from 0, integers; output ``[N, T, dimensions]``, floats. An id that is not in the table is
    an error on a computer, and unchecked on a device: the preprocessing's ``vocabulary_size`` may not be larger than
    this one.

    Args:
        vocabulary_size: Ids there are: rows of the table.
        dimensions: Length of each vector.
        **options: Of ``keras.layers.Layer``, such as ``name``.

    Raises:
        ValueError: One of the sizes is below 1.
    """

    def __init__(self, vocabulary_size: int, dimensions: int, **options: Any) -> None:
        if vocabulary_size < 1 or dimensions < 1:
            raise ValueError(f"vocabulary_size={vocabulary_size}, dimensions={dimensions}: both are 1 or more")
        super().__init__(**options)
        self.vocabulary_size = vocabulary_size
        self.dimensions = dimensions

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the table, uniform in -0.05 to 0.05 as Keras's own."""
        del input_shape
        self.table = self.add_weight(
            name="table", shape=(self.vocabulary_size, self.dimensions), initializer="random_uniform"
        )
        self.built = True

    def call(self, ids: Any) -> Any:
        """``[N, T]`` ids to ``[N, T, dimensions]`` vectors."""
        return tf.gather(tf.convert_to_tensor(self.table), tf.cast(ids, tf.int32))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the ids, and the length of a vector."""
        return (*input_shape, self.dimensions)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, for saving."""
        return {**super().get_config(), "vocabulary_size": self.vocabulary_size, "dimensions": self.dimensions}
