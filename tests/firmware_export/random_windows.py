"""Operators whose windows slide over an image, for growing networks: convolutions and pools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import NamedTuple

import numpy as np

from tests.firmware_export.growing import MAX_ELEMENTS, MAX_MACS, Grower, NotHere, Value
from tests.firmware_export.reals import (
    axis_sizes,
    batch_to_space,
    conv,
    depthwise,
    patches,
    space_to_batch,
    transpose_conv,
)

OUT_CHANNELS = (1, 2, 3, 4, 4, 5, 6, 7, 8, 8, 9, 12, 16)
USUAL_CHANNELS = (4, 8, 8, 10, 12, 16, 16, 16, 24, 32, 32, 48, 64)


def out_channels(g: Grower) -> int:
    """How many channels a node makes."""
    return g.pick(USUAL_CHANNELS if g.usual and g.chance(0.85) else OUT_CHANNELS)


def batch_1(value: Value) -> bool:
    """Whether a value holds one sample."""
    return value.shape[0] == 1


class Window(NamedTuple):
    """Height and width of each."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    same: bool

    @property
    def options(self) -> dict[str, int | str]:
        """As the schema names them."""
        return {
            "padding": "SAME" if self.same else "VALID",
            "stride_h": self.stride[0],
            "stride_w": self.stride[1],
        }

    @property
    def dilations(self) -> dict[str, int]:
        """As the schema names them."""
        return {"dilation_h_factor": self.dilation[0], "dilation_w_factor": self.dilation[1]}


def window(g: Grower, value: Value, dilated: bool, kernels: tuple[int, ...] = (1, 1, 2, 3, 3, 3, 4, 5, 7)) -> Window:
    """A window that gives at least one output, square or not.

    Raises:
        NotHere: It would not fit.
    """

    def pair(choices: tuple[int, ...], equal: float) -> tuple[int, int]:
        first = g.pick(choices)
        return first, first if g.chance(equal) else g.pick(choices)

    if g.usual and g.chance(0.75):
        kernel, stride = g.pick(((1, 1), (3, 3), (3, 3))), g.pick(((1, 1), (1, 1), (2, 2)))
        dilation, same = (1, 1), g.chance(0.8)
    else:
        kernel = pair(kernels, 0.7)
        if g.chance(0.08):
            kernel = (value.shape[1], value.shape[2])
        stride = pair((1, 1, 1, 2, 2, 3, 5), 0.75)
        dilation = pair((2, 3, 1), 0.6) if dilated and g.chance(0.2) else (1, 1)
        same = g.chance(0.6)
    sizes = [axis_sizes(value.shape[1 + a], kernel[a], stride[a], dilation[a], same)[0] for a in (0, 1)]
    if min(sizes) < 1 or prod(kernel) > 150:
        raise NotHere
    return Window(kernel, stride, dilation, same)


def conv_2d(g: Grower) -> None:
    """CONV_2D."""
    value = g.image()
    convolve(g, value, window(g, value, dilated=True), out_channels(g))


def convolve(g: Grower, value: Value, seen: Window, channels: int) -> Value:
    """A CONV_2D of a value."""
    inner = prod(seen.kernel) * value.shape[3]
    windows = patches(value.real, *seen[:3], seen.same, 0.0)
    if prod(windows.shape[:3]) * channels > MAX_ELEMENTS or windows.size * channels > MAX_MACS:
        raise NotHere
    operands, weights, bias = g.filter(value, (channels, *seen.kernel, value.shape[3]), 0, inner)
    real = conv(weights, bias, windows)
    options = {**seen.options, **seen.dilations, "fused_activation_function": g.activation(real)}
    return g.fresh("CONV_2D", [value, *operands], real, **options)


def depthwise_conv_2d(g: Grower) -> None:
    """DEPTHWISE_CONV_2D with any multiplier."""
    value = g.image()
    seen = window(g, value, dilated=True)
    depthwise_convolve(g, value, seen, 1 if g.usual else g.pick((1, 1, 1, 1, 1, 2, 3, 8)))


def depthwise_convolve(g: Grower, value: Value, seen: Window, multiplier: int) -> Value:
    """A DEPTHWISE_CONV_2D of a value."""
    channels = value.shape[3] * multiplier
    windows = patches(value.real, *seen[:3], seen.same, 0.0)
    if prod(windows.shape[:3]) * channels > MAX_ELEMENTS or windows.size * multiplier > MAX_MACS:
        raise NotHere
    operands, weights, bias = g.filter(value, (1, *seen.kernel, channels), 3, prod(seen.kernel))
    real = depthwise(weights, bias, windows)
    if operands[-1] == -1 and not g.odd:    # TFLite Micro dies of a -1 here
        operands.pop()
    options = {**seen.options, **seen.dilations, "depth_multiplier": multiplier}
    activation = g.activation(real)
    return g.fresh("DEPTHWISE_CONV_2D", [value, *operands], real, **options, fused_activation_function=activation)


