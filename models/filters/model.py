"""Filters with fixed kernels as networks: what convolution did before anybody learned its weights.

An image filter works on each channel for itself, at the image's size, with zeros around the image. As everywhere in
neural networks the kernel is not turned around: ``y[i, j] = sum over m, n of x[i + m - 1, j + n - 1] * kernel[m, n]``.
"""

from typing import Any

import keras
import numpy as np
from keras import layers

SOBEL_X = ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))    # answers to vertical lines (Sobel and Feldman 1968)
SOBEL_Y = ((-1, -2, -1), (0, 0, 0), (1, 2, 1))    # answers to horizontal lines

IMAGE_KERNELS: dict[str, Any] = {
    "sobel_x": SOBEL_X,
    "sobel_y": SOBEL_Y,
    "laplacian": ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
    "gaussian": np.array(((1, 2, 1), (2, 4, 2), (1, 2, 1))) / 16,
    "sharpen": ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),    # the image minus its Laplacian
}
KERNELS = (*IMAGE_KERNELS, "edges", "moving_average")


def build(input_shape: tuple[int, ...] = (28, 28, 1), kernel: str = "edges", window: int = 10) -> keras.Model:
    """A network of one filter.

    Args:
        input_shape: Of an image ``[H, W, C]`` or, for ``moving_average``, a signal ``[T, C]``.
        kernel: One of ``KERNELS``.
        window: Samples that ``moving_average`` takes the mean of.
    """
    if kernel not in KERNELS:
        raise ValueError(f"unknown kernel {kernel!r}; known: {', '.join(KERNELS)}")
    dimensions = 2 if kernel == "moving_average" else 3
    if len(input_shape) != dimensions:
        raise ValueError(f"kernel {kernel!r} is for samples of {dimensions} dimensions, not {input_shape}")
    first = keras.Input(input_shape)
    if kernel == "moving_average":
        output = moving_average(first, window)
    elif kernel == "edges":
        output = edges(first)
    else:
        output = each_channel(first, [IMAGE_KERNELS[kernel]])
    return keras.Model(first, output, name=kernel)


def each_channel(image: Any, kernels: list[Any]) -> Any:
    """``[H, W, C]`` to ``[H, W, C * len(kernels)]``: every kernel on every channel."""
    filters = layers.DepthwiseConv2D(3, padding="same", use_bias=False, depth_multiplier=len(kernels), trainable=False)
    output = filters(image)
    stacked = np.stack([np.array(kernel, np.float32) for kernel in kernels], axis=-1)                 # [3, 3, kernels]
    filters.set_weights([np.repeat(stacked[:, :, np.newaxis], image.shape[-1], axis=2)])    # [3, 3, C, kernels]
    return output


def edges(image: Any) -> Any:
    """The size of the gradient, ``|gx| + |gy|``, as ``relu(gx) + relu(-gx) + relu(gy) + relu(-gy)``."""
    x, y = np.array(SOBEL_X), np.array(SOBEL_Y)
    halves = layers.ReLU()(each_channel(image, [x, -x, y, -y]))             # [H, W, C * 4]
    channels = image.shape[-1]
    adding = layers.Conv2D(channels, 1, use_bias=False, trainable=False)    # [H, W, C]
    output = adding(halves)
    adding.set_weights([np.repeat(np.eye(channels, dtype=np.float32), 4, axis=0)[np.newaxis, np.newaxis]])
    return output


def moving_average(signal: Any, window: int) -> Any:
    """``y[t] = (x[t] + x[t - 1] + … + x[t - window + 1]) / window``, with zeros before the first sample."""
    averaging = layers.DepthwiseConv1D(window, use_bias=False, trainable=False)
    output = averaging(layers.ZeroPadding1D((window - 1, 0))(signal))
    averaging.set_weights([np.full((window, signal.shape[-1], 1), 1 / window, np.float32)])
    return output
