"""ADD and SUB by two multiplications and a shift: ``a * first_factor + b * second_factor + offset`` in 32 bits.

That is not TFLite's arithmetic, which rounds three times. But all pairs of int8 can be tried here, and factors be taken
with which every sum rounds to what TFLite Micro computes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from firmware_export.graph import Graph, Node
from firmware_export.layer import Layer, Read, rows_of
from firmware_export.ops import addition
from firmware_export.ops.base import Lowering, need_quantized, output_tensor
from firmware_export.ops.unary import EVERY_INT8

SUM_BITS = 22
"""Of a sum, and of its factors, behind the point."""

TRIES = 5
"""Neighbours of each factor that are tried."""


def lower(lowering: Lowering, node: Node, sign: int, kernel: str, rounding: int) -> Iterator[Layer]:
    """Two computed tensors of one shape.

    Args:
        lowering: The program so far.
        node: An ADD or SUB.
        sign: Of its second operand.
        kernel: Its file and function.
        rounding: What the kernel's shifts add to a sum.
    """
    graph = lowering.graph
    tensors = [graph.tensors[index] for index in node.inputs]
    output = output_tensor(graph, node)
    if output.dtype != "int8" or any(tensor.shape != output.shape or tensor.is_constant for tensor in tensors):
        return
    found = _linear(graph, node, sign, rounding)
    if found is None:
        return
    form = addition.addition(graph, node)
    rows, count = rows_of(output.shape)
    every_row = tuple(range(rows))
    yield Layer(
        op=node.op,
        node=node.index,
        kernel=kernel,
        function=kernel,
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


def _linear(graph: Graph, node: Node, sign: int, rounding: int) -> tuple[int, int, int] | None:
    """Factors and offset with which sums round to what TFLite Micro computes, for all inputs; None if none were found.

    For given factors, each pair of inputs bounds the offset: on both sides, except where its result is cut off.
    """
    left, right, output = (
        need_quantized(graph, node, graph.tensors[index], "an operand").scale[0]
        for index in (*node.inputs, node.outputs[0])
    )
    form = addition.addition(graph, node)
    wanted = addition.combined(graph, node, EVERY_INT8[:, np.newaxis], EVERY_INT8[np.newaxis], sign)
    is_low, is_high = wanted <= form.low, wanted >= form.high
    for first, second in _nearby(left / output, sign * right / output):
        sums = (EVERY_INT8 * first)[:, np.newaxis] + (EVERY_INT8 * second)[np.newaxis]
        exact = (wanted << SUM_BITS) - rounding - sums
        least = np.where(is_low, -(1 << 62), exact).max()
        most = np.where(is_high, 1 << 62, exact + (1 << SUM_BITS) - 1).min()
        # What is cut off must not leave a word; a constant result says nothing about the offset.
        least, most = max(int(least), -(1 << 31) - int(sums.min())), min(int(most), (1 << 31) - 1 - int(sums.max()))
        if least <= most and max(abs(first), abs(second)) < 1 << 31 and abs(least + most) // 2 < 1 << 31:
            return first, second, (least + most) // 2
    return None


def _nearby(first: float, second: float) -> Iterator[tuple[int, int]]:
    """Factors near two real ones, the nearest first."""
    whole = [round(factor * (1 << SUM_BITS)) for factor in (first, second)]
    steps = sorted(range(-TRIES, TRIES + 1), key=abs)
    for distance in range(2 * TRIES + 1):
        yield from ((whole[0] + a, whole[1] + b) for a in steps for b in steps if abs(a) + abs(b) == distance)
