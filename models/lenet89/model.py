"""The network of 1989 that read zip codes (LeCun et al. 1989, Backpropagation applied to handwritten zip code
recognition, Neural Computation 1(4), 541-551, figure 3): the first convolutional network trained by backpropagation.
"""

import keras
from keras import layers

from edgecnn.layers import PartialConv2D, UnitBias

# Each of the 12 maps of H2 reads 8 of the 12 maps of H1. The paper does not print its choice: here three groups of
# four maps leave out four maps of H1 each, so every map of H1 is read by 8 maps of H2.
H2_READS = ([0, 1, 2, 3, 4, 5, 6, 7], [4, 5, 6, 7, 8, 9, 10, 11], [0, 1, 2, 3, 8, 9, 10, 11])


def build() -> keras.Model:
    """9,760 parameters, as in the paper: 1,068 in H1, 2,592 in H2, 5,790 in H3, 310 in the output layer.

    The 28x28 picture of MNIST becomes the 16x16 input inside the network: two pixels of each border are cut off, the
    rest is resized. Plain tanh stands for 1.7159 tanh(2x/3): the two factors can be moved into weights, so the networks
    are the same functions. What lies beyond a border is 0, the background. Softmax stands for ten tanh units.
    """
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Cropping2D(2),                                                        # 24x24
            layers.Resizing(16, 16, interpolation="bilinear"),                           # 16x16, factor 1.5
            layers.Conv2D(12, 5, strides=2, padding="same", use_bias=False, name="h1"),  # 8x8x12: 300 weights
            UnitBias(name="h1_bias"),                                                    # 768 biases
            layers.Activation("tanh", name="h1_tanh"),
            PartialConv2D(H2_READS, (4, 4, 4), 5, strides=2, name="h2"),                 # 4x4x12: 2,400 weights
            UnitBias(name="h2_bias"),                                                    # 192 biases
            layers.Activation("tanh", name="h2_tanh"),
            layers.Flatten(),                                                            # 192
            layers.Dense(30, activation="tanh", name="h3"),                              # 30
            layers.Dense(10, activation="softmax", name="output"),                       # 10
        ],
        name="lenet89",
    )
