"""A small 3-D network: three convolutions over time, height and width, each halving what it sees.

No convolution has a bias. Where nothing is, the network computes nothing, and a picture twice as bright gives answers
twice as large, which is how it should be for a direction. It also helps int8: the black ground stays zero to the last
bit, where a bias would leave the same rounding error in every one of its pixels, to be summed up by the next layer.
"""

import keras
from keras import layers


def build(input_shape: tuple[int, ...] = (8, 24, 24, 1), classes: int = 8) -> keras.Model:
    """8,128 parameters; Conv3D becomes CONV_2D over stacked frames when it is quantized."""

    def convolution(filters: int, strides: tuple[int, int, int]) -> layers.Layer:
        return layers.Conv3D(
            filters, 3, strides, "same", activation="relu", use_bias=False, kernel_initializer="he_normal"
        )

    return keras.Sequential(
        [
            keras.Input(input_shape),                        # 8 frames of 24x24x1
            convolution(8, (1, 2, 2)),                       # 8 frames of 12x12x8
            convolution(12, (2, 2, 2)),                      # 4 of 6x6x12
            convolution(16, (2, 2, 2)),                      # 2 of 3x3x16
            layers.GlobalAveragePooling3D(),                 # 16
            layers.Dense(classes, activation="softmax"),     # 8
        ],
        name="moving_fashion_3d",
    )
