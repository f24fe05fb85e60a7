"""Two classes and one output: a small convolutional network that gives the probability of the second class."""

import keras
from keras import layers


def build(input_shape: tuple[int, ...] = (96, 96, 3)) -> keras.Model:
    """97,505 parameters for images of 96x96.

    There is no batch normalization: its statistics would be those of the training images' backgrounds, and others are
    to come.

    Args:
        input_shape: Height, width, channels.
    """
    image = keras.Input(input_shape)
    x = image
    for filters, stride in ((16, 2), (32, 1), (64, 1), (64, 1)):    # 24x24x16, 12x12x32, 6x6x64, 3x3x64
        x = layers.Conv2D(filters, 3, strides=stride, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dropout(0.5)(layers.Flatten()(x))                    # 576
    x = layers.Dropout(0.3)(layers.Dense(64, activation="relu")(x))
    return keras.Model(image, layers.Dense(1, activation="sigmoid")(x), name="horses_or_humans")
