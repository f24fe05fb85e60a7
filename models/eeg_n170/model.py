"""Which of two pictures was seen, from four electrodes: two convolutions along time, then a weight for each instant."""

import keras
from keras import layers

STAGES = ((16, 7), (16, 5))    # filters, kernel; each halves the rate


def build(input_shape: tuple[int, ...] = (57, 4)) -> keras.Model:
    """2,097 parameters, batch normalization included. 57 steps are 0.9 s at 64 Hz."""
    x = epoch = keras.Input(input_shape)
    for filters, kernel in STAGES:
        x = layers.Conv1D(filters, kernel, strides=2, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)    # before the activation, so that it folds into the convolution
        x = layers.ReLU()(x)
    # Unlike a movement, a response to a picture has its time: a mean over the epoch would lose when it came.
    x = layers.Flatten()(x)
    x = layers.Dropout(0.5)(x)
    return keras.Model(epoch, layers.Dense(1, activation="sigmoid")(x), name="eeg_n170")
