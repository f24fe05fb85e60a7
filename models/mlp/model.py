"""The baseline that the course starts from: a multilayer perceptron that sees pixels, not pictures."""

import keras
from keras import layers


def build(input_shape: tuple[int, ...] = (28, 28, 1), classes: int = 10) -> keras.Model:
    """One hidden layer of 128 units: 101,770 parameters on 28x28 images."""
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Flatten(),                                # 784
            layers.Dense(128, activation="relu"),            # 128
            layers.Dense(classes, activation="softmax"),     # 10
        ],
        name="mlp",
    )
