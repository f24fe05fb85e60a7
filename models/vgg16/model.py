"""VGG16 (Simonyan, Zisserman 2015, Very deep convolutional networks for large-scale image recognition, column D)."""

from typing import Any

import keras
from keras import layers

BLOCKS = {"original": (64, 128, 256, 512, 512), "cifar": (12, 24, 48, 80, 80)}    # filters
DEPTHS = (2, 2, 3, 3, 3)                                                         # convolutions of a block
DENSE = {"original": 4096, "cifar": 128}
SIDE = {"original": 224, "cifar": 32}


def build(input_shape: tuple[int, ...] | None = None, classes: int = 10, size: str = "cifar") -> keras.Model:
    """Thirteen 3x3 convolutions and three dense layers, in one of two sizes.

    The small one has batch normalization, which the paper did without: sixteen layers learn slowly without it, and it
    folds into the convolutions.

    Args:
        input_shape: Height, width, channels; by default what the size is meant for.
        classes: Outputs; the original has 1000.
        size: ``cifar`` for 32x32, or ``original`` for 224x224: 138,357,544 parameters with 1000 classes.
    """
    if size not in BLOCKS:
        raise ValueError(f"size is one of {', '.join(BLOCKS)}, not {size!r}")

    def convolution(x: Any, filters: int) -> Any:
        if size == "original":
            return layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization()(x))

    image = keras.Input(input_shape or (SIDE[size], SIDE[size], 3))
    x = image
    for filters, depth in zip(BLOCKS[size], DEPTHS, strict=True):    # 32, 16, 8, 4, 2 on a side; 224, 112, 56, 28, 14
        for _ in range(depth):
            x = convolution(x, filters)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)    # 1x1 with 32x32, 7x7 with 224x224
    for _ in range(2):
        x = layers.Dense(DENSE[size], activation="relu")(x)
        x = layers.Dropout(0.5 if size == "original" else 0.2)(x)
    return keras.Model(image, layers.Dense(classes, activation="softmax")(x), name="vgg16")
