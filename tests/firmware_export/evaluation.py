"""A graph evaluated by the operators' NumPy references, and the form in which a layer adds up row after row."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from firmware_export.graph import Graph
from firmware_export.layer import Program
from firmware_export.ops import OPS, check_graph
from firmware_export.ops.base import constant


def evaluate(graph: Graph, *inputs: Any) -> list[Any]:
    """The graph's outputs. Every node is checked first, as the compiler does it."""
    check_graph(graph)
    values = values_of(graph, *inputs)
    return [values[index] for index in graph.outputs]


def values_of(graph: Graph, *inputs: Any) -> dict[int, Any]:
    """The value of every tensor, by its index; the nodes need not pass their check, as passes leave them."""
    values: dict[int, Any] = {tensor.index: constant(tensor) for tensor in graph.tensors if tensor.is_constant}
    values.update(zip(graph.inputs, inputs, strict=True))
    for node in graph.nodes:
        given = [values.get(index) for index in node.inputs]
        for index, result in zip(node.outputs, OPS[node.op].reference(graph, node, given), strict=True):
            assert result.dtype == np.dtype(graph.tensors[index].dtype), graph.node_label(node)
            assert result.shape == graph.tensors[index].shape, graph.node_label(node)
            values[index] = result
    return values


def accumulating(program: Program) -> Program:
    """The program with every layer in its accumulating form, where it has one."""
    layers = tuple(layer.accumulating or layer for layer in program.layers)
    return dataclasses.replace(program, layers=layers)
