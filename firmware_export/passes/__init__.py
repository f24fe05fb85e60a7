"""Graph to graph: each pass is one function in a module of its name, with its rules in its docstring.

A pass gives back the very same object when it changes nothing, never changes a bit of what the network computes, and
leaves a graph that ``graph.verify`` takes. Nodes keep the index that they have in the file, so that messages and
reports name the file's nodes; a node that stands for several has the index of one of them, and one that comes in
between a number beyond the file's. Tensors keep their place, and one that is still written holds the same bytes as in
the file.

``PREPARATIONS`` run on the graph as it was read, before the operators check it: what they remove never has to be
supported. They must not fail whatever a damaged file holds, and leave alone what they do not understand. ``PASSES``
run after the check.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from firmware_export.graph import Graph, verify
from firmware_export.passes.columns_to_rows import columns_to_rows
from firmware_export.passes.dense_of_convolution import dense_of_convolution
from firmware_export.passes.fold_constants import fold_constants
from firmware_export.passes.fold_dilation import fold_dilation
from firmware_export.passes.fold_pad import fold_pad
from firmware_export.passes.remove_dead import remove_dead
from firmware_export.passes.remove_identity import remove_identity

Pass = Callable[[Graph], Graph]

PREPARATIONS: tuple[Pass, ...] = (fold_constants, fold_dilation, remove_dead)
"""Before the check, in this order."""

PASSES: tuple[Pass, ...] = (remove_identity, fold_pad, dense_of_convolution, columns_to_rows, remove_dead)
"""After the check, in this order."""


def prepare(graph: Graph) -> Graph:
    """The preparations, each once."""
    return _run(graph, PREPARATIONS)


def run_passes(graph: Graph) -> Graph:
    """The passes, each once."""
    return _run(graph, PASSES)


def _run(graph: Graph, passes: Sequence[Pass]) -> Graph:
    for apply in passes:
        changed = apply(graph)
        if changed is not graph:
            verify(changed)
        graph = changed
    return graph
