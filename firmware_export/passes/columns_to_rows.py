"""One-dimensional networks: time along the height, so that it runs row by row."""

from __future__ import annotations

import dataclasses
from collections.abc import Set

from firmware_export.graph import Graph, Node, Tensor
from firmware_export.ops.base import option_int
from firmware_export.passes.edit import Draft
from firmware_export.passes.turning import TURNS, Turned, is_column, turned_shape

WINDOWS = ("AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "TRANSPOSE_CONV")


def columns_to_rows(graph: Graph) -> Graph:
    """Exchange height and width where an image is one row high.

    Keras' Conv1D is CONV_2D on ``[1, 1, T, C]``: a single row, which nothing can stream. ``[1, T, 1, C]`` has the
    same bytes.

    1. A tensor is turned when every node that touches it can be (``turning.TURNS``): convolutions and pools get their
       kernel, stride, dilation and padding turned, reductions their axes, and so on.
    2. RESHAPE, EXPAND_DIMS and SQUEEZE can always be: they are where turned tensors meet others.
    3. An operand that is broadcast over height and width stays; a constant along the width becomes one along the
       height.
    4. Only where a window with several positions along the width is among the nodes: without one, longer rows are
       better.
    5. Inputs and outputs of the graph keep their shape: a RESHAPE stands between them and what is turned.
    """
    columns = {tensor.index for tensor in graph.tensors if is_column(tensor)}
    while blocked := {index for node in graph.nodes for index in _blocked(graph, node, columns)}:
        columns -= blocked
    columns = _with_windows(graph, columns)
    return _turn_all(graph, columns) if columns else graph


def _touched(node: Node, columns: Set[int]) -> set[int]:
    return {index for index in (*node.inputs, *node.outputs) if index in columns}


def _turned(graph: Graph, node: Node, columns: Set[int]) -> Turned | None:
    turn = None if node.custom else TURNS.get(node.op)
    return turn(graph, node, columns) if turn else None


def _blocked(graph: Graph, node: Node, columns: Set[int]) -> set[int]:
    """The tensors that a node keeps from being turned."""
    touched = _touched(node, columns)
    return touched if touched and _turned(graph, node, columns) is None else set()


def _with_windows(graph: Graph, columns: Set[int]) -> set[int]:
    """Those that hang together with a window."""
    groups: list[set[int]] = []
    wide: set[int] = set()
    for node in graph.nodes:
        group = _touched(node, columns)
        if group and _is_wide(graph, node):
            wide |= group
        apart = [other for other in groups if not other & group]
        for other in groups:
            if other & group:
                group = group | other
        groups = [*apart, group] if group else apart
    return {index for group in groups if group & wide for index in group}


def _is_wide(graph: Graph, node: Node) -> bool:
    if node.op not in WINDOWS:
        return False
    if node.op.endswith("POOL_2D"):
        return option_int(node, "filter_width", 1) > 1
    return graph.tensors[node.inputs[1]].shape[2] > 1


def _turn_all(graph: Graph, columns: Set[int]) -> Graph:
    draft = Draft(graph)
    unused = 1 + max(node.index for node in graph.nodes)
    inner: dict[int, Tensor] = {}    # the turned one behind an input or output
    for index in sorted(columns):
        tensor = graph.tensors[index]
        shape = turned_shape(tensor.shape)
        if index in graph.inputs or index in graph.outputs:
            inner[index] = draft.add_tensor(tensor, shape=shape)
        else:
            draft.change_tensor(dataclasses.replace(tensor, shape=shape, shape_signature=shape))
    entered: set[int] = set()
    for node in graph.nodes:
        if not _touched(node, columns):
            continue
        nodes = []
        for index in dict.fromkeys(node.inputs):
            if index in inner and index in graph.inputs and index not in entered:
                entered.add(index)
                nodes.append(_reshape(unused, index, inner[index]))
                unused += 1
        nodes.append(_changed(graph, draft, node, columns, inner))
        for index in node.outputs:
            if index in inner:
                nodes.append(_reshape(unused, inner[index].index, graph.tensors[index]))
                unused += 1
        draft.replace(node, *nodes)
    return draft.done()


def _changed(graph: Graph, draft: Draft, node: Node, columns: Set[int], inner: dict[int, Tensor]) -> Node:
    turned = _turned(graph, node, columns)
    assert turned is not None
    inputs = [inner[index].index if index in inner else index for index in node.inputs][: turned.inputs]
    for position, values in turned.constants.items():
        inputs[position] = draft.add_constant(graph.tensors[node.inputs[position]], values).index
    outputs = tuple(inner[index].index if index in inner else index for index in node.outputs)
    return dataclasses.replace(node, op=turned.op, options=turned.options, inputs=tuple(inputs), outputs=outputs)


def _reshape(index: int, source: int, target: Tensor) -> Node:
    return Node(index, "RESHAPE", 1, (source,), (target.index,), {"new_shape": target.shape})
