"""How passes change a graph: nodes replaced or removed where they stand, tensors added behind the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import ABSENT, Graph, Node, Tensor
from firmware_export.ops.window import Axis


class Draft:
    """A graph in the making.

    Nodes keep the index that they have in the file, whatever happens to those before them: messages and reports name
    the file's nodes, and a node that stands for several takes the index of one of them. Tensors are never removed or
    moved, and one that a node of the result still writes holds the same bytes as in the file.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._tensors = list(graph.tensors)
        self._nodes: dict[int, tuple[Node, ...]] = {}

    def add_tensor(self, like: Tensor, **changes: Any) -> Tensor:
        """A further tensor, as ``like`` but for the changes. ``shape_signature`` follows ``shape``."""
        if "shape" in changes:
            changes["shape_signature"] = changes["shape"]
        tensor = dataclasses.replace(like, index=len(self._tensors), **changes)
        self._tensors.append(tensor)
        return tensor

    def add_constant(self, like: Tensor, values: NDArray[Any]) -> Tensor:
        """A further constant with the array's values and shape, of ``like``'s type."""
        data = np.ascontiguousarray(values, np.dtype(like.dtype)).tobytes()
        return self.add_tensor(like, shape=tuple(values.shape), data=data)

    def change_tensor(self, tensor: Tensor) -> None:
        """Put a tensor in the place of the one with its index."""
        self._tensors[tensor.index] = tensor

    def replace(self, node: Node, *others: Node) -> None:
        """Put others where a node stands; none removes it."""
        self._nodes[node.index] = others

    def done(self) -> Graph:
        """The changed graph; the very same object if nothing changed."""
        if not self._nodes and tuple(self._tensors) == self._graph.tensors:
            return self._graph
        nodes = tuple(new for old in self._graph.nodes for new in self._nodes.get(old.index, (old,)))
        return dataclasses.replace(self._graph, tensors=tuple(self._tensors), nodes=nodes)


def readers(graph: Graph) -> Mapping[int, tuple[Node, ...]]:
    """The nodes that read each tensor."""
    found: dict[int, tuple[Node, ...]] = {}
    for node in graph.nodes:
        for index in dict.fromkeys(node.inputs):
            if index != ABSENT:
                found[index] = (*found.get(index, ()), node)
    return found


def with_options(node: Node, **options: Any) -> dict[str, Any]:
    """A node's options, some of them changed."""
    return {**node.options, **options}


def reshape_node(like: Node, source: int, target: Tensor) -> Node:
    """A RESHAPE in the place of a node, to the target's shape."""
    return dataclasses.replace(
        like,
        op="RESHAPE",
        version=1,
        inputs=(source,),
        outputs=(target.index,),
        options={"new_shape": target.shape},
        custom=False,
    )


def padding_of(window: Axis) -> tuple[int, int]:
    """Padding in front of an axis and behind it, as far as a window reaches into it."""
    reach = (window.out - 1) * window.stride + (window.kernel - 1) * window.dilation + 1
    return window.before, max(0, reach - window.size - window.before)
