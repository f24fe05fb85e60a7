"""A depthwise-separable network on the log-mel spectrogram of a recording: an image of time and pitch.

After Zhang, Suda, Lai and Chandra (2017), Hello edge: keyword spotting on microcontrollers, section 3.5 (DS-CNN): one
ordinary convolution, then blocks of a depthwise and a pointwise one, an average over time and frequency at the end.
"""

from typing import Any

import keras
from keras import layers

BLOCKS = ((48, 2), (64, 1), (64, 1))    # filters and stride


def build(
    input_shape: tuple[int, int, int] = (39, 32, 1), classes: int = 10, first: int = 32, dropout: float = 0.3
) -> keras.Model:
    """12,858 parameters for ten classes; batch normalization folds into the convolutions."""

    def normalized(x: Any) -> Any:
        return layers.ReLU()(layers.BatchNormalization()(x))

    spectrogram = keras.Input(input_shape)
    x = normalized(layers.Conv2D(first, 5, strides=2, padding="same", use_bias=False)(spectrogram))
    for filters, stride in BLOCKS:
        x = normalized(layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(x))
        x = normalized(layers.Conv2D(filters, 1, use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(spectrogram, layers.Dense(classes, activation="softmax")(x), name="spoken_digits_spectrogram")
