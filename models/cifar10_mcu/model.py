"""A residual network for CIFAR-10 that leaves room on a microcontroller with 128 KB of flash and 32 KB of RAM.

Residual blocks after He, Zhang, Ren and Sun (2016), Deep residual learning for image recognition, in the small form of
MLPerf Tiny's ResNet8. The middle stage has two blocks: there a block costs 18 kB of weights and gives the most.
"""

from typing import Any

import keras
from keras import layers

STAGES = ((16, 1, 1), (32, 2, 2), (60, 2, 1))    # filters, stride of the first block, blocks


def build(input_shape: tuple[int, ...] = (32, 32, 3), classes: int = 10) -> keras.Model:
    """91,570 parameters, batch normalization included; 88 kB of them are weights of the int8 model."""

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
    return keras.Model(image, layers.Dense(classes, activation="softmax")(x), name="cifar10_mcu")
