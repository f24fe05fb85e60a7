"""A network for the smallest of boards: 8x8 digits, two convolutions, under 4 KB of weights."""

import keras
from keras import layers


def build() -> keras.Model:
    """3,818 parameters; the largest tensor is 512 bytes in int8, so an Arduino Uno's 2 KB of RAM are enough."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, padding="same", activation="relu"),                # 8x8x8
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),    # 4x4x16
            layers.Flatten(),                                                      # 256
            layers.Dropout(0.25),
            layers.Dense(10, activation="softmax"),                                # 10
        ],
        name="digits_tiny",
    )
