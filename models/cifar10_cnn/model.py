"""The first CIFAR-10 network of the course: three strided convolutions, then two wide dense layers."""

import keras
from keras import layers


def build() -> keras.Model:
    """1,284,170 parameters, 92 % of them between Flatten and the first dense layer."""
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(32, 3, strides=2, activation="relu"),     # 15x15x32: stride in place of pooling
            layers.Conv2D(64, 3, strides=2, activation="relu"),     # 7x7x64
            layers.Conv2D(128, 3, strides=2, activation="relu"),    # 3x3x128
            layers.Flatten(),                                       # 1152
            layers.Dropout(0.5),
            layers.Dense(1024, activation="relu"),                  # 1024
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),                 # 10
        ],
        name="cifar10_cnn",
    )
