"""The layer that an operator would make for the portable kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_export.graph import Graph, Node
from firmware_export.layer import Layer, Value
from firmware_export.ops.base import Lowering


@dataclass
class _Keeping:
    """A ``Lowering`` that keeps layers instead of appending them."""

    lowering: Lowering
    graph: Graph
    layers: list[Layer] = field(default_factory=list)

    def value(self, tensor: int) -> Value:
        return self.lowering.value(tensor)

    def output(self, tensor: int, rows: int, row_bytes: int) -> Value:
        return self.lowering.output(tensor, rows, row_bytes)

    def alias(self, source: int, target: int) -> None:
        self.lowering.alias(source, target)

    def add(self, *forms: Layer) -> None:
        self.layers.append(forms[0])


def portable_layer(lowering: Lowering, node: Node, lower: Callable[[Lowering, Node], None]) -> Layer:
    """The one layer that ``lower``, an operator's, makes of a node; its fastest form."""
    keeping = _Keeping(lowering, lowering.graph)
    lower(keeping, node)
    (layer,) = keeping.layers
    return layer
