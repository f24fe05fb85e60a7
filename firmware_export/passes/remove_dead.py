"""Nodes that change nothing."""

from __future__ import annotations

from firmware_export.graph import Graph
from firmware_export.passes.edit import Draft


def remove_dead(graph: Graph) -> Graph:
    """Remove every node whose results nobody reads.

    1. A result is read when it is an output of the graph or an input of a node that stays.
    2. Chains vanish from their end.
    3. A node that writes a variable, or has no outputs at all, stays: what it does is not seen in what it writes.
    """
    needed = set(graph.outputs)
    draft = Draft(graph)
    for node in reversed(graph.nodes):
        effect = not node.outputs or any(tensor.is_variable for tensor in graph.present(node.outputs))
        if effect or needed.intersection(node.outputs):
            needed.update(node.inputs)
        else:
            draft.replace(node)
    return draft.done()
