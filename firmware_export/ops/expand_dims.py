"""EXPAND_DIMS: a dimension of size 1 is put into the shape. Nothing moves."""

from __future__ import annotations

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Op, refuse
from firmware_export.ops.movement import DAMAGED, need_axis, need_numbers, need_operands
from firmware_export.ops.reshape import check_alias, reference


def check(graph: Graph, node: Node) -> None:
    """Refuse an axis that is not known before the network runs, and another shape than follows from it."""
    need_operands(graph, node, 2)
    check_alias(graph, node)
    shape = graph.tensors[node.inputs[0]].shape
    axis = need_axis(graph, node, need_numbers(graph, node, 1, "axis", 1, "int32", "int64")[0], len(shape) + 1)
    expected = (*shape[:axis], 1, *shape[axis:])
    found = graph.tensors[node.outputs[0]].shape
    if found != expected:
        refuse(graph, node, f"an output of {list(found)}", f"{list(expected)} here", DAMAGED)


OP = Op("EXPAND_DIMS", check, reference, None, alias=True)
