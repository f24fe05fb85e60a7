"""SOFTMAX of int16: exponentials and the reciprocal of their sum from tables, with straight lines between the entries.

Arithmetic: TFLite Micro ``reference_ops::SoftmaxInt16``. A difference to the largest value, in steps of 10/65535, is
looked up in a table of exp over [-10, 0]; the sum of what comes out, shifted to between 1 and 2, in one of 1 / (1 + x)
over [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from firmware_export.fixedpoint import multiply, quantize_multiplier
from firmware_export.graph import Graph, Node
from firmware_export.layer import Array, FieldValue
from firmware_export.ops.base import Lowering, need_input, need_quant, output_tensor, refuse
from firmware_export.ops.unary import lower_rows

INTERVALS = 512
LONGEST = 10.0
"""Differences beyond which exp counts as its value there."""

STEPS = 65535
"""Between 0 and ``LONGEST``."""

ONE = 1 << 15
LOWEST, HIGHEST = -ONE, ONE - 1
SCALE_TOLERANCE = 0.001
LARGEST_SHIFT = 14
"""Of differences, which have 16 bits: they stay within int32."""

MAX_DEPTH = 1 << 15
"""Values that share a sum, each of them up to 2**15."""

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _half_away(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rounded, halves away from zero."""
    rounded: NDArray[np.float32] = np.copysign(np.floor(np.abs(values) + np.float32(0.5)), values)
    return rounded


def _table(function: Function, low: float, high: float) -> NDArray[np.int64]:
    """A function in steps of 2**-15 at 513 points.

    Each entry is less by half of what the straight line to the next one is off in its middle (``gen_lut``, in float32).
    """
    one = np.float32(ONE)
    step = np.float32((high - low) / INTERVALS)
    at = np.float32(low) + np.arange(INTERVALS + 1, dtype=np.float32) * step
    exact = function(at.astype(np.float64)).astype(np.float32)
    middle = function((at[:-1] + step / 2).astype(np.float64)).astype(np.float32)
    entries = _half_away(exact * one)
    line = _half_away((exact[1:] * one + entries[:-1]) / np.float32(2))
    entries[:-1] -= _half_away((line - _half_away(middle * one)) / np.float32(2))
    return np.clip(entries, LOWEST, HIGHEST).astype(np.int64)


def exponentials() -> NDArray[np.int64]:
    """Of -10 to 0."""
    return _table(np.exp, -LONGEST, 0.0)


def reciprocals() -> NDArray[np.int64]:
    """1 / (1 + x) for x from 0 to 1."""
    return _table(lambda x: 1 / (1 + x), 0.0, 1.0)


def _look_up(table: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """At values from -2**15 to 2**15 - 1 along the table."""
    at, within = 256 + (values >> 7), values & 127
    value: NDArray[np.int64] = table[at] + (((table[at + 1] - table[at]) * within + 64) >> 7)
    return value


def factor(graph: Graph, node: Node) -> tuple[int, int]:
    """From the input's steps to those of the table."""
    beta = node.options.get("beta", 0.0)
    scale = need_quant(graph, node, need_input(graph, node, 0, "input"), "an input").scale[0]
    return quantize_multiplier(scale * (beta if isinstance(beta, (int, float)) else 0.0) / (LONGEST / STEPS))


def check(graph: Graph, node: Node) -> None:
    """Refuse other output scales than 1/32768, a beta whose products leave int32, or long rows; types were checked."""
    source, output = need_input(graph, node, 0, "input"), output_tensor(graph, node)
    scale = need_quant(graph, node, output, "an output").scale[0]
    if abs(scale * ONE - 1) > SCALE_TOLERANCE:
        refuse(graph, node, f"an int16 output with the scale {scale:g}", "1/32768")
    if not source.shape or source.shape[-1] > MAX_DEPTH:
        refuse(graph, node, f"an input of {list(source.shape)}", f"up to {MAX_DEPTH} values that share a sum")
    beta = node.options.get("beta", 0.0)
    if not isinstance(beta, (int, float)) or not math.isfinite(beta) or beta < 0:
        refuse(graph, node, f"a beta of {beta}", "0 and above")
    if factor(graph, node)[1] > LARGEST_SHIFT:
        given = need_quant(graph, node, source, "an input").scale[0]
        refuse(graph, node, f"a beta of {beta} at the scale {given:g}", "a product below 2")


def values_of(graph: Graph, node: Node, values: NDArray[np.int64]) -> NDArray[np.int16]:
    """Each last dimension by itself, of int16 values held in int64."""
    scaled = multiply(values - values.max(axis=-1, keepdims=True), *factor(graph, node))
    powers = _look_up(exponentials(), np.clip(scaled + HIGHEST, LOWEST, HIGHEST))
    total = powers.sum(axis=-1, keepdims=True)
    bits = np.floor(np.log2(total)).astype(np.int64) + 1    # exact: below 2**53
    mantissa = ((total << (31 - bits)) + (1 << 13)) >> 14
    inverse = _look_up(reciprocals(), np.clip(mantissa - 3 * ONE, LOWEST, HIGHEST))
    down = bits - 1
    quotients: NDArray[np.int64] = (powers * inverse + (np.int64(1) << (down - 1))) >> down
    return np.clip(quotients, 0, HIGHEST).astype(np.int16)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer, row by row; a row holds one softmax or several."""
    multiplier, shift = factor(lowering.graph, node)
    fields: dict[str, FieldValue] = {
        "depth": lowering.graph.tensors[node.inputs[0]].shape[-1],
        "multiplier": multiplier,
        "shift": shift,
        "exp": Array(exponentials().astype(np.int16), "[513]: exp over [-10, 0], 1.0 is 2^15", False),
        "inverse": Array(reciprocals().astype(np.int16), "[513]: 1 / (1 + x) over [0, 1], 1.0 is 2^15", False),
    }
    lower_rows(lowering, node, "softmax_int16", "softmax_int16", fields)
