"""Fake quantization: real numbers rounded to those that int8 or int16 can stand for, with gradients to learn by.

Rounding has no gradient that says anything, so it is taken as the identity where it does not clip (straight-through,
Bengio, Leonard and Courville 2013, arXiv:1308.3432). A range has one all the same: with ``y = (r - z) * s`` and
``r = clip(round(x / s + z))``, where the scale s and the zero point z follow from the ends of the range,

- a value that is clipped moves with the end that clips it (Choi et al. 2018, *PACT*, arXiv:1805.06085),
- one that is rounded pulls at the width of the range, ``dy/ds = r - z - x / s`` (Esser et al. 2020, *Learned step size
  quantization*, arXiv:1902.08153).

So a range shrinks until what it clips costs as much as what its steps round away.

That is what a network learns by. When it does not learn, values are rounded as the kernels do it, whose sums are
integers (``tensorflow/lite/kernels/internal/common.h``, MultiplyByQuantizedMultiplier): a sum times ``M = m * 2^-n``,
``m`` from 1/2 to 1, is rounded twice, first to whole multiples of ``2^-n`` and then to whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

_SMALLEST = 1e-9
"""A range is at least this wide, as in ``edgecnn.quantization.requantize``."""

_PACE = 20.0
"""How much faster an end of a range moves, relative to itself, than the learning rate says: one that is far too wide
has to shrink within a few epochs, at a rate that weights can bear."""

BITS = {"int8": 8, "int16": 16}


@keras.saving.register_keras_serializable(package="edgecnn")
class FakeQuantization(keras.layers.Layer):    # type: ignore[misc]    # Keras has no types
    """Activations rounded to the steps of a range: ``[N, ...]`` to the same shape.

    Applied to several activations it is the one range that they share.

    Args:
        low: Of the range at first, at most 0. An end at 0 stays there: what comes out of a RELU needs no other.
        high: Of the range at first, at least 0.
        number: ``int8``, or ``int16``, whose range is symmetric.
        kind: ``fixed``; ``learned`` by gradients; or ``moving``: averages of the smallest and largest value of each
            batch, ``average = 0.99 * average + 0.01 * value``, the ends being those of all activations together.
        members: How many activations share the range.
        updates: After so many batches ``moving`` averages stay as they are.
        kwargs: What every Keras layer takes.
    """

    def __init__(
        self,
        low: float,
        high: float,
        number: str = "int8",
        kind: str = "fixed",
        members: int = 1,
        updates: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.low, self.high, self.number = low, high, number
        self.kind, self.members, self.updates = kind, members, updates
        self._learned: dict[str, Any] = {}

    def build(self, input_shape: Any) -> None:
        """For each end the logarithm of how it has grown, so that one learning rate suits all; or their averages."""
        del input_shape
        if self.kind == "learned":
            for name, end in (("low", self.low), ("high", self.high)):
                if end != 0:
                    self._learned[name] = self._number(name, 0.0, trainable=True)
        if self.kind == "moving":
            self._lows, self._highs = (
                self.add_weight(
                    shape=(self.members,), initializer=keras.initializers.Constant(end), trainable=False, name=name
                )
                for name, end in (("lows", self.low), ("highs", self.high))
            )
            self._left = self._number("left", self.updates, trainable=False)
        self.built = True

    def _number(self, name: str, value: float, trainable: bool) -> Any:
        return self.add_weight(
            shape=(), initializer=keras.initializers.Constant(value), trainable=trainable, name=name
        )

    def call(
        self, taken: Sequence[Any], member: int = 0, count: int = 1, stored: bool = False, training: bool = False
    ) -> Any:
        """Round.

        Args:
            taken: The values ``[N, ...]``. Behind them, where they are sums of integers (or means of ``count`` of
                them), the real size of 1 in those sums: a scalar, or one for each channel in the last dimension.
            member: Tells activations that share the range apart.
            count: How many integers a mean is of.
            stored: The kernel computes with the integers as they are stored, with their zero point: then a half is
                rounded away from the integer 0.
            training: Whether the network learns.

        Returns:
            The rounded values, and the scale, a scalar.
        """
        values, steps = taken[0], taken[1] if len(taken) > 1 else None
        if self.kind == "moving" and training:
            self._follow(values, member)
        first, last, scale = self._nudged()
        if training:
            return [rounded(values, first, last, BITS[self.number]), scale]
        exact = values / scale
        if steps is not None and self.number == "int8":
            exact = _rounded_sums(values, steps, scale, count)
        zero_point = -tf.round(first / scale) - 128 if stored else None
        return [tf.clip_by_value(_whole(exact, zero_point) * scale, first, last), scale]

    def _follow(self, values: Any, member: int) -> None:
        share = tf.where(self._left.value > 0, 0.01, 0.0)
        for ends, found in ((self._lows, tf.reduce_min(values)), (self._highs, tf.reduce_max(values))):
            chosen = tf.one_hot(member, self.members)
            ends.assign(ends + share * chosen * (found - ends))
        if member == 0:
            self._left.assign(tf.maximum(self._left - 1, 0.0))

    def _ends(self) -> tuple[Any, Any]:
        """Low and high as float64 tensors."""
        if self.kind == "moving":
            return tf.cast(tf.reduce_min(self._lows), tf.float64), tf.cast(tf.reduce_max(self._highs), tf.float64)
        low, high = (
            end * tf.exp(_PACE * tf.cast(self._learned[name].value, tf.float64))
            if name in self._learned
            else tf.constant(end, tf.float64)
            for name, end in (("low", self.low), ("high", self.high))
        )
        return low, high

    def _nudged(self) -> tuple[Any, Any, Any]:
        """The ends of the range that the integers span, 0 being a step, and the scale: as ``Range.quant`` has them."""
        low, high = self._ends()
        low, high = tf.minimum(low, 0.0), tf.maximum(high, 0.0)
        if self.number == "int16":
            low, high = tf.minimum(low, -high), tf.maximum(high, -low)
            scale = _as_stored(tf.maximum(high, _SMALLEST) / 32767)
            ends = -32768 * scale, 32767 * scale
        else:
            width = tf.maximum(high - low, _SMALLEST) / 255
            zero_point, scale = tf.clip_by_value(tf.round(-128 - low / width), -128, 127), _as_stored(width)
            ends = (-128 - zero_point) * scale, (127 - zero_point) * scale
        # The gradient is that of the range as it was before 0 became a step.
        first, last = (tf.stop_gradient(end - exact) + exact for end, exact in zip(ends, (low, high), strict=True))
        return tf.cast(first, tf.float32), tf.cast(last, tf.float32), tf.cast(tf.stop_gradient(scale), tf.float32)

    def range(self) -> tuple[float, float]:
        """Low and high as they are now, for ``edgecnn.quantization.requantize.Range``."""
        low, high = (float(end) for end in self._ends())
        return low, high

    def compute_output_spec(self, taken: Sequence[Any], *how: Any, **named: Any) -> Any:
        """Shape and type stay; the scale has no dimensions."""
        del how, named
        return [keras.KerasTensor(taken[0].shape, taken[0].dtype), keras.KerasTensor((), "float32")]

    def get_config(self) -> dict[str, Any]:
        """What ``__init__`` was given."""
        names = ("low", "high", "number", "kind", "members", "updates")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _as_stored(scale: Any) -> Any:
    """A float64 scale with the digits that the file keeps of it."""
    return tf.cast(tf.cast(scale, tf.float32), tf.float64)


def rounded(values: Any, low: Any, high: Any, bits: int) -> Any:
    """Values at the nearest of the ``2 ** bits`` steps from ``low`` to ``high``, clipped there.

    Args:
        values: float32 ``[...]``.
        low: float32 scalar; 0 lies at a step.
        high: float32 scalar.
        bits: Of the integers.
    """

    @tf.custom_gradient    # type: ignore[untyped-decorator]    # TensorFlow has no types
    def function(x: Any, first: Any, last: Any) -> Any:
        y = tf.quantization.fake_quant_with_min_max_vars(x, first, last, num_bits=bits)

        def gradient(dy: Any) -> tuple[Any, Any, Any]:
            dx, dfirst, dlast = tf.quantization.fake_quant_with_min_max_vars_gradient(dy, x, first, last, num_bits=bits)
            pull = tf.tensordot(tf.reshape(dx, [-1]), tf.reshape(y - x, [-1]), 1) / (last - first)
            return dx, dfirst - pull, dlast + pull

        return y, gradient

    return function(values, low, high)


_TIES = 1 / 4096
"""Means of stored integers are rounded to multiples of it first: float32 alone would not tell a half from nearly."""


def _rounded_sums(values: Any, steps: Any, scale: Any, count: int) -> Any:
    """Values as multiples of ``scale`` after the first of the two roundings.

    In float64, for the halves that the first rounding makes are decided by the second.
    """
    factor = tf.cast(steps, tf.float64) / tf.cast(scale, tf.float64)
    halvings = tf.floor(tf.math.log(factor) / math.log(2)) + 1 - math.floor(math.log2(count))
    grid = tf.pow(tf.constant(2.0, tf.float64), tf.minimum(halvings, 0.0))
    sums = tf.round(values / (tf.cast(steps, tf.float32) / count))
    return tf.cast(tf.round(tf.cast(sums, tf.float64) * (factor / count / grid)) * grid, tf.float32)


def _whole(exact: Any, zero_point: Any) -> Any:
    """The nearest integer, a half going away from 0, or with a zero point away from where the integer 0 is stored."""
    if zero_point is None:
        return tf.sign(exact) * tf.floor(tf.abs(exact) + 0.5)
    stored = tf.round((exact + zero_point) / _TIES) * _TIES
    return tf.sign(stored) * tf.floor(tf.abs(stored) + 0.5) - zero_point


def rounded_weights(weights: Any, axis: int | None) -> tuple[Any, Any]:
    """Weights at the nearest step of ``max|w| / 127``, for each slice along ``axis`` or for all; half away from zero.

    What ``edgecnn.quantization.requantize.requantized`` writes, as real numbers; the gradient is the identity.

    Returns:
        The weights, and their scales ``[slices]``, or ``[1]``; float32.
    """
    wide = tf.cast(tf.stop_gradient(weights), tf.float64)
    others = None if axis is None else [one for one in range(len(wide.shape)) if one != axis]
    largest = tf.reduce_max(tf.abs(wide), axis=others, keepdims=True)
    scale = _as_stored(tf.maximum(largest, _SMALLEST) / 127)
    steps = wide / scale
    whole = tf.clip_by_value(tf.floor(tf.abs(steps) + 0.5), 0, 127) * tf.sign(steps)
    nearest = tf.cast(whole * scale, tf.float32)

    @tf.custom_gradient    # type: ignore[untyped-decorator]
    def straight_through(exact: Any) -> Any:
        del exact
        return nearest, lambda dy: dy

    return straight_through(weights), tf.reshape(tf.cast(scale, tf.float32), [-1])
