"""PADV2: a border of one value around a tensor; see ``pad``. The value is a constant, quantized as the output is."""

from __future__ import annotations

from firmware_export.graph import Graph, Node
from firmware_export.ops import pad
from firmware_export.ops.base import Op, need_input


def check(graph: Graph, node: Node) -> None:
    """Refuse what PAD refuses, and a missing value."""
    need_input(graph, node, pad.VALUE, "pad value")
    pad.check(graph, node)


OP = Op("PADV2", check, pad.reference, pad.lower)
