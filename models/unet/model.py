"""A small U-Net (Ronneberger, Fischer and Brox 2015, U-Net: convolutional networks for biomedical image segmentation).

What it keeps of figure 1: two 3x3 convolutions and a pooling on each level down, and on each level up a doubling of
height and width, the features of the same level beside it (the skip connection), and 3x3 convolutions again. What
differs: 8 feature maps on the first level instead of 64 and three levels instead of four, "same" padding instead of
cropping, batch normalization, and a 1x1 convolution before the nearest pixel is repeated instead of a transposed one.
"""

from typing import Any

import keras
from keras import layers

from edgecnn.layers import NearestUpsampling2D


def build(input_shape: tuple[int, ...], filters: int = 8, levels: int = 3) -> keras.Model:
    """101,521 parameters as it stands; height and width are multiples of ``2 ** levels``.

    Args:
        input_shape: Height, width, channels.
        filters: Feature maps of the first level; each level below has twice as many.
        levels: Poolings.
    """

    def convolution(x: Any, width: int, size: int = 3) -> Any:
        x = layers.Conv2D(width, size, padding="same", use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))    # few, long steps

    image = keras.Input(input_shape)
    x, skips = image, []
    for level in range(levels):                       # 128x128x8, 64x64x16, 32x32x32
        x = convolution(convolution(x, filters << level), filters << level)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = convolution(convolution(x, filters << levels), filters << levels)    # 16x16x64
    for level in reversed(range(levels)):
        x = NearestUpsampling2D(2)(convolution(x, filters << level, 1))
        x = layers.Concatenate()([skips[level], x])
        x = convolution(x, filters << level)
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(x), name="unet")
