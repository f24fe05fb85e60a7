"""The course's first convolutional network: strided convolutions in place of pooling, then two dense layers."""

import keras
from keras import layers


def build() -> keras.Model:
    """360,458 parameters, most of them in the first dense layer."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, strides=2, activation="relu"),     # 13x13x32
            layers.Conv2D(64, 3, strides=2, activation="relu"),     # 6x6x64
            layers.Conv2D(128, 3, strides=2, activation="relu"),    # 2x2x128
            layers.Flatten(),                                       # 512
            layers.Dropout(0.2),
            layers.Dense(512, activation="relu"),                   # 512
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),                 # 10
        ],
        name="fashion_mnist_cnn",
    )
