"""Operators on real numbers, roughly: what a generated network computes, so that its output scales fit its values.

Nothing is compared with these results; they only say how large values become. Images are NHWC with a batch of any size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]


def axis_sizes(size: int, kernel: int, stride: int, dilation: int, same: bool) -> tuple[int, int, int]:
    """Outputs along an axis, padding in front, padding behind; outputs may be below 1."""
    extent = (kernel - 1) * dilation + 1
    if not same:
        return (size - extent) // stride + 1 if size >= extent else 0, 0, 0
    out = -(-size // stride)
    total = max(0, (out - 1) * stride + extent - size)
    return out, total // 2, total - total // 2


def patches(
    image: Real, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], same: bool, fill: float
) -> Real:
    """``[N, out_h, out_w, kernel_h * kernel_w, C]``: what each window sees."""
    (out_h, top, bottom), (out_w, left, right) = (
        axis_sizes(image.shape[1 + a], kernel[a], stride[a], dilation[a], same) for a in (0, 1)
    )
    padded = np.pad(image, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    taps = []
    for ky in range(kernel[0]):
        for kx in range(kernel[1]):
            y, x = ky * dilation[0], kx * dilation[1]
            rows = padded[:, y : y + (out_h - 1) * stride[0] + 1 : stride[0]]
            taps.append(rows[:, :, x : x + (out_w - 1) * stride[1] + 1 : stride[1]])
    return np.stack(taps, axis=3)


def conv(weights: Real, bias: Real, seen: Real) -> Real:
    """Weights ``[O, kh, kw, I]`` over the windows ``seen``."""
    flat = weights.reshape(weights.shape[0], -1, weights.shape[3])
    result: Real = np.einsum("nyxki,oki->nyxo", seen, flat) + bias
    return result


def depthwise(weights: Real, bias: Real, seen: Real) -> Real:
    """Weights ``[1, kh, kw, C * multiplier]`` over the windows ``seen``."""
    channels = seen.shape[-1]
    flat = weights.reshape(-1, channels, weights.shape[3] // channels)
    result = np.einsum("nyxkc,kcm->nyxcm", seen, flat)
    return result.reshape(*result.shape[:3], -1) + bias


def transpose_conv(image: Real, weights: Real, bias: Real, stride: tuple[int, int], out: tuple[int, int]) -> Real:
    """Weights ``[O, kh, kw, I]``; the offset of the padding is left out: it moves values and changes none."""
    height, width = image.shape[1:3]
    outputs, kernel_h, kernel_w, _ = weights.shape
    full = np.zeros((image.shape[0], height * stride[0] + kernel_h, width * stride[1] + kernel_w, outputs))
    for ky in range(kernel_h):
        for kx in range(kernel_w):
            part = full[:, ky : ky + height * stride[0] : stride[0], kx : kx + width * stride[1] : stride[1]]
            part += np.einsum("nyxi,oi->nyxo", image, weights[:, ky, kx])
    grown = np.pad(full, ((0, 0), (0, max(0, out[0] - full.shape[1])), (0, max(0, out[1] - full.shape[2])), (0, 0)))
    result: Real = grown[:, : out[0], : out[1]] + bias
    return result


def activated(values: Real, activation: str) -> Real:
    """A fused activation."""
    bounds: dict[str, tuple[float, float]] = {
        "RELU": (0.0, np.inf),
        "RELU6": (0.0, 6.0),
        "RELU_N1_TO_1": (-1.0, 1.0),
    }
    result: Real = np.clip(values, *bounds[activation]) if activation in bounds else values
    return result


def softmax(values: Real, beta: float) -> Real:
    """Along the last axis."""
    powers = np.exp(np.clip(beta * (values - values.max(axis=-1, keepdims=True)), -700, 0))
    result: Real = powers / powers.sum(axis=-1, keepdims=True)
    return result


def resize(image: Real, height: int, width: int) -> Real:
    """The nearest pixel."""
    rows = np.arange(height) * image.shape[1] // height
    columns = np.arange(width) * image.shape[2] // width
    result: Real = image[:, rows][:, :, columns]
    return result


def space_to_batch(image: Real, block: tuple[int, int], pads: Any) -> Real:
    """As TFLite's SPACE_TO_BATCH_ND on ``[N, H, W, C]``."""
    padded = np.pad(image, ((0, 0), tuple(pads[0]), tuple(pads[1]), (0, 0)))
    batch, height, width, channels = padded.shape
    split = padded.reshape(batch, height // block[0], block[0], width // block[1], block[1], channels)
    result: Real = split.transpose(2, 4, 0, 1, 3, 5).reshape(-1, height // block[0], width // block[1], channels)
    return result


def batch_to_space(image: Real, block: tuple[int, int], crops: Any) -> Real:
    """As TFLite's BATCH_TO_SPACE_ND on ``[N, H, W, C]``."""
    _, height, width, channels = image.shape
    split = image.reshape(block[0], block[1], -1, height, width, channels)
    whole = split.transpose(2, 3, 0, 4, 1, 5).reshape(-1, height * block[0], width * block[1], channels)
    bottom, right = whole.shape[1] - crops[0][1], whole.shape[2] - crops[1][1]
    result: Real = whole[:, crops[0][0] : bottom, crops[1][0] : right]
    return result
