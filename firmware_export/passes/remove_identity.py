"""Nodes that give back what they are given."""

from __future__ import annotations

import dataclasses

import numpy as np

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import constant
from firmware_export.passes.edit import Draft, reshape_node


def remove_identity(graph: Graph) -> Graph:
    """Replace nodes that move and change nothing by RESHAPE, which costs nothing.

    1. QUANTIZE from int8 or int16 to the same type, scale and zero point: the factor 1 is exact.
    2. TRANSPOSE of a TRANSPOSE is one TRANSPOSE, of the first one's input.
    3. And if the two undo each other, it is nothing.
    """
    draft = Draft(graph)
    transposes: dict[int, tuple[int, tuple[int, ...]]] = {}    # what a TRANSPOSE writes: its input, and the permutation
    for node in graph.nodes:
        if node.custom:
            continue
        if node.op == "QUANTIZE":
            source, target = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
            if source.dtype == target.dtype in ("int8", "int16") and source.quant == target.quant:
                draft.replace(node, reshape_node(node, source.index, target))
        elif node.op == "TRANSPOSE":
            origin, order = node.inputs[0], _order(graph, node)
            if origin in transposes:
                origin, earlier = transposes[origin]
                order = tuple(earlier[axis] for axis in order)
                draft.replace(node, _transpose(graph, draft, node, origin, order))
            transposes[node.outputs[0]] = (origin, order)
    return draft.done()


def _order(graph: Graph, node: Node) -> tuple[int, ...]:
    return tuple(int(axis) for axis in constant(graph.tensors[node.inputs[1]]).reshape(-1))


def _transpose(graph: Graph, draft: Draft, node: Node, origin: int, order: tuple[int, ...]) -> Node:
    if order == tuple(range(len(order))):
        return reshape_node(node, origin, graph.tensors[node.outputs[0]])
    operand = graph.tensors[node.inputs[1]]
    values = draft.add_constant(operand, np.array(order))
    return dataclasses.replace(node, inputs=(origin, values.index))
