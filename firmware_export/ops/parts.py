"""What operators share that take a tensor apart along one dimension: SPLIT and SPLIT_V."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Inputs, Lowering, Op
from firmware_export.ops.movement import need_axis, need_numbers, need_output
from firmware_export.ops.strided_copy import lower_block


def need_split_axis(graph: Graph, node: Node, data: int, axis: int) -> int:
    """The dimension that is split, counted from the front.

    Args:
        graph: The network.
        node: The node.
        data: Position of the tensor among the inputs.
        axis: Position of the axis, a constant.

    Raises:
        ModelError: There is no such dimension, or the axis is computed at run time.
    """
    rank = len(graph.tensors[node.inputs[data]].shape)
    return need_axis(graph, node, need_numbers(graph, node, axis, "axis", 1)[0], rank)


def check_parts(graph: Graph, node: Node, data: int, axis: int, sizes: Sequence[int]) -> None:
    """Refuse outputs that are not parts of these sizes."""
    source = graph.tensors[node.inputs[data]]
    for position, size in enumerate(sizes):
        need_output(graph, node, source, (*source.shape[:axis], size, *source.shape[axis + 1 :]), position)


def splitting(name: str, check: Callable[[Graph, Node], None], data: int, axis: int) -> Op:
    """An operator whose outputs are parts of an input, a layer for each.

    Args:
        name: TFLite's.
        check: Refuses what is not supported.
        data: Position of the tensor among the inputs.
        axis: Position of the axis, a constant.
    """

    def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
        values = inputs[data]
        assert values is not None
        along = need_split_axis(graph, node, data, axis)
        return tuple(np.split(values, np.cumsum(_sizes(graph, node, along))[:-1], along))

    def lower(lowering: Lowering, node: Node) -> None:
        source = lowering.graph.tensors[node.inputs[data]]
        along = need_split_axis(lowering.graph, node, data, axis)
        begin = 0
        for target, size in zip(node.outputs, _sizes(lowering.graph, node, along), strict=True):
            begins = tuple(begin if dimension == along else 0 for dimension in range(len(source.shape)))
            shape = (*source.shape[:along], size, *source.shape[along + 1 :])
            lower_block(lowering, node, source.index, target, begins, shape)
            begin += size

    return Op(name, check, reference, lower)


def _sizes(graph: Graph, node: Node, axis: int) -> list[int]:
    """The size of each part along the axis, in a node that was checked."""
    return [graph.tensors[index].shape[axis] for index in node.outputs]
