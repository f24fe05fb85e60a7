"""What is asked of a network as a whole: ends that can be C arrays, shapes that are known, sizes that fit somewhere."""

from __future__ import annotations

from math import prod

from firmware_export.errors import ModelError
from firmware_export.graph import Graph, Tensor

MAX_BYTES = 1 << 26
"""Of a tensor that is computed: 64 MiB, more than any microcontroller addresses, and far from the ends of int32."""

MAX_ROWS = 1 << 18
"""Of such a tensor: sixteen seconds of sound, sample by sample."""

MAX_NODES = 500
"""Nodes, and tensors that they compute. More than networks for microcontrollers have; planning takes time that grows
with the square."""

MAX_ROWS_TOGETHER = 1 << 20
"""Rows that all nodes together read and write: each is a step of the plan, and of its proof."""

MAX_ARENA = (1 << 31) - 1


def check_bounds(graph: Graph) -> None:
    """Refuse a network that no call with arrays of fixed size can stand for.

    Raises:
        ModelError: It has no inputs or no outputs, an input that is constant or stands there twice, an input of
            unknown size (a batch of unknown size is a batch of 1), more than ``MAX_NODES`` or
            ``MAX_ROWS_TOGETHER``, a variable, or a tensor beyond ``MAX_BYTES`` or ``MAX_ROWS``.
    """
    for indices, what in ((graph.inputs, "input"), (graph.outputs, "output")):
        if not indices:
            raise ModelError(f"{graph.name}: the network has no {what} (supported: one or more). Convert it again.")
    for position, index in enumerate(graph.inputs):
        tensor = graph.tensors[index]
        if tensor.is_constant or index in graph.inputs[:position]:
            found = "is constant" if tensor.is_constant else "stands there twice"
            raise ModelError(f"{graph.name}: input {position}, {tensor}, {found}. The file is damaged: convert again.")
        if not _known(tensor):
            shape = list(tensor.shape_signature)
            raise ModelError(
                f"{graph.name}: input {position}, {tensor}, has the shape {shape} (supported: sizes that are known; "
                "the batch may be -1, which is 1). Convert with a fixed input shape."
            )
    if len(graph.nodes) > MAX_NODES:
        raise ModelError(f"{graph.name}: it has {len(graph.nodes)} nodes (supported: at most {MAX_NODES}).")
    computed = sum(len(node.outputs) for node in graph.nodes)
    if computed > MAX_NODES:
        raise ModelError(f"{graph.name}: its nodes have {computed} outputs (supported: at most {MAX_NODES} together).")
    for tensor in graph.tensors:
        if tensor.is_variable:
            raise ModelError(
                f"{graph.name}: {tensor} is a variable: state that outlives an inference is not supported (supported: "
                "networks whose outputs follow from their inputs)."
            )
        if tensor.is_constant:
            continue
        rows = _rows(tensor)
        if tensor.nbytes > MAX_BYTES or rows > MAX_ROWS or tensor.size > MAX_BYTES:
            raise ModelError(
                f"{graph.name}: {tensor} has {tensor.nbytes} bytes in {rows} rows (supported: at most {MAX_BYTES} "
                f"bytes, {MAX_ROWS} rows). Make the input smaller."
            )
    together = 0
    for node in graph.nodes:
        made = [_rows(graph.tensors[index]) for index in node.outputs]
        read = [graph.tensors[index] for index in node.inputs if index >= 0]
        longest = max(made, default=1)
        together += sum(made) + sum(max(longest, _rows(tensor)) for tensor in read if not tensor.is_constant)
    if together > MAX_ROWS_TOGETHER:
        raise ModelError(
            f"{graph.name}: its nodes read and write {together} rows (supported: at most {MAX_ROWS_TOGETHER}). Make "
            "the input smaller, or reduce it by a stride in an early layer."
        )


def _rows(tensor: Tensor) -> int:
    """Rows of the tensor as layers see it."""
    return prod(tensor.shape[: min(2, len(tensor.shape) - 1)]) if len(tensor.shape) > 1 else 1


def _known(tensor: Tensor) -> bool:
    return all(
        size >= 0 or (place == 0 and tensor.shape[0] == 1) for place, size in enumerate(tensor.shape_signature)
    )


def check_arena(graph: Graph, size: int) -> None:
    """Refuse an arena that int32 does not reach across."""
    if size > MAX_ARENA:
        raise ModelError(
            f"{graph.name}: it needs {size} bytes of memory (supported: at most {MAX_ARENA}). Make the input smaller."
        )
