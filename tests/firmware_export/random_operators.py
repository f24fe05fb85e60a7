"""One function for each operator: reads values of a growing network and appends a node, its form drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

import numpy as np

from tests.firmware_export.growing import MAX_MACS, Grower, NotHere, Quantization, Value
from tests.firmware_export.random_movements import MOVEMENTS
from tests.firmware_export.random_rearrangements import REARRANGEMENTS
from tests.firmware_export.random_windows import WINDOWS
from tests.firmware_export.reals import Real, softmax

PROBABILITY = Quantization(1 / 256, -128)
TANH = Quantization(1 / 128, 0)


# With weights, but no window.


def fully_connected(g: Grower) -> None:
    """FULLY_CONNECTED over the last dimension, or over everything."""
    value = g.take()
    flat = g.chance(0.3) or not value.shape
    inner = prod(value.shape) if flat else value.shape[-1]
    rows = prod(value.shape) // inner
    outer = g.pick((4, 8, 10, 12, 16, 32, 64) if g.usual else (1, 2, 3, 4, 5, 8, 10, 13, 16))
    if inner * outer * rows > MAX_MACS:
        raise NotHere
    operands, weights, bias = g.filter(value, (outer, inner), 0, inner)
    keep = g.chance(0.4) and not flat
    shape = (*value.shape[:-1], outer) if keep else (rows, outer)
    real = (value.real.reshape(-1, inner) @ weights.T + bias).reshape(shape)
    activation = g.activation(real)
    g.fresh("FULLY_CONNECTED", [value, *operands], real, keep_num_dims=keep, fused_activation_function=activation)


# Two operands.

COMBINE: Mapping[str, Callable[[Real, Real], Real]] = {
    "ADD": np.add,
    "SUB": np.subtract,
    "MUL": np.multiply,
    "MAXIMUM": np.maximum,
    "MINIMUM": np.minimum,
}


def fits(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether the shapes broadcast together."""
    return all(x == y or 1 in (x, y) for x, y in zip(reversed(a), reversed(b), strict=False))


def combine(g: Grower, op: str) -> None:
    """Two values, or a value and a constant, of one shape or broadcast."""
    first = g.take(where=lambda value: g.odd or len(value.shape) <= 4)
    kind = g.real(0, 1)
    second: Value | int
    if kind < 0.65:
        second = g.take(where=lambda value: fits(value.shape, first.shape) and value is not first)
        real = second.real
    elif kind < 0.72:
        second, real = first, first.real
    else:
        rank = len(first.shape)
        shapes = [first.shape, first.shape[-1:], (1,) * max(0, rank - 1) + first.shape[-1:], (1,), (1,) * rank, ()]
        shapes.append(tuple(size if g.chance(0.5) else 1 for size in first.shape))
        second, real = g.operand(g.pick(shapes), first)
    operands: list[Value | int] = [first, second]
    result = COMBINE[op](first.real, real)
    if g.chance(0.3):
        operands.reverse()
        result = COMBINE[op](real, first.real)
    if op in ("MAXIMUM", "MINIMUM"):
        if isinstance(second, int):
            g.network.graph.tensors[second].quantization = g.network.graph.tensors[first.index].quantization
        else:
            operands = [first, g.requantized(second, first)]
        g.same(op, operands, result)
    else:
        g.fresh(op, operands, result, fused_activation_function=g.activation(result))


# One operand, element by element.


def lookup(g: Grower, op: str) -> None:
    """LOGISTIC, TANH, HARD_SWISH, LEAKY_RELU: a function of one number."""
    value = g.take()
    real = np.clip(value.real, -60, 60)
    if op == "LOGISTIC":
        output = g.value(1 / (1 + np.exp(-real)), PROBABILITY)
        g.node(op, [value], [output])
    elif op == "TANH":
        output = g.value(np.tanh(real), TANH)
        g.node(op, [value], [output])
    elif op == "HARD_SWISH":
        g.fresh(op, [value], value.real * np.clip(value.real + 3, 0, 6) / 6)
    else:
        alpha = g.pick((0.01, 0.1, 0.3, 0.5, g.real(0, 1), 1.5 if g.odd else 0.2, 0.0))
        g.fresh(op, [value], np.where(value.real < 0, alpha * value.real, value.real), alpha=alpha)


