"""SQUEEZE: dimensions of size 1 are taken out of the shape. Nothing moves."""

from __future__ import annotations

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Op, refuse
from firmware_export.ops.movement import DAMAGED, need_axis, need_operands
from firmware_export.ops.reshape import check_alias, reference


def check(graph: Graph, node: Node) -> None:
    """Refuse axes that are not of size 1, and another shape than follows from them."""
    need_operands(graph, node, 1)
    check_alias(graph, node)
    shape = graph.tensors[node.inputs[0]].shape
    dims = node.options.get("squeeze_dims", ())
    named = [int(axis) for axis in dims] if isinstance(dims, tuple) else []
    axes = {need_axis(graph, node, axis, len(shape)) for axis in named}
    if any(shape[axis] != 1 for axis in axes):
        refuse(graph, node, f"squeezing the axes {sorted(axes)} of {list(shape)}", "axes of size 1", DAMAGED)
    dropped = axes if named else {axis for axis, size in enumerate(shape) if size == 1}
    expected = tuple(size for axis, size in enumerate(shape) if axis not in dropped)
    found = graph.tensors[node.outputs[0]].shape
    if found != expected:
        refuse(graph, node, f"an output of {list(found)}", f"{list(expected)} here", DAMAGED)


OP = Op("SQUEEZE", check, reference, None, alias=True)
