"""One factor between the scales of two tensors, and where it would carry int32 arithmetic over its end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.fixedpoint import INT32_MAX, multiply, quantize_multiplier
from firmware_export.graph import Graph, Node, Tensor
from firmware_export.layer import FieldValue
from firmware_export.ops.base import RANGES, constant, need_input, need_quant, output_tensor, refuse

MAX_SHIFT = 23
"""An int8 tensor holds a value at least 128 steps from its zero point, and 128 * 2**24 is no int32."""


@dataclass(frozen=True)
class Factor:
    """A real factor as ``multiplier * 2**(shift - 31)``."""

    multiplier: int
    shift: int

    def of(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """The values times the factor."""
        return multiply(values, self.multiplier, self.shift)

    def fields(self, prefix: str = "") -> dict[str, FieldValue]:
        """As fields of a kernel's struct."""
        return {f"{prefix}multiplier": self.multiplier, f"{prefix}shift": self.shift}


def factor(graph: Graph, node: Node, real: float, magnitude: int) -> Factor:
    """Split a factor.

    Args:
        graph: The network.
        node: The node.
        real: The factor.
        magnitude: The largest absolute value that is multiplied.

    Raises:
        ModelError: Products may leave int32, where TFLite Micro's result is undefined.
    """
    if not math.isfinite(real):
        _too_large(graph, node, real)
    multiplier, shift = quantize_multiplier(real)
    # Zero points are added to products: leave room.
    if shift > MAX_SHIFT or magnitude << max(shift, 0) > INT32_MAX - 256:
        _too_large(graph, node, real)
    return Factor(multiplier, shift)


def _too_large(graph: Graph, node: Node, real: float) -> None:
    found = f"a factor of {real:g} between the scales"
    refuse(graph, node, found, "factors whose products fit into 32 bits", "The scales are damaged.")


def largest(tensor: Tensor, zero_point: int) -> int:
    """The largest ``|q - zero_point|`` that an int8 or int16 tensor may hold; of a constant, that it holds."""
    if tensor.is_constant:
        return int(np.abs(constant(tensor).astype(np.int64) - zero_point).max())
    low, high = RANGES[tensor.dtype]
    return max(high - zero_point, zero_point - low)


def requantized(graph: Graph, node: Node, values: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Values of the input at the output's scale, not clipped, and the output's zero point.

    Raises:
        ModelError: Products may leave int32.
    """
    source, output = need_input(graph, node, 0, "input"), output_tensor(graph, node)
    given, wanted = need_quant(graph, node, source, "an input"), need_quant(graph, node, output, "an output")
    lowest, highest = RANGES[source.dtype]
    zero_point = given.zero_point[0]
    magnitude = max(abs(lowest - zero_point), abs(highest - zero_point))
    scaled = factor(graph, node, given.scale[0] / wanted.scale[0], magnitude).of(values - zero_point)
    return scaled + wanted.zero_point[0], wanted.zero_point[0]