def rectified(g: Grower, op: str) -> None:
    """RELU and its kin as nodes of their own."""
    value = g.take()
    low, high = {"RELU": (0.0, np.inf), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}[op]
    real = np.clip(value.real, low, high)
    if op == "RELU" and g.chance(0.6):
        g.fresh(op, [value], real)
    else:
        g.same(op, [value], real)


def prelu(g: Grower) -> None:
    """PRELU with a slope for each channel, or each element."""
    value = g.take(2, 3, 4)
    shape = value.shape[1:] if g.chance(0.2) else (1,) * (len(value.shape) - 2) + value.shape[-1:]
    numbers = g.int8_numbers(shape)
    quant = Quantization(float(np.float32(g.power(-10, -5))), g.pick((0, 0, g.between(-128, 127))))
    slopes = (numbers.astype(np.float64) - quant.zero_point) * quant.scale
    alpha = g.network.constant(numbers, quant.scale, quant.zero_point)
    g.fresh("PRELU", [value, alpha], np.where(value.real < 0, slopes * value.real, value.real))


def quantize(g: Grower) -> None:
    """QUANTIZE from int8 to int8."""
    value = g.take()
    g.fresh("QUANTIZE", [value], value.real)


def softmax_node(g: Grower) -> None:
    """SOFTMAX over the last dimension."""
    value = g.take(*(1, 2, 2, 3, 4))
    beta = g.pick((1.0, 1.0, 0.5, 2.0, g.real(0.01, 10)))
    output = g.value(softmax(value.real, beta), PROBABILITY)
    g.node("SOFTMAX", [value], [output], beta=beta)


# Reductions.


def reduction(g: Grower, op: str) -> None:
    """MEAN, SUM, REDUCE_MAX, REDUCE_MIN over some dimensions."""
    value = g.take(2, 3, 4, *((1, 5) if g.odd else ()))
    rank = len(value.shape)
    axes = (1, 2) if rank == 4 and g.chance(0.5) else tuple(a for a in range(rank) if g.chance(0.5))
    if not axes:
        raise NotHere
    keep = g.chance(0.5)
    named = [axis - rank if g.chance(0.2) else axis for axis in axes]
    constant = g.integers(named if len(named) > 1 or g.chance(0.7) else named[0])
    if op in ("REDUCE_MAX", "REDUCE_MIN"):
        real = (np.max if op == "REDUCE_MAX" else np.min)(value.real, axis=axes, keepdims=keep)
        g.same(op, [value, constant], np.asarray(real), keep_dims=keep)
    else:
        real = (np.mean if op == "MEAN" else np.sum)(value.real, axis=axes, keepdims=keep)
        g.fresh(op, [value, constant], np.asarray(real), keep_dims=keep)


def _bound(function: Callable[[Grower, str], None], op: str) -> Callable[[Grower], None]:
    return lambda g: function(g, op)


OPERATORS: Mapping[str, tuple[Callable[[Grower], None], float]] = {
    **WINDOWS,
    **MOVEMENTS,
    **REARRANGEMENTS,
    "FULLY_CONNECTED": (fully_connected, 1.5),
    **{op: (_bound(combine, op), 3.0 if op == "ADD" else 1.0) for op in COMBINE},
    **{op: (_bound(lookup, op), 0.8) for op in ("LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU")},
    **{op: (_bound(rectified, op), 0.65) for op in ("RELU", "RELU6")},
    "RELU_N1_TO_1": (_bound(rectified, "RELU_N1_TO_1"), 0.05),    # TFLite Micro lacks it: the network is lost
    **{op: (_bound(reduction, op), 1.2) for op in ("MEAN", "SUM", "REDUCE_MAX")},
    "REDUCE_MIN": (_bound(reduction, "REDUCE_MIN"), 0.3),
    "PRELU": (prelu, 0.7),
    "QUANTIZE": (quantize, 0.5),
    "SOFTMAX": (softmax_node, 0.5),
}
"""Every operator's function, with how often it is wanted."""
