"""RESHAPE: the same elements under another shape. Nothing moves.

The output tensor's own shape counts, as in TFLite Micro: the one that converters write beside it (as an option, as a
second input, both, or neither) may hold a -1, or be computed at run time.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import C_TYPES
from firmware_export.ops.base import Inputs, Op, input_tensor, need_dtype, need_input, output_tensor, refuse
from firmware_export.ops.movement import DAMAGED, need_elements


def check_alias(graph: Graph, node: Node) -> None:
    """Refuse an output that is not the input's elements one by one."""
    source = need_input(graph, node, 0, "input")
    output = output_tensor(graph, node)
    need_dtype(graph, node, source, "an input", *C_TYPES)
    need_dtype(graph, node, output, "an output", source.dtype)
    need_elements(graph, node, source, "an input")
    if output.size != source.size:
        found = f"an output of {list(output.shape)} for an input of {list(source.shape)}"
        refuse(graph, node, found, "as many elements", DAMAGED)


def check(graph: Graph, node: Node) -> None:
    """Refuse another number of elements."""
    if not 1 <= len(node.inputs) <= 2 or len(node.outputs) != 1:
        refuse(graph, node, f"{len(node.inputs)} inputs and {len(node.outputs)} outputs", "1 or 2 and 1", DAMAGED)
    check_alias(graph, node)
    shape = input_tensor(graph, node, 1)
    if shape is not None:
        need_dtype(graph, node, shape, "a shape", "int32", "int64")


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The input in the output's shape."""
    values = inputs[0]
    assert values is not None
    return (values.reshape(graph.tensors[node.outputs[0]].shape),)


OP = Op("RESHAPE", check, reference, None, alias=True)
