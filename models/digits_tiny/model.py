"""A network for the smallest of boards: 8x8 digits, two convolutions, under 4 KB of weights."""

import keras
from keras import layers


def build(
    filters: int = 8, more_filters: int = 16, kernel: int = 3, dense: int = 0, dropout: float = 0.25
) -> keras.Model:
    """3,818 parameters; the largest tensor is 512 bytes in int8, so an Arduino Uno's 2 KB of RAM are enough.

    The arguments are what ``space.toml`` searches over; the figures above are those of the defaults.

    Args:
        filters: Of the first convolution.
        more_filters: Of the second one, which halves height and width.
        kernel: Height and width of both.
        dense: Units of a layer before the last one; 0 for none.
        dropout: Share of the flattened features that is left out in training.
    """
    hidden = [layers.Dense(dense, activation="relu")] if dense else []
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(filters, kernel, padding="same", activation="relu"),                    # 8x8x8
            layers.Conv2D(more_filters, kernel, strides=2, padding="same", activation="relu"),    # 4x4x16
            layers.Flatten(),                                                                     # 256
            layers.Dropout(dropout),
            *hidden,
            layers.Dense(10, activation="softmax"),                                               # 10
        ],
        name="digits_tiny",
    )
