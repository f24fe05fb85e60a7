"""AlexNet (Krizhevsky, Sutskever, Hinton 2012, ImageNet classification with deep convolutional neural networks)."""

from typing import Any

import keras
from keras import layers

from edgecnn.layers import LocalResponseNormalization


def build(input_shape: tuple[int, ...] | None = None, classes: int = 10, size: str = "cifar") -> keras.Model:
    """The network in one of two sizes.

    Args:
        input_shape: Height, width, channels; by default what the size is meant for.
        classes: Outputs; the original has 1000.
        size: ``cifar`` for 32x32, or ``original`` for 227x227: 60,965,224 parameters with 1000 classes.
    """
    builders = {"cifar": _cifar, "original": _original}
    if size not in builders:
        raise ValueError(f"size is one of {', '.join(builders)}, not {size!r}")
    image = keras.Input(input_shape or {"cifar": (32, 32, 3), "original": (227, 227, 3)}[size])
    return keras.Model(image, builders[size](image, classes), name="alexnet")


def _original(x: Any, classes: int) -> Any:
    """Sections 3.2 to 3.5 and 4.2 of the paper; 227 where it says 224, without which its 55x55 maps do not come out.

    Two graphics cards held half of the maps each: the second, fourth and fifth convolution read the half that was on
    their own card, which is what ``groups=2`` does.
    """
    x = layers.Conv2D(96, 11, strides=4, activation="relu", name="conv1")(x)                   # 55x55x96
    x = layers.MaxPooling2D(3, 2)(LocalResponseNormalization()(x))                             # 27x27x96
    x = layers.Conv2D(256, 5, padding="same", groups=2, activation="relu", name="conv2")(x)    # 27x27x256
    x = layers.MaxPooling2D(3, 2)(LocalResponseNormalization()(x))                             # 13x13x256
    x = layers.Conv2D(384, 3, padding="same", activation="relu", name="conv3")(x)              # 13x13x384
    x = layers.Conv2D(384, 3, padding="same", groups=2, activation="relu", name="conv4")(x)    # 13x13x384
    x = layers.Conv2D(256, 3, padding="same", groups=2, activation="relu", name="conv5")(x)    # 13x13x256
    x = layers.Flatten()(layers.MaxPooling2D(3, 2)(x))                                         # 6x6x256
    for name in ("fc6", "fc7"):
        x = layers.Dropout(0.5)(layers.Dense(4096, activation="relu", name=name)(x))
    return layers.Dense(classes, activation="softmax", name="fc8")(x)


def _cifar(x: Any, classes: int) -> Any:
    """The same order of layers with an eighth of the pixels on each side, a third of the maps and dense layers of 256.

    Batch normalization, which folds into the convolutions, stands for local response normalization, and no convolution
    is grouped: neither has int8 kernels everywhere.
    """

    def convolution(x: Any, filters: int, kernel: int, stride: int = 1) -> Any:
        x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization()(x))

    x = layers.MaxPooling2D(3, 2, "same")(convolution(x, 32, 5, 2))    # 16x16x32, 8x8x32
    x = layers.MaxPooling2D(3, 2, "same")(convolution(x, 96, 5))       # 8x8x96, 4x4x96
    x = convolution(x, 112, 3)                                         # 4x4x112
    x = convolution(x, 112, 3)
    x = layers.MaxPooling2D(3, 2, "same")(convolution(x, 96, 3))       # 4x4x96, 2x2x96
    x = layers.Flatten()(x)                                            # 384
    for _ in range(2):
        x = layers.Dropout(0.3)(layers.Dense(256, activation="relu")(x))
    return layers.Dense(classes, activation="softmax")(x)
