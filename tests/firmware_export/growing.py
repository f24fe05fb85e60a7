"""A network that grows node by node, with what its values are about, so that each next node fits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tests.firmware_export.reals import Real, activated
from tests.networks import Network

MAX_ELEMENTS = 6_000
"""Of a value: large enough for every kind of loop, small enough that a network runs in a moment."""

MAX_MACS = 400_000
"""Of a node."""

Choice = TypeVar("Choice")


class NotHere(Exception):    # noqa: N818, no error: it only does not fit
    """An operator finds no place in the network as it is."""


@dataclass(frozen=True)
class Quantization:
    """One scale and zero point; the scale is a float32."""

    scale: float
    zero_point: int

    def quantized(self, real: Real) -> Real:
        """The real numbers as int8 keeps them."""
        values = np.clip(np.rint(real / self.scale) + self.zero_point, -128, 127)
        result: Real = (values - self.zero_point) * self.scale
        return result


@dataclass(frozen=True)
class Value:
    """A tensor that holds numbers at run time.

    Attributes:
        index: In the network.
        real: About what it holds.
        quant: None for float32 and int32.
        dtype: Element type.
    """

    index: int
    real: Real
    quant: Quantization | None
    dtype: str = "int8"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor."""
        return self.real.shape

    @property
    def int8(self) -> Quantization:
        """Its quantization; the value is int8."""
        assert self.quant is not None
        return self.quant


@dataclass(frozen=True)
class Input:
    """What the caller may put into a graph input: whole numbers, or float32 of about this size."""

    shape: tuple[int, ...]
    dtype: str
    low: float = -128
    high: float = 127


