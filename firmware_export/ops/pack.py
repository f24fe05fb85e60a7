"""PACK: tensors of one shape behind each other along a new dimension. int8, int16, int32 and float32.

It is a concatenation of tensors that have a dimension of size 1 more. TFLite Micro copies, whatever the scales are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Inputs, Lowering, Op, option_int, refuse
from firmware_export.ops.concatenation import lower_joined
from firmware_export.ops.movement import DAMAGED, DTYPES_AND_INT16, need_axis, need_data, need_output


def pack_axis(graph: Graph, node: Node) -> int:
    """The dimension of the output that the inputs make up."""
    return need_axis(graph, node, option_int(node, "axis"), len(graph.tensors[node.inputs[0]].shape) + 1)


def check(graph: Graph, node: Node) -> None:
    """Refuse other types, and inputs of different shapes."""
    first = need_data(graph, node, dtypes=DTYPES_AND_INT16)
    axis = pack_axis(graph, node)
    count = option_int(node, "values_count")
    if len(node.outputs) != 1 or count != len(node.inputs):
        found = f"{len(node.inputs)} inputs, {count} said, and {len(node.outputs)} outputs"
        refuse(graph, node, found, "as many inputs as said and 1 output", DAMAGED)
    for position in range(count):
        tensor = need_data(graph, node, position, DTYPES_AND_INT16)
        if (tensor.shape, tensor.dtype) != (first.shape, first.dtype):
            refuse(graph, node, f"{first} and {tensor}", "inputs of one shape and type", DAMAGED)
    need_output(graph, node, first, (*first.shape[:axis], count, *first.shape[axis:]))


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The inputs along the new dimension."""
    return (np.stack([values for values in inputs if values is not None], pack_axis(graph, node)),)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer, or none for a single input."""
    axis = pack_axis(lowering.graph, node)
    shape = lowering.graph.tensors[node.inputs[0]].shape
    lower_joined(lowering, node, [(*shape[:axis], 1, *shape[axis:])] * len(node.inputs), axis)


OP = Op("PACK", check, reference, lower)
