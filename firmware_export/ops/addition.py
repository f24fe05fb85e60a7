"""The arithmetic of ADD and SUB, which share their kernels ``add.h`` and, where it does, ``add_scaled.h``.

TFLite Micro brings both operands to twice the larger of their scales, with 20 more bits (int16: 15), adds, and rescales
the sum (``add_common.cc``, ``sub_common.cc``). For the operand with the larger scale the factor is exactly a half, so
that it takes no rounding: the *wide* operand is multiplied by plus or minus 2**19 (2**14). Only the *narrow* one is
rescaled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_export.fixedpoint import quantize_multiplier
from firmware_export.graph import Graph, Node
from firmware_export.layer import Layer, Read, rows_of
from firmware_export.ops.base import Lowering, need_input, need_quantized, output_tensor, refuse
from firmware_export.ops.elementwise import check_binary, lower_binary, lower_uniform
from firmware_export.ops.requantize import fused_range
from firmware_export.ops.rescale import Factor
from firmware_export.ops.scaled_addition import EVERY, scaled_addition

LEFT_SHIFT = {"int8": 20, "int16": 15}
"""Bits that operands gain before they are added."""


@dataclass(frozen=True)
class Addition:
    """The parameters of a node.

    Attributes:
        left_shift: Bits that operands gain before they are added.
        zero_points: Of both operands and of the output.
        factors: Of both operands and of the sum.
        low: The lowest output.
        high: The highest.
    """

    left_shift: int
    zero_points: tuple[int, int, int]
    factors: tuple[Factor, Factor, Factor]
    low: int
    high: int


def addition(graph: Graph, node: Node) -> Addition:
    """The parameters of a node.

    Raises:
        ModelError: Not int8 or int16, or scales with which TFLite Micro gives up.
    """
    first = need_input(graph, node, 0, "operand")
    left = need_quantized(graph, node, first, "an operand")
    right = need_quantized(graph, node, need_input(graph, node, 1, "operand"), "an operand", first)
    output = need_quantized(graph, node, output_tensor(graph, node), "an output", first)
    left_shift = LEFT_SHIFT[first.dtype]
    scales = [quant.scale[0] for quant in (left, right, output)]
    twice = 2 * max(scales[:2])
    reals = (scales[0] / twice, scales[1] / twice, twice / ((1 << left_shift) * scales[2]))
    pairs = [quantize_multiplier(real) for real in reals]
    if pairs[2][1] > 0 or reals[2] >= 1:
        found = f"an output scale of {scales[2]:g} for operands with {scales[0]:g} and {scales[1]:g}"
        refuse(graph, node, found, f"at least {twice / (1 << left_shift):g} here")
    factors = [Factor(*pair) for pair in pairs]
    low, high = fused_range(graph, node)
    zero_points = (left.zero_point[0], right.zero_point[0], output.zero_point[0])
    return Addition(left_shift, zero_points, (factors[0], factors[1], factors[2]), low, high)


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8 or int16 that broadcasts, or scales beyond TFLite Micro's."""
    check_binary(graph, node)
    addition(graph, node)


def combined(
    graph: Graph, node: Node, left: NDArray[np.int64], right: NDArray[np.int64], sign: int
) -> NDArray[np.int64]:
    """``left + sign * right`` on quantized values held in int64."""
    form = addition(graph, node)
    first, second = (
        factor.of((values - zero_point) << form.left_shift)
        for factor, values, zero_point in zip(form.factors[:2], (left, right), form.zero_points[:2], strict=True)
    )
    return np.clip(form.factors[2].of(first + sign * second) + form.zero_points[2], form.low, form.high)


def lower(lowering: Lowering, node: Node, sign: int) -> None:
    """One layer: a table where an int8 operand is one constant, or a row of both operands at a time.

    The latter is a sum of two products where that is the same, which takes a third of the time.
    """
    graph = lowering.graph
    if lower_uniform(lambda g, n, left, right: combined(g, n, left, right, sign), lowering, node):
        return
    form = addition(graph, node)
    scaled = _scaled_layer(lowering, node, form, sign)
    if scaled is not None:
        lowering.add(scaled)
        return
    left, right = (need_quantized(graph, node, graph.tensors[index], "an operand") for index in node.inputs)
    swapped = right.scale[0] > left.scale[0]
    wide, narrow = (1, 0) if swapped else (0, 1)
    signs = (1, sign)
    half = 1 << (form.left_shift - 1)
    is_int8 = output_tensor(graph, node).dtype == "int8"    # int16 has no zero points
    fields = {
        **({"wide_offset": -form.zero_points[wide]} if is_int8 else {}),
        "wide_factor": signs[wide] * half,
        **({"narrow_offset": -form.zero_points[narrow]} if is_int8 else {}),
        **form.factors[narrow].fields("narrow_"),
        "narrow_sign": signs[narrow],
        **form.factors[2].fields(),
        **({"out_offset": form.zero_points[2]} if is_int8 else {}),
        "low": form.low,
        "high": form.high,
    }
    kernel = "add" if is_int8 else "add_int16"
    lower_binary(lowering, node, kernel, kernel, ("wide", "narrow"), fields, swapped)


def _scaled_layer(lowering: Lowering, node: Node, form: Addition, sign: int) -> Layer | None:
    """A sum of two products, for two computed int8 tensors of one shape; None where that is not the same."""
    graph = lowering.graph
    tensors = [graph.tensors[index] for index in node.inputs]
    output = output_tensor(graph, node)
    if output.dtype != "int8" or any(tensor.shape != output.shape or tensor.is_constant for tensor in tensors):
        return None
    left, right, out = (need_quantized(graph, node, tensor, "an operand").scale[0] for tensor in (*tensors, output))
    wanted = combined(graph, node, EVERY[:, np.newaxis], EVERY[np.newaxis], sign)
    found = scaled_addition((left / out, sign * right / out), wanted, form.low, form.high)
    if found is None:
        return None
    rows, count = rows_of(output.shape)
    every_row = tuple(range(rows))
    return Layer(
        op=node.op,
        node=node.index,
        kernel="add_scaled",
        function="add_scaled",
        reads=tuple(Read(lowering.value(tensor.index).index, count, every_row) for tensor in tensors),
        output=lowering.output(node.outputs[0], rows, count).index,
        rows=rows,
        row_bytes=count,
        steps=rows,
        fields={
            "count": count,
            "first_factor": found[0],
            "second_factor": found[1],
            "offset": found[2],
            "low": form.low,
            "high": form.high,
        },
        in_place=(0, 1),
    )
