"""What MAXIMUM and MINIMUM share: bytes are compared as they are.

TFLite Micro never looks at the scales (``maximum_minimum.cc``); converters write the same one for operands and output.
"""

from __future__ import annotations

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import need_dtype, need_input, output_tensor
from firmware_export.ops.elementwise import check_binary


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8 that broadcasts."""
    check_binary(graph, node)
    for position in (0, 1):
        need_dtype(graph, node, need_input(graph, node, position, "operand"), "an operand", "int8")
    need_dtype(graph, node, output_tensor(graph, node), "an output", "int8")
