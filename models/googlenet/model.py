"""GoogLeNet, Inception v1 (Szegedy et al. 2015, Going deeper with convolutions, table 1 and figures 2b and 3)."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from edgecnn.layers import LocalResponseNormalization

# Table 1: filters of 1x1, of 3x3 and the 1x1 before it, of 5x5 and the 1x1 before it, and of the 1x1 after pooling.
MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
POOL_BEFORE = ("4a", "5a")
SHRINK = 4    # the CIFAR size has a quarter of the maps

Convolution = Callable[..., Any]


def build(
    input_shape: tuple[int, ...] | None = None, classes: int = 10, size: str = "cifar", auxiliary: bool = False
) -> keras.Model:
    """Nine Inception modules behind a convolutional stem, in one of two sizes.

    Args:
        input_shape: Height, width, channels; by default what the size is meant for.
        classes: Outputs; the original has 1000.
        size: ``cifar`` for 32x32, or ``original`` for 224x224: 6,998,552 parameters with 1000 classes.
        auxiliary: Give the original its two classifiers at 4a and 4d as further outputs, 13,378,280 parameters in all.
            They serve training alone, and edgecnn trains networks of one output, so this is for a look at them.
    """
    if size not in ("cifar", "original"):
        raise ValueError(f"size is one of cifar, original, not {size!r}")
    original = size == "original"
    if auxiliary and not original:
        raise ValueError("auxiliary classifiers belong to size 'original'")
    convolution = _with_bias if original else _normalized
    image = keras.Input(input_shape or ((224, 224, 3) if original else (32, 32, 3)))
    x = _original_stem(image) if original else _cifar_stem(image)
    extra = []
    for name, filters in MODULES.items():
        if name in POOL_BEFORE:
            x = layers.MaxPooling2D(3, 2, "same")(x)
        x = _inception(x, filters if original else tuple(count // SHRINK for count in filters), convolution, name)
        if auxiliary and name in ("4a", "4d"):
            extra.append(_auxiliary(x, classes, name))
    x = layers.Dropout(0.4 if original else 0.2)(layers.GlobalAveragePooling2D()(x))
    main = layers.Dense(classes, activation="softmax", name="classifier")(x)
    return keras.Model(image, [main, *extra] if auxiliary else main, name="googlenet")


def _with_bias(x: Any, filters: int, kernel: int, strides: int = 1, name: str | None = None) -> Any:
    return layers.Conv2D(filters, kernel, strides, "same", activation="relu", name=name)(x)


def _normalized(x: Any, filters: int, kernel: int, strides: int = 1, name: str | None = None) -> Any:
    """With batch normalization, as its authors gave it the year after (Ioffe, Szegedy 2015); it folds."""
    x = layers.Conv2D(filters, kernel, strides, "same", use_bias=False, name=name)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def _inception(x: Any, filters: tuple[int, ...], convolution: Convolution, name: str) -> Any:
    """Four ways of looking at the same maps, joined: figure 2b."""
    ones, before_threes, threes, before_fives, fives, after_pool = filters
    ways = [
        convolution(x, ones, 1, name=f"{name}_1x1"),
        convolution(convolution(x, before_threes, 1, name=f"{name}_3x3_reduce"), threes, 3, name=f"{name}_3x3"),
        convolution(convolution(x, before_fives, 1, name=f"{name}_5x5_reduce"), fives, 5, name=f"{name}_5x5"),
        convolution(layers.MaxPooling2D(3, 1, "same")(x), after_pool, 1, name=f"{name}_pool_proj"),
    ]
    return layers.Concatenate(name=name)(ways)


def _original_stem(x: Any) -> Any:
    x = _with_bias(x, 64, 7, 2, "conv1")                                           # 112x112x64
    x = LocalResponseNormalization()(layers.MaxPooling2D(3, 2, "same")(x))         # 56x56x64
    x = _with_bias(_with_bias(x, 64, 1, name="conv2_reduce"), 192, 3, name="conv2")
    return layers.MaxPooling2D(3, 2, "same")(LocalResponseNormalization()(x))      # 28x28x192


def _cifar_stem(x: Any) -> Any:
    """A quarter of the pixels on each side in place of an eighth: 8x8 for the first module."""
    x = layers.MaxPooling2D(3, 2, "same")(_normalized(x, 16, 3))                  # 32x32x16, 16x16x16
    x = _normalized(_normalized(x, 16, 1), 48, 3)                                  # 16x16x48
    return layers.MaxPooling2D(3, 2, "same")(x)                                    # 8x8x48


def _auxiliary(x: Any, classes: int, name: str) -> Any:
    """Section 5 of the paper: average pooling 5x5 stride 3, 128 1x1 convolutions, 1024 units, 70 % dropout."""
    x = _with_bias(layers.AveragePooling2D(5, 3)(x), 128, 1, name=f"{name}_auxiliary_conv")
    x = layers.Dense(1024, activation="relu", name=f"{name}_auxiliary_dense")(layers.Flatten()(x))
    return layers.Dense(classes, activation="softmax", name=f"{name}_auxiliary")(layers.Dropout(0.7)(x))
