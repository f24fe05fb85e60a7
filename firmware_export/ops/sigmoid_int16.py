"""LOGISTIC and TANH of int16: one table of the logistic function, and straight lines between its entries.

Arithmetic: TFLite Micro ``reference_integer_ops::Logistic`` and ``Tanh``. The input is brought to steps of 1/12288; 512
of them (for tanh, which is ``2 * logistic(2 x) - 1``, 256) lie between two entries, which stand for x = i / 24. Each
entry is the function less half of what the straight line to the next one is off in its middle, in steps of 2**-16; here
less 1/2, so that it fits into int16. The last one is as near to 1 as it comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import Array, FieldValue
from firmware_export.ops.base import need_quant, need_quantized, output_tensor, refuse

KERNEL = "sigmoid_int16"

STEPS_PER_UNIT = 12288
ENTRIES = 256

HALF = 1 << 15
"""1/2 in the steps of the table, and what 1 is in the output."""

LARGEST_MULTIPLIER = (1 << 15) - 1
MOST_SHIFT = 31
POWER_TOLERANCE = 1e-3
"""Of a scale's binary logarithm (TFLite ``CheckedLog2``)."""



@dataclass(frozen=True)
class Curve:
    """One of the two functions.

    Attributes:
        bits: 2**bits steps lie between two entries.
        flat: What stands for 1/2 beyond the last entry.
        down: Bits that are rounded away in the end.
        offset: What the output is at 0.
        exact: Input scales of so many times 1/4096 need no rounding.
    """

    bits: int
    flat: int
    down: int
    offset: int
    exact: tuple[int, ...]


LOGISTIC = Curve(bits=9, flat=HALF - 2, down=10, offset=HALF // 2, exact=(1,))
TANH = Curve(bits=8, flat=HALF - 1, down=8, offset=0, exact=(1, 2))


def table() -> NDArray[np.int64]:
    """The entries."""
    exact = 2 * HALF / (1 + np.exp(-np.arange(0, ENTRIES + 1, 0.5) / 24))    # at the entries and between them
    here, middle, following = exact[:-2:2], exact[1:-1:2], exact[2::2]
    off = (here + following) / 2 - middle
    entries: NDArray[np.int64] = np.floor(here - off / 2 + 0.5).astype(np.int64) - HALF
    entries[-1] = HALF - 1
    return entries


def scaling(graph: Graph, node: Node, curve: Curve) -> tuple[int, int]:
    """From the input's steps to the table's: a multiplier of at most 15 bits, and a rounding shift to the right."""
    scale = np.float32(need_quant(graph, node, graph.tensors[node.inputs[0]], "an input").scale[0])
    power = _power_of_two(scale)
    for steps in curve.exact:
        if power is not None and 2.0**power * 4096 == steps:
            return STEPS_PER_UNIT // 4096 * steps, 0
    multiplier, shift = float(scale) * STEPS_PER_UNIT, 0
    while multiplier <= LARGEST_MULTIPLIER / 2 and shift < MOST_SHIFT:
        multiplier, shift = 2 * multiplier, shift + 1
    return int(multiplier), shift


def _power_of_two(scale: np.float32) -> int | None:
    """The exponent of a scale that is, almost, a power of two."""
    logarithm = np.log(scale) * (np.float32(1) / np.log(np.float32(2)))
    return round(float(logarithm)) if abs(logarithm - np.round(logarithm)) < POWER_TOLERANCE else None


def check(graph: Graph, node: Node) -> None:
    """Refuse zero points, an output scale other than 1/32768, and an input scale beyond TFLite Micro's."""
    source = graph.tensors[node.inputs[0]]
    scale = need_quantized(graph, node, source, "an input").scale[0]
    quant = need_quantized(graph, node, output_tensor(graph, node), "an output", source)
    if _power_of_two(np.float32(quant.scale[0])) != -15:
        refuse(graph, node, f"an int16 output with the scale {quant.scale[0]:g}", "1/32768")
    if not scale * STEPS_PER_UNIT <= LARGEST_MULTIPLIER:
        found = f"an int16 input with the scale {scale:g}"
        refuse(graph, node, found, f"at most {LARGEST_MULTIPLIER / STEPS_PER_UNIT:.4g}")


def values_of(graph: Graph, node: Node, values: NDArray[np.int64], curve: Curve) -> NDArray[np.int64]:
    """The function of int16 values, held in int64."""
    multiplier, shift = scaling(graph, node, curve)
    steps = (values * multiplier + (1 << shift >> 1)) >> shift
    entries, distance = table(), np.abs(steps)
    at, within = distance >> curve.bits, distance & ((1 << curve.bits) - 1)
    first, second = entries[np.minimum(at, ENTRIES - 2)], entries[np.minimum(at + 1, ENTRIES - 1)]
    line = np.where(at >= ENTRIES - 1, curve.flat << curve.bits, (first << curve.bits) + within * (second - first))
    half = 1 << (curve.down - 1)
    return curve.offset + (np.where(steps >= 0, line + half, half - 1 - line) >> curve.down)


def form(graph: Graph, node: Node, curve: Curve) -> tuple[str, str, Mapping[str, FieldValue]]:
    """The kernel, its function, and its fields."""
    multiplier, shift = scaling(graph, node, curve)
    entries = Array(table().astype(np.int16), "[256]: logistic(i / 24) - 1/2 in steps of 2^-16", is_weights=False)
    return KERNEL, KERNEL, {
        "multiplier": multiplier,
        "shift": shift,
        "bits": curve.bits,
        "flat": curve.flat,
        "down": curve.down,
        "offset": curve.offset,
        "table": entries,
    }
