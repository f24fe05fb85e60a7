"""LeNet-5 (LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition, fig. 2)."""

import keras
from keras import layers


def build() -> keras.Model:
    """61,706 parameters: every feature map of S2 feeds C3, and softmax stands where the paper has RBF units."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(6, 5, padding="same", activation="tanh", name="c1"),    # 28x28x6; the paper pads to 32x32
            layers.AveragePooling2D(2, name="s2"),                                # 14x14x6
            layers.Conv2D(16, 5, activation="tanh", name="c3"),                   # 10x10x16
            layers.AveragePooling2D(2, name="s4"),                                # 5x5x16
            layers.Conv2D(120, 5, activation="tanh", name="c5"),                  # 1x1x120
            layers.Flatten(),                                                     # 120
            layers.Dense(84, activation="tanh", name="f6"),                       # 84
            layers.Dense(10, activation="softmax", name="output"),                # 10
        ],
        name="lenet5",
    )
