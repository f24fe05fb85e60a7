"""Keras's 3-D layers on 2-D operators, which is all that microcontrollers have: same weights, same result.

A clip ``[F, H, W, C]`` is laid out as one tall image ``[1, F * H, W, C]``, frame below frame, which moves nothing in
memory. A 3-D convolution is a sum over time of 2-D convolutions of shifted frames,

    y[f] = sum over k of conv2d(x[f * stride + k * dilation - padding], kernel[k]),

and a sum of convolutions is one convolution of channels that stand one behind the other: with the frames of each sum
stacked along the channels and ``kernel [kt, kh, kw, C, O]`` laid out as ``[kh, kw, kt * C, O]``, one CONV_2D over the
tall image computes the layer in int8, with as many multiplications and weights as CONV_3D. Rows of zeros between the
frames take the place of the padding; what the window gives while it slides from one frame to the next is dropped.

Maxima and means are taken over space, then over time: maxima of maxima are maxima, and means of equally large parts
are means.

These layers stand in for Keras's while a model is converted (``edgecnn.keras_lowering``), one sample at a time; they
are in no model that is trained or saved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops


@dataclass(frozen=True)
class Window:
    """A window along one axis, padded as Keras does (TensorFlow's documentation of ``tf.nn.convolution``).

    Attributes:
        size: Of the input.
        taps: Of the window.
        stride: From one window to the next.
        dilation: From one tap to the next.
        same: Padded so that a stride of 1 keeps the size; otherwise not padded.
    """

    size: int
    taps: int
    stride: int
    dilation: int
    same: bool

    @property
    def extent(self) -> int:
        """From the first tap to the last, both included."""
        return (self.taps - 1) * self.dilation + 1

    @property
    def out(self) -> int:
        """Number of windows."""
        return -(-self.size // self.stride) if self.same else (self.size - self.extent) // self.stride + 1

    @property
    def reach(self) -> int:
        """How far the last window reaches beyond the input, the padding before it counted in; may be negative."""
        return (self.out - 1) * self.stride + self.extent - self.size

    @property
    def before(self) -> int:
        """Padding in front."""
        return max(self.reach, 0) // 2 if self.same else 0

    @property
    def after(self) -> int:
        """Padding behind."""
        return max(self.reach, 0) - self.before if self.same else 0


def _windows(layer: Any, shape: tuple[int, ...], taps: tuple[int, ...]) -> tuple[Window, Window, Window]:
    """The windows of a layer over time, height and width."""
    dilation = getattr(layer, "dilation_rate", (1, 1, 1))
    time, down, across = (
        Window(*along, same=layer.padding == "same")
        for along in zip(shape, taps, layer.strides, dilation, strict=True)
    )
    return time, down, across


def _clip(inputs: Any) -> Any:
    """``[1, F, H, W, C]`` to ``[F, H, W, C]``."""
    return ops.reshape(inputs, inputs.shape[1:])


class FramesConv3D(keras.layers.Conv3D):    # type: ignore[misc]
    """``Conv3D`` without groups, channels last, as one 2-D convolution over stacked frames."""

    def call(self, inputs: Any) -> Any:
        """``[1, F, H, W, C]`` to ``[1, F', H', W', filters]``."""
        channels = inputs.shape[-1]
        time, down, across = _windows(self, inputs.shape[1:4], self.kernel_size)
        gap = max(down.before, down.after)
        block = -(-(down.size + gap) // down.stride) * down.stride    # rows of a frame and the zeros below it
        paddings = [[time.before, time.after], [0, block - down.size], [0, 0], [0, 0]]
        frames = _padded(_clip(inputs), paddings)
        last = (time.out - 1) * time.stride + 1
        shifted = [frames[k * time.dilation : k * time.dilation + last : time.stride] for k in range(time.taps)]
        stacked = shifted[0] if len(shifted) == 1 else ops.concatenate(shifted, axis=-1)    # [F', block, W, kt * C]
        tall = ops.reshape(stacked, (1, time.out * block, across.size, time.taps * channels))
        # As many rows below as the last window of the last block still looks at.
        below = max(down.extent - down.stride - down.before, 0)
        tall = _padded(tall, [[0, 0], [down.before, below], [across.before, across.after], [0, 0]])
        kernel = ops.transpose(self.kernel, (1, 2, 0, 3, 4))
        rows = ops.conv(
            tall,
            ops.reshape(kernel, (*self.kernel_size[1:], time.taps * channels, self.filters)),
            strides=self.strides[1:],
            padding="valid",
            data_format="channels_last",
            dilation_rate=self.dilation_rate[1:],
        )
        if self.use_bias:
            rows = ops.add(rows, self.bias)
        rows = self.activation(rows)
        each = block // down.stride
        found = ops.reshape(rows, (time.out, each, across.out, self.filters))
        found = found if each == down.out else found[:, : down.out]
        return ops.reshape(found, (1, time.out, down.out, across.out, self.filters))


def _padded(values: Any, paddings: list[list[int]]) -> Any:
    return ops.pad(values, paddings) if any(any(pair) for pair in paddings) else values


class _FramesPooling:
    """What the two poolings share: over the pixels of each frame, then over time."""

    pool_mode: str
    pool_size: tuple[int, int, int]
    strides: tuple[int, int, int]
    padding: str

    def call(self, inputs: Any) -> Any:
        """``[1, F, H, W, C]`` to ``[1, F', H', W', C]``."""
        channels = inputs.shape[-1]
        time, down, across = _windows(self, inputs.shape[1:4], self.pool_size)
        frames = _clip(inputs)
        if max(*self.pool_size[1:], *self.strides[1:]) == 1:
            pass
        elif down.size % down.stride == 0 and down.extent <= down.stride:
            # No window leaves its frame, so the frames can stand below each other.
            tall = ops.reshape(frames, (1, time.size * down.size, across.size, channels))
            frames = self._pooled(tall, self.pool_size[1:], self.strides[1:])
        else:
            each = [self._pooled(frames[f : f + 1], self.pool_size[1:], self.strides[1:]) for f in range(time.size)]
            frames = ops.concatenate(each, axis=0)
        # Time down, pixels across: a pool of one column.
        columns = ops.reshape(frames, (1, time.size, down.out * across.out, channels))
        if time.taps > 1 or time.stride > 1:
            columns = self._pooled(columns, (time.taps, 1), (time.stride, 1))
        return ops.reshape(columns, (1, time.out, down.out, across.out, channels))

    def _pooled(self, image: Any, size: tuple[int, ...], strides: tuple[int, ...]) -> Any:
        pool = ops.max_pool if self.pool_mode == "max" else ops.average_pool
        return pool(image, size, strides, padding=self.padding, data_format="channels_last")


class FramesMaxPooling3D(_FramesPooling, keras.layers.MaxPooling3D):    # type: ignore[misc]
    """``MaxPooling3D``, channels last."""


class FramesAveragePooling3D(_FramesPooling, keras.layers.AveragePooling3D):    # type: ignore[misc]
    """``AveragePooling3D``, channels last; padding is not counted, in space as in time."""


class _FramesGlobal:
    """What the two global poolings share: over all pixels of the tall image."""

    keepdims: bool

    def call(self, inputs: Any) -> Any:
        """``[1, F, H, W, C]`` to ``[1, C]``, or ``[1, 1, 1, 1, C]`` with ``keepdims``."""
        frames, height, width, channels = inputs.shape[1:]
        found = self._over(ops.reshape(inputs, (1, frames * height, width, channels)))
        return ops.reshape(found, (1, 1, 1, 1, channels)) if self.keepdims else found

    def _over(self, tall: Any) -> Any:
        raise NotImplementedError


class FramesGlobalMaxPooling3D(_FramesGlobal, keras.layers.GlobalMaxPooling3D):    # type: ignore[misc]
    """``GlobalMaxPooling3D``, channels last."""

    def _over(self, tall: Any) -> Any:
        return ops.max(tall, axis=(1, 2))


class FramesGlobalAveragePooling3D(_FramesGlobal, keras.layers.GlobalAveragePooling3D):    # type: ignore[misc]
    """``GlobalAveragePooling3D``, channels last."""

    def _over(self, tall: Any) -> Any:
        return ops.mean(tall, axis=(1, 2))
