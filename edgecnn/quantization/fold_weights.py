"""Arithmetic of ``fold``: a factor and a shift for each channel taken into the weights of a Keras layer.

``y = factor * x + shift`` in front of a convolution is a convolution again, as long as it pads nothing, and so is one
behind it (Jacob et al. 2018, arXiv:1712.05877, section 3.2). Weights are as ``layer.get_weights()`` gives them, the
bias always last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

DENSE_LIKE = frozenset({"Conv1D", "Conv2D", "Conv3D", "Dense"})
"""Layers whose kernel is ``[..., C, F]``."""

DEPTHWISE = frozenset({"DepthwiseConv1D", "DepthwiseConv2D"})
"""Layers whose kernel is ``[..., C, M]``; output channel ``c * M + m``."""

SEPARABLE = frozenset({"SeparableConv1D", "SeparableConv2D"})
"""Layers with a depthwise kernel, and a pointwise one ``[..., C * M, F]``."""

LAYERS = DENSE_LIKE | DEPTHWISE | SEPARABLE


@dataclass(frozen=True)
class Affine:
    """``y = factor * x + shift``.

    Attributes:
        factor: ``[C]`` float64.
        shift: ``[C]`` float64.
    """

    factor: np.ndarray
    shift: np.ndarray

    def over(self, channels: int) -> Affine:
        """The same for a last dimension that holds all channels several times over, as behind a Flatten."""
        times = channels // len(self.factor)
        return Affine(np.tile(self.factor, times), np.tile(self.shift, times))


def of_normalization(layer: Any) -> Affine:
    """What a BatchNormalization does in inference."""
    mean, variance = (np.asarray(value, np.float64) for value in (layer.moving_mean, layer.moving_variance))
    factor = 1 / np.sqrt(variance + layer.epsilon)
    if layer.scale:
        factor = factor * np.asarray(layer.gamma, np.float64)
    return Affine(factor, (np.asarray(layer.beta, np.float64) if layer.center else 0.0) - mean * factor)


def weights_with_bias(layer: Any) -> list[np.ndarray]:
    """Its weights in float64; a bias of zeros where it has none."""
    weights = [np.asarray(weight, np.float64) for weight in layer.get_weights()]
    if not layer.use_bias:
        outputs = weights[0].shape[-2] * weights[0].shape[-1] if _name(layer) in DEPTHWISE else weights[-1].shape[-1]
        weights.append(np.zeros(outputs))
    return weights


def before(layer: Any, weights: list[np.ndarray], affine: Affine) -> list[np.ndarray]:
    """Weights with which the layer gives for ``x`` what it gave for ``affine(x)``."""
    kernel, *between, bias = weights
    shifted = kernel * affine.shift[:, np.newaxis]
    sums = shifted.reshape(-1, *shifted.shape[-2:]).sum(axis=0)    # [C, F] or [C, M]
    if _name(layer) in DENSE_LIKE:
        bias = bias + sums.sum(axis=0)
    elif between:
        pointwise = between[0].reshape(-1, between[0].shape[-1])
        bias = bias + sums.reshape(-1) @ pointwise
    else:
        bias = bias + sums.reshape(-1)
    return [kernel * affine.factor[:, np.newaxis], *between, bias]


def behind(layer: Any, weights: list[np.ndarray], affine: Affine) -> list[np.ndarray]:
    """Weights with which the layer gives ``affine(y)`` where it gave ``y``, its activation left aside."""
    *first, kernel, bias = weights
    factor = affine.factor.reshape(kernel.shape[-2:]) if _name(layer) in DEPTHWISE else affine.factor
    return [*first, kernel * factor, bias * affine.factor + affine.shift]


def _name(layer: Any) -> str:
    return type(layer).__name__
