"""The first layer that computes something else than it should."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn.mcu.running import Row
from firmware_export.compiler import Compiled
from firmware_export.emit.names import names_of


@dataclass(frozen=True)
class Difference:
    """Where the first layer differs, in the first row of it that was written wrong.

    Attributes:
        node: The graph's node: ``node 7 CONV_2D 'block2/conv'``.
        layer: The layer's name in the C text: ``conv_2d_3``.
        at: Place in the tensor's own dimensions, the batch included.
        expected: The element there as it should be.
        found: As it is.
        wrong: Elements of the whole tensor that differ.
        elements: Elements of the tensor.
    """

    node: str
    layer: str
    at: tuple[int, ...]
    expected: int | float
    found: int | float
    wrong: int
    elements: int

    def __str__(self) -> str:
        if len(self.at) == 4:
            _, row, column, channel = self.at
            place = f"row {row}, column {column}, channel {channel}"
        else:
            place = f"element [{', '.join(map(str, self.at))}]"
        return (
            f"first layer that differs: {self.node} ({self.layer} in the C text), {self.wrong} of {self.elements} "
            f"elements; {place}: expected {self.expected}, got {self.found}"
        )


def first_difference(
    compiled: Compiled, rows: Sequence[Row], tensors: Mapping[int, NDArray[np.generic]]
) -> Difference | None:
    """Compare what layers wrote with what they should have written.

    The layers stand in an order in which they can run, so that all inputs of the first one that differs are right.

    Args:
        compiled: The network.
        rows: What the layers wrote, in that order.
        tensors: What is right, by the graph's tensor; a layer whose tensor is not among them is not judged.

    Returns:
        None where nothing differs.
    """
    program = compiled.plan.program
    wrong: dict[int, list[tuple[Row, NDArray[np.intp]]]] = {}
    for row in rows:
        value = program.values[program.layers[row.layer].output]
        right = tensors.get(value.tensor)
        if right is None or right.nbytes != value.nbytes:
            continue
        expected = right.reshape(-1).view(np.uint8)[row.y * value.row_bytes :][: len(row.data)].view(right.dtype)
        places = np.flatnonzero(expected.view(np.uint8) != np.frombuffer(row.data, np.uint8)) // right.itemsize
        if len(places):
            start = row.y * value.row_bytes // right.itemsize
            wrong.setdefault(row.layer, []).append((row, np.unique(places) + start))
    if not wrong:
        return None
    index = min(wrong)
    layer = program.layers[index]
    value = program.values[layer.output]
    right = tensors[value.tensor]
    row, places = wrong[index][0]
    at = int(places[0])
    found = np.frombuffer(row.data, right.dtype)[at - row.y * value.row_bytes // right.itemsize]
    graph = compiled.graph
    return Difference(
        node=graph.node_label(graph.nodes[layer.node]) if layer.node >= 0 else f"{layer.op} '{value.name}'",
        layer=names_of(program).layers[index],
        at=tuple(int(number) for number in np.unravel_index(at, right.shape)),
        expected=right.reshape(-1)[at].item(),
        found=found.item(),
        wrong=sum(len(one) for _, one in wrong[index]),
        elements=right.size,
    )