def transpose_conv_node(g: Grower) -> None:
    """TRANSPOSE_CONV."""
    value = g.image()
    channels, same = g.pick(OUT_CHANNELS[:9]), g.chance(0.5)
    kernel, stride = (g.between(1, 4), g.between(1, 4)), (g.pick((1, 2, 2, 3)), g.pick((1, 2, 2, 3)))
    if g.chance(0.6):
        kernel, stride = (kernel[0],) * 2, (stride[0],) * 2
    out = tuple(
        value.shape[1 + a] * stride[a] + (0 if same else max(0, kernel[a] - stride[a])) for a in (0, 1)
    )
    if prod(out) * channels > MAX_ELEMENTS or prod(value.shape) * prod(kernel) * channels > MAX_MACS:
        raise NotHere
    operands, weights, bias = g.filter(value, (channels, *kernel, value.shape[3]), 0, value.shape[3] * prod(kernel))
    real = transpose_conv(value.real, weights, bias, stride, (out[0], out[1]))
    sizes = g.integers([value.shape[0], *out, channels])
    options: dict[str, int | str] = {
        "padding": "SAME" if same else "VALID",
        "stride_h": stride[0],
        "stride_w": stride[1],
        "fused_activation_function": g.activation(real) if g.chance(0.3) else "NONE",
    }
    g.fresh("TRANSPOSE_CONV", [sizes, operands[0], value, *operands[1:]], real, **options)


def pool(g: Grower, op: str) -> None:
    """MAX_POOL_2D and AVERAGE_POOL_2D; the output has the input's scale."""
    value = g.image()
    seen = window(g, value, dilated=False, kernels=(1, 2, 2, 2, 3, 3, 4, 6))
    average = op == "AVERAGE_POOL_2D"
    windows = patches(value.real, *seen[:3], seen.same, np.nan)
    real = np.nanmean(windows, axis=3) if average else np.nanmax(windows, axis=3)
    activation = g.activation(real)
    size = {"filter_height": seen.kernel[0], "filter_width": seen.kernel[1]}
    g.same(op, [value], real, **seen.options, **size, fused_activation_function=activation)


def conv_1d(g: Grower) -> None:
    """EXPAND_DIMS, CONV_2D, SQUEEZE: a convolution along time, as a converter writes it."""
    value = g.take(3, where=batch_1)
    axis = g.pick((1, 1, 2))
    image = g.same("EXPAND_DIMS", [value, g.integers(axis)], np.expand_dims(value.real, axis))
    taps = g.pick((1, 2, 3, 3, 5, 9))
    kernel, stride = ((1, taps), (1, g.pick((1, 1, 2)))) if axis == 1 else ((taps, 1), (g.pick((1, 1, 2)), 1))
    dilation = (1, g.pick((1, 1, 2, 4))) if axis == 1 else (1, 1)
    same = g.chance(0.6)
    if min(axis_sizes(image.shape[1 + a], kernel[a], stride[a], dilation[a], same)[0] for a in (0, 1)) < 1:
        raise NotHere
    result = convolve(g, image, Window(kernel, stride, dilation, same), g.pick(OUT_CHANNELS))
    g.same("SQUEEZE", [result], np.squeeze(result.real, axis), squeeze_dims=[axis])


def dilated_by_batch(g: Grower) -> None:
    """SPACE_TO_BATCH_ND, a convolution, BATCH_TO_SPACE_ND: TensorFlow's way of dilation; rarely anything else."""
    value = g.take(4, where=batch_1)
    block = (g.pick((1, 2, 2, 3)), g.pick((1, 2, 2, 3)))
    kernel = (g.pick((1, 2, 3)), g.pick((1, 2, 3)))
    same = g.chance(0.5)
    pads, crops = [], []
    for a in (0, 1):
        before = after = 0
        if same:
            total = (kernel[a] - 1) * block[a]
            before, after = total // 2, total - total // 2
        fill = -(value.shape[1 + a] + before + after) % block[a]
        pads.append((before, after + fill))
        crops.append((0, fill))
    real = space_to_batch(value.real, block, pads)
    if real.size > MAX_ELEMENTS or min(real.shape[1] - kernel[0], real.shape[2] - kernel[1]) < 0:
        raise NotHere
    sizes = g.integers(block)
    spread = g.same("SPACE_TO_BATCH_ND", [value, sizes, g.integers(pads)], real)
    seen = Window(kernel, (1, 1), (1, 1), False)
    if g.chance(0.15):
        middle = g.fresh("HARD_SWISH", [spread], spread.real)
        crops = [(0, 0), (0, 0)]
    elif g.chance(0.5):
        middle = convolve(g, spread, seen, g.pick(OUT_CHANNELS))
    else:
        middle = depthwise_convolve(g, spread, seen, g.pick((1, 1, 2)))
    g.same("BATCH_TO_SPACE_ND", [middle, sizes, g.integers(crops)], batch_to_space(middle.real, block, crops))


WINDOWS: Mapping[str, tuple[Callable[[Grower], None], float]] = {
    "CONV_2D": (conv_2d, 4.0),
    "DEPTHWISE_CONV_2D": (depthwise_conv_2d, 2.5),
    "TRANSPOSE_CONV": (transpose_conv_node, 0.8),
    "MAX_POOL_2D": (lambda g: pool(g, "MAX_POOL_2D"), 1.0),
    "AVERAGE_POOL_2D": (lambda g: pool(g, "AVERAGE_POOL_2D"), 1.0),
    "CONV_2D along time": (conv_1d, 0.8),
    "SPACE_TO_BATCH_ND": (dilated_by_batch, 0.6),
}
