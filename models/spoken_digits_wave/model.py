"""A one-dimensional convolutional network on the samples of a recording themselves.

As in Dai, Dai, Qu, Li and Das (2017), Very deep convolutional neural networks for raw waveforms: a long first kernel
that takes large steps and learns a bank of filters, short ones after it, an average over time at the end. Large steps
come first because there the signal is longest: after two layers a second is 250 time steps, and a device that computes
row by row keeps a few of each layer.
"""

import keras
from keras import layers

STAGES = ((24, 64, 8), (32, 8, 4), (48, 8, 4), (64, 4, 2))    # filters, kernel and stride, in time steps


def build(input_shape: tuple[int, int] = (8000, 1), classes: int = 10, dropout: float = 0.3) -> keras.Model:
    """33,578 parameters for ten classes; batch normalization folds into the convolutions."""
    wave = keras.Input(input_shape)
    x = wave
    for filters, kernel, stride in STAGES:
        x = layers.Conv1D(filters, kernel, strides=stride, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(wave, layers.Dense(classes, activation="softmax")(x), name="spoken_digits_wave")
