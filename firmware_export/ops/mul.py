"""MUL: int8 or int16 product of two tensors that broadcast against each other, with a fused activation.

Arithmetic: TFLite Micro ``reference_integer_ops::MulElementwise``: both less their zero points, and one factor.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import FieldValue
from firmware_export.ops.base import Lowering, Op, need_input, need_quantized, output_tensor
from firmware_export.ops.elementwise import binary_reference, check_binary, lower_binary, lower_uniform
from firmware_export.ops.requantize import fused_range
from firmware_export.ops.rescale import Factor, factor, largest


def parameters(graph: Graph, node: Node) -> tuple[Factor, tuple[int, int, int]]:
    """The factor, and the zero points of both operands and of the output.

    Raises:
        ModelError: Not int8 or int16, or products that leave int32.
    """
    left, right = (need_input(graph, node, position, "operand") for position in (0, 1))
    first = need_quantized(graph, node, left, "an operand")
    second = need_quantized(graph, node, right, "an operand", left)
    output = need_quantized(graph, node, output_tensor(graph, node), "an output", left)
    zero_points = (first.zero_point[0], second.zero_point[0], output.zero_point[0])
    magnitude = largest(left, zero_points[0]) * largest(right, zero_points[1])
    return factor(graph, node, first.scale[0] * second.scale[0] / output.scale[0], magnitude), zero_points


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8 or int16 that broadcasts, or a factor beyond int32."""
    check_binary(graph, node)
    parameters(graph, node)
    fused_range(graph, node)


def product(graph: Graph, node: Node, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """``left * right``, quantized."""
    rescaled, zero_points = parameters(graph, node)
    products = (left - zero_points[0]) * (right - zero_points[1])
    return np.clip(rescaled.of(products) + zero_points[2], *fused_range(graph, node))


def lower(lowering: Lowering, node: Node) -> None:
    """One layer: a table where an int8 operand is one constant, or a row of both operands at a time."""
    if lower_uniform(product, lowering, node):
        return
    rescaled, zero_points = parameters(lowering.graph, node)
    low, high = fused_range(lowering.graph, node)
    ends: dict[str, FieldValue] = {"low": low, "high": high}
    if output_tensor(lowering.graph, node).dtype == "int16":
        fields = {**rescaled.fields(), **ends}
        lower_binary(lowering, node, "mul_int16", "mul_int16", ("first", "second"), fields)
        return
    fields = {
        "first_offset": -zero_points[0],
        "second_offset": -zero_points[1],
        **rescaled.fields(),
        "out_offset": zero_points[2],
        **ends,
    }
    lower_binary(lowering, node, "mul", "mul", ("first", "second"), fields)


OP = Op("MUL", check, partial(binary_reference, product), lower)
