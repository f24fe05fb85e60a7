"""SPACE_TO_DEPTH: a block of pixels becomes the channels of one. int8, int32 and float32 (TFLite Micro: no int32)."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Inputs, Lowering, Op, need_rank, refuse
from firmware_export.ops.depth_to_space import block_size
from firmware_export.ops.movement import DAMAGED, need_data, need_operands, need_output
from firmware_export.ops.strided_copy import Walk, lower_walk


def check(graph: Graph, node: Node) -> None:
    """Refuse other types and ranks, and images that blocks do not divide."""
    need_operands(graph, node, 1)
    source = need_data(graph, node)
    need_rank(graph, node, source, "an input", 4)
    block = block_size(graph, node)
    batch, height, width, channels = source.shape
    if height % block or width % block:
        refuse(graph, node, f"blocks of {block}x{block} in {height}x{width}", "blocks that divide the image", DAMAGED)
    need_output(graph, node, source, (batch, height // block, width // block, channels * block * block))


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The smaller image."""
    values = inputs[0]
    assert values is not None
    block = block_size(graph, node)
    batch, height, width, channels = values.shape
    blocks = values.reshape(batch, height // block, block, width // block, block, channels).transpose(0, 1, 3, 2, 4, 5)
    return (blocks.reshape(graph.tensors[node.outputs[0]].shape),)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer: a row comes from the rows of a block, which it sees as one."""
    graph = lowering.graph
    block = block_size(graph, node)
    batch, height, width, channels = graph.tensors[node.inputs[0]].shape
    line, row = block * channels, block * width * channels    # what a block takes of a row, all rows of a block
    counts = (batch * height // block, width // block, block, line)
    walk = Walk(counts, (row, line, width * channels, 1), 0, 1)
    lower_walk(lowering, node, node.inputs[0], node.outputs[0], walk, row)


OP = Op("SPACE_TO_DEPTH", check, reference, lower)
