"""DEPTH_TO_SPACE: the channels of a pixel become a block of pixels. int8, int32, float32 (TFLite Micro: no int32)."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Inputs, Lowering, Op, need_rank, option_int, refuse
from firmware_export.ops.movement import DAMAGED, need_data, need_operands, need_output
from firmware_export.ops.strided_copy import Walk, lower_walk


def block_size(graph: Graph, node: Node) -> int:
    """Height and width of a block.

    Raises:
        ModelError: It is not above 0.
    """
    size = option_int(node, "block_size")
    if size < 1:
        refuse(graph, node, f"a block size of {size}", "sizes above 0", DAMAGED)
    return size


def check(graph: Graph, node: Node) -> None:
    """Refuse other types and ranks, and channels that do not make up blocks."""
    need_operands(graph, node, 1)
    source = need_data(graph, node)
    need_rank(graph, node, source, "an input", 4)
    block = block_size(graph, node)
    batch, height, width, channels = source.shape
    if channels % (block * block):
        refuse(graph, node, f"{channels} channels for blocks of {block}x{block}", "as many as blocks need", DAMAGED)
    need_output(graph, node, source, (batch, height * block, width * block, channels // (block * block)))


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The larger image."""
    values = inputs[0]
    assert values is not None
    block = block_size(graph, node)
    batch, height, width, _ = values.shape
    pixels = values.reshape(batch, height, width, block, block, -1).transpose(0, 1, 3, 2, 4, 5)
    return (pixels.reshape(graph.tensors[node.outputs[0]].shape),)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer: all rows of a block come from one row of the input, in one step."""
    graph = lowering.graph
    block = block_size(graph, node)
    batch, height, width, channels = graph.tensors[node.inputs[0]].shape
    line = channels // block    # what a pixel gives to a row
    counts, steps = (batch * height, block, width, line), (width * channels, line, channels, 1)
    lower_walk(lowering, node, node.inputs[0], node.outputs[0], Walk(counts, steps, 0, 1), width * channels)


OP = Op("DEPTH_TO_SPACE", check, reference, lower)
