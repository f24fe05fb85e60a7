"""BATCH_TO_SPACE_ND: a batch of images is woven into one, the way back of SPACE_TO_BATCH_ND. int8, int32, float32."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import Layer, Read
from firmware_export.ops.base import Inputs, Lowering, Op, need_rank, refuse
from firmware_export.ops.movement import DAMAGED, element_bytes, need_data, need_operands, need_output
from firmware_export.ops.space_to_batch_nd import blocks_of, image_of

FUNCTIONS = {"int8": "batch_to_space_nd", "int32": "batch_to_space_nd_int32", "float32": "batch_to_space_nd_float"}
"""The kernel's function for each element type."""


def check(graph: Graph, node: Node) -> None:
    """Refuse other types and ranks, and batches that the blocks do not divide."""
    need_operands(graph, node, 3)
    source = need_data(graph, node)
    need_rank(graph, node, source, "an input", 3, 4)
    blocks = blocks_of(graph, node)
    batch, height, width, channels = image_of(source.shape)
    if batch % (blocks.height * blocks.width):
        found = f"a batch of {batch} for blocks of {blocks.height}x{blocks.width}"
        refuse(graph, node, found, "blocks that divide the batch", DAMAGED)
    top, bottom, left, right = blocks.borders
    rows, columns = height * blocks.height - top - bottom, width * blocks.width - left - right
    image = (rows, columns)[: len(source.shape) - 2]
    need_output(graph, node, source, (batch // (blocks.height * blocks.width), *image, channels))


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The woven image."""
    values = inputs[0]
    assert values is not None
    blocks = blocks_of(graph, node)
    _, height, width, channels = image_of(values.shape)
    parts = values.reshape(blocks.height, blocks.width, -1, height, width, channels)
    woven = parts.transpose(2, 3, 0, 4, 1, 5).reshape(-1, height * blocks.height, width * blocks.width, channels)
    top, bottom, left, right = blocks.borders
    image = woven[:, top : woven.shape[1] - bottom, left : woven.shape[2] - right]
    return (image.reshape(graph.tensors[node.outputs[0]].shape),)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer: each row of the large image comes from a row of as many small ones as a block has columns."""
    graph = lowering.graph
    blocks = blocks_of(graph, node)
    if blocks.nothing:
        lowering.alias(node.inputs[0], node.outputs[0])
        return
    source, output = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    _, height, width, channels = image_of(source.shape)
    images, rows, columns, _ = image_of(output.shape)
    top, _, left, _ = blocks.borders
    starts = []
    for image in range(images):
        for row in range(rows):
            y = row + top
            first = y % blocks.height * blocks.width * images + image    # the small image of the block's first column
            starts.append(first * height + y // blocks.height)
    pixel = channels * element_bytes(source)
    target = lowering.output(output.index, images * rows, columns * pixel)
    value = lowering.value(source.index).index
    lowering.add(
        Layer(
            op=node.op,
            node=node.index,
            kernel="batch_to_space_nd",
            function=FUNCTIONS[output.dtype],
            reads=(Read(value, width * pixel, tuple(starts), blocks.width, images * height),),
            output=target.index,
            rows=images * rows,
            row_bytes=columns * pixel,
            steps=images * rows,
            fields={
                "out_width": columns,
                "pixel": pixel,
                "block_w": blocks.width,
                "crop_left": left,
            },
            one_list=True,
        )
    )


OP = Op("BATCH_TO_SPACE_ND", check, reference, lower)