class Grower:
    """The network so far.

    Args:
        seed: The same seed grows the same network.
        wild: Scales and zero points that no converter would write, as far as the arithmetic goes.
        odd: Forms that somebody may well refuse.
        usual: Channels, windows and strides mostly as trained networks have them, and special kernels are made for.
    """

    def __init__(self, seed: int, wild: bool, odd: bool, usual: bool = False) -> None:
        self.random = np.random.default_rng(seed)
        self.network = Network()
        self.values: list[Value] = []
        self.inputs: list[Input] = []
        self.unread: list[int] = []
        self.nodes = 0
        self.wild, self.odd, self.usual = wild, odd, usual

    # Chances.

    def chance(self, probability: float) -> bool:
        """Whether it happens this time."""
        return bool(self.random.random() < probability)

    def pick(self, choices: Sequence[Choice]) -> Choice:
        """One of them."""
        if not choices:
            raise NotHere
        return choices[int(self.random.integers(len(choices)))]

    def between(self, low: int, high: int) -> int:
        """A whole number, both ends included; the lower end if there is nothing between."""
        return int(self.random.integers(low, max(low, high) + 1))

    def real(self, low: float, high: float) -> float:
        """A real number."""
        return float(self.random.uniform(low, high))

    def power(self, low: float, high: float, base: float = 2.0) -> float:
        """``base`` to a random power."""
        return float(base ** self.real(low, high))

    def activation(self, real: Real | None = None) -> str:
        """A fused activation; for numbers that are known, mostly one that leaves something of them."""
        name = self.pick(("NONE", "NONE", "NONE", "RELU", "RELU", "RELU6", "RELU_N1_TO_1"))
        if real is None or self.chance(0.1):
            return name
        left = activated(real, name)
        return name if float(np.mean((left == left.min()) | (left == left.max()))) < 0.8 else "NONE"

    # Values to read.

    def take(self, *ranks: int, where: Callable[[Value], bool] | None = None) -> Value:
        """An int8 value of one of these ranks (any, if none is named): often the newest, or one that nobody read yet.

        Raises:
            NotHere: There is none.
        """
        fitting = [
            value
            for value in self.values
            if value.dtype == "int8" and (not ranks or len(value.shape) in ranks) and (where is None or where(value))
        ]
        if fitting and self.chance(0.6):
            return fitting[-1]
        unread = [value for value in fitting if value.index in self.unread]
        return self.pick(unread if unread and self.chance(0.5) else fitting)

    def image(self) -> Value:
        """A rank-4 value of batch 1."""
        return self.take(4, where=lambda value: value.shape[0] == 1 or self.odd)

    # Values to write.

    def quantization(self, real: Real, at_least: float = 0.0) -> Quantization:
        """A scale and a zero point for these numbers: mostly as a converter chooses them, sometimes with saturation."""
        low, high = min(0.0, float(real.min())), max(0.0, float(real.max()))
        if not math.isfinite(high - low) or high - low < 1e-12:
            low, high = -1.0, 1.0
        scale = (high - low) / 255 * self.real(0.7, 1.5)
        zero_point = round(-128 - low / scale)
        kind = self.real(0, 1)
        if kind < 0.15:
            scale, zero_point = max(high, -low) / 127, 0
        elif kind < 0.25:
            scale, zero_point = max(high, -low) / 255, -128 if high > -low else 127
        elif kind < 0.35:
            scale *= self.real(0.1, 0.5)
        elif kind < 0.45:
            zero_point = self.between(-128, 127)
        if self.wild and self.chance(0.5):
            scale *= self.power(-9, 9)
        scale = max(scale, at_least)
        return Quantization(float(np.float32(min(max(scale, 1e-10), 1e10))), min(max(zero_point, -128), 127))

    def value(self, real: Real, quant: Quantization | None, dtype: str = "int8") -> Value:
        """A tensor for a node to write.

        Raises:
            NotHere: It is too large, or empty.
        """
        if not 0 < real.size <= MAX_ELEMENTS:
            raise NotHere
        if quant is None:
            index = self.network.tensor(real.shape, dtype=dtype)
        else:
            index = self.network.tensor(real.shape, quant.scale, quant.zero_point, dtype)
            real = quant.quantized(real)
        return Value(index, real, quant, dtype)

    def node(self, op: str, inputs: Sequence[Value | int], outputs: Sequence[Value], **options: Any) -> None:
        """Append a node. Inputs are values, or indices of constants and ``-1``."""
        indices = [item if isinstance(item, int) else item.index for item in inputs]
        self.network.node(op, indices, [value.index for value in outputs], **options)
        self.unread = [index for index in self.unread if index not in indices]
        self.unread += [value.index for value in outputs]
        self.values += outputs
        self.nodes += 1

    def fresh(self, op: str, inputs: Sequence[Value | int], real: Real, **options: Any) -> Value:
        """A node whose one output gets a scale of its own."""
        real = activated(real, str(options.get("fused_activation_function", "NONE")))
        output = self.value(real, self.quantization(real))
        self.node(op, inputs, [output], **options)
        return output

    def same(self, op: str, inputs: Sequence[Value | int], real: Real, **options: Any) -> Value:
        """A node whose one output has the scale of the first value that it reads."""
        first = next(item for item in inputs if isinstance(item, Value))
        quant = self.quantization(real) if self.odd and self.chance(0.2) else first.quant
        output = self.value(real, quant, first.dtype)
        self.node(op, inputs, [output], **options)
        return output

    def requantized(self, value: Value, like: Value) -> Value:
        """``value`` in the scale of another, by a QUANTIZE where it has not got it."""
        if value.quant == like.quant or (self.odd and self.chance(0.5)):
            return value
        output = self.value(value.real, like.quant)
        self.node("QUANTIZE", [value], [output])
        return output

    # Constants.

    def integers(self, values: Any, dtype: Any = np.int32) -> int:
        """A constant of sizes, axes or positions."""
        return self.network.constant(np.array(values, dtype))

    def int8_numbers(self, shape: tuple[int, ...]) -> NDArray[np.int8]:
        """Weights: spread like a trained network's, or uniform, at both ends, nearly all zero."""
        kind = self.real(0, 1)
        if kind < 0.5:
            numbers = np.clip(np.rint(self.random.normal(0, 40, shape)), -127, 127)
        elif kind < 0.75:
            numbers = self.random.integers(-127, 128, shape)
        elif kind < 0.85:
            numbers = self.random.choice([-127, 127], shape)
        elif kind < 0.9:
            numbers = np.full(shape, self.pick((-128, 127, -127)))
        elif kind < 0.95:
            numbers = self.random.integers(-128, 128, shape)
        else:
            numbers = self.random.choice([0, 0, 0, 0, 1, -1, 127], shape)
        return np.asarray(numbers).astype(np.int8)

    def operand(self, shape: tuple[int, ...], like: Value) -> tuple[int, Real]:
        """A constant int8 operand of about the size of a value: its index and its numbers."""
        numbers = self.int8_numbers(shape)
        size = float(np.abs(like.real).max()) or 1.0
        zero_point = self.pick((0, 0, self.between(-128, 127)))
        quant = Quantization(float(np.float32(size / 127 * self.power(-2, 2))), zero_point)
        index = self.network.constant(numbers, quant.scale, quant.zero_point)
        return index, (numbers.astype(np.float64) - quant.zero_point) * quant.scale

    def filter(self, value: Value, shape: tuple[int, ...], axis: int, inner: int) -> tuple[list[int], Real, Real]:
        """Weights and bias of a node that reads ``value``.

        Args:
            value: The activation.
            shape: Of the weights.
            axis: Their dimension of output channels.
            inner: How many products one output sums up.

        Returns:
            Indices of weights and bias (fewer, or ``-1``, without a bias), the real weights, the real bias.
        """
        channels = shape[axis]
        numbers = self.int8_numbers(shape)
        # Outputs of about 0.1 to 10, whatever the input's size: where RELU6 and LOGISTIC have something to do.
        sizes = float(np.sqrt(np.mean(value.real**2))) * float(np.sqrt(np.mean(numbers.astype(np.float64) ** 2)))
        base = self.power(-3, 3) / (sizes * math.sqrt(inner)) if sizes > 1e-9 else 0.01
        spread = 8 if self.wild else 1.5
        per_channel = self.chance(0.75)
        scales = base * np.array([self.power(-spread, spread) for _ in range(channels if per_channel else 1)])
        scales = scales.astype(np.float32).astype(np.float64)
        weights = self.network.constant(numbers, scales, axis=axis)
        along = [1] * len(shape)
        along[axis] = -1
        real: Real = numbers * (scales.reshape(along) if per_channel else scales[0])
        kind = self.real(0, 1)
        if kind < 0.15:
            return self.pick(([weights], [weights, -1])), real, np.zeros(channels)
        size = 1 << 24 if self.wild and kind > 0.9 else max(8, int(127 * 40 * math.sqrt(inner)))
        bias = self.random.integers(-size, size + 1, channels).astype(np.int32)
        bias_scales = (scales * value.int8.scale).astype(np.float32)
        index = self.network.constant(bias, bias_scales)
        return [weights, index], real, bias.astype(np.float64) * bias_scales.astype(np.float64)

    # Inputs.

    def add_input(self, given: Input) -> Value:
        """A graph input."""
        numbers = self.random.uniform(given.low, given.high, given.shape)
        if given.dtype == "int8":
            zero_point = self.pick((-128, 0, 127, self.between(-128, 127), self.between(-128, 127)))
            quant = Quantization(float(np.float32(self.power(-9, 0 if self.wild else -3))), zero_point)
            value = Value(
                self.network.input(given.shape, quant.scale, quant.zero_point),
                (np.rint(numbers) - quant.zero_point) * quant.scale,
                quant,
            )
        else:
            value = Value(self.network.input(given.shape, dtype=given.dtype), numbers, None, given.dtype)
        self.inputs.append(given)
        self.values.append(value)
        self.unread.append(value.index)
        return value
