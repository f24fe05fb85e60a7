"""REDUCE_MAX: the largest element along any axes, int8; over height and width it is global maximum pooling.

Nothing is requantized: TFLite Micro wants input and output to have one scale and zero point. REDUCE_MIN has the same
kernel, which turns the order of int8 around by flipping all bits (-1 - q).
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Inputs, Lowering, Op, refuse
from firmware_export.ops.reduction import axes_of, check_reduction, keeps_dims, lower_reduction, window_size

BEST_BYTES = 1


def check(graph: Graph, node: Node) -> None:
    """Refuse what is no int8 reduction, and outputs of another scale or zero point."""
    source, target = check_reduction(graph, node)
    assert source.quant is not None and target.quant is not None
    if (source.quant.scale, source.quant.zero_point) != (target.quant.scale, target.quant.zero_point):
        refuse(graph, node, "an output of another scale or zero point", "those of the input")


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The maximum, or for REDUCE_MIN the minimum, of an int8 tensor over its axes."""
    values = inputs[0]
    assert values is not None
    search = values.min if node.op == "REDUCE_MIN" else values.max
    return (search(axis=axes_of(graph, node), keepdims=keeps_dims(node)),)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer, see ``reduction``; none over axes of size 1."""
    if window_size(lowering.graph, node) == 1:
        lowering.alias(node.inputs[0], node.outputs[0])
        return
    lower_reduction(lowering, node, "reduce_max", {"flip": -1 if node.op == "REDUCE_MIN" else 0}, BEST_BYTES)


OP = Op("REDUCE_MAX", check, reference, lower)
