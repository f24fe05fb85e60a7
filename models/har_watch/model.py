"""Movements from a watch: four convolutions along time over all six axes at once, and a mean over the window."""

import keras
from keras import layers

STAGES = ((24, 9, 2), (32, 7, 2), (48, 5, 2), (48, 5, 1))    # filters, kernel, stride


def build(input_shape: tuple[int, ...] = (100, 6), classes: int = 7) -> keras.Model:
    """26,823 parameters, batch normalization included. 100 steps are 4 s at 25 Hz."""
    x = window = keras.Input(input_shape)
    for filters, kernel, stride in STAGES:
        x = layers.Conv1D(filters, kernel, strides=stride, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)    # before the activation, so that it folds into the convolution
        x = layers.ReLU()(x)
    # Where in the window a movement begins says nothing: the mean over time does not depend on it.
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dropout(0.3)(x)
    return keras.Model(window, layers.Dense(classes, activation="softmax")(x), name="har_watch")
