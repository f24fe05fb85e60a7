"""SPACE_TO_BATCH_ND: the pixels of each place in a block become an image of the batch. int8, int32, float32; NHC, NHWC.

Converters put it in front of a convolution, and BATCH_TO_SPACE_ND behind it, in place of a dilation. The border is the
output's zero point, as in TFLite. **TFLite Micro fills it with whatever its memory held** (it never sets the pad value:
issue 1646 of tflite-micro), so that only nodes without padding can be compared with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import Layer, Read
from firmware_export.ops.base import Inputs, Lowering, Op, need_rank, refuse
from firmware_export.ops.movement import (
    DAMAGED,
    NO_ROW,
    element_bytes,
    first_quant,
    need_data,
    need_numbers,
    need_operands,
    need_output,
)

BLOCK, BORDERS = 1, 2
"""Positions of the inputs; the borders are paddings here and crops in BATCH_TO_SPACE_ND."""


@dataclass(frozen=True)
class Blocks:
    """How an image and a batch of smaller ones belong together.

    Attributes:
        height: Rows from one of an image's to the next.
        width: Columns.
        borders: Rows and columns beside the image: above, below, left, right.
    """

    height: int
    width: int
    borders: tuple[int, int, int, int]

    @property
    def nothing(self) -> bool:
        """Whether batch and image are the same."""
        return self.height * self.width == 1 and not any(self.borders)


def blocks_of(graph: Graph, node: Node) -> Blocks:
    """The operands; an input without a width has one column.

    Raises:
        ModelError: They are not known before the network runs, or not positive.
    """
    axes = len(graph.tensors[node.inputs[0]].shape) - 2
    block = need_numbers(graph, node, BLOCK, "block shape", axes)
    borders = need_numbers(graph, node, BORDERS, "borders tensor", 2 * axes)
    if min(block) < 1 or min(borders) < 0:
        found = f"blocks of {list(block)} with the borders {list(borders)}"
        refuse(graph, node, found, "blocks above 0 and borders that are not negative", DAMAGED)
    height, width = (*block, 1)[:2]
    top, bottom, left, right = (*borders, 0, 0)[:4]
    return Blocks(height, width, (top, bottom, left, right))


def check(graph: Graph, node: Node) -> None:
    """Refuse other types and ranks, and images that the blocks do not divide."""
    need_operands(graph, node, 3)
    source = need_data(graph, node)
    need_rank(graph, node, source, "an input", 3, 4)
    blocks = blocks_of(graph, node)
    batch, height, *columns, channels = source.shape
    top, bottom, left, right = blocks.borders
    rows, width = top + height + bottom, left + (columns or [1])[0] + right
    if rows % blocks.height or width % blocks.width:
        found = f"blocks of {blocks.height}x{blocks.width} in {rows}x{width} with padding"
        refuse(graph, node, found, "blocks that divide the padded image", DAMAGED)
    image = (rows // blocks.height, width // blocks.width)[: 1 + len(columns)]
    output = need_output(graph, node, source, (batch * blocks.height * blocks.width, *image, channels))
    if source.dtype == "int8" and not -128 <= first_quant(output)[1] <= 127:
        refuse(graph, node, f"an output with the zero point {first_quant(output)[1]}", "-128 to 127")


def image_of(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """NHC or NHWC as NHWC."""
    batch, height, *columns, channels = shape
    return batch, height, (columns or [1])[0], channels


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The batch of smaller images."""
    values = inputs[0]
    assert values is not None
    blocks, output = blocks_of(graph, node), graph.tensors[node.outputs[0]]
    top, bottom, left, right = blocks.borders
    fill = first_quant(output)[1] if output.dtype == "int8" else 0
    image = values.reshape(image_of(values.shape))
    padded = np.pad(image, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    places = [(y, x) for y in range(blocks.height) for x in range(blocks.width)]
    parts = [padded[:, y :: blocks.height, x :: blocks.width] for y, x in places]
    return (np.concatenate(parts).reshape(output.shape),)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer: each row of a small image comes from one row of a large one, or from none."""
    graph = lowering.graph
    blocks = blocks_of(graph, node)
    if blocks.nothing:
        lowering.alias(node.inputs[0], node.outputs[0])
        return
    source, output = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    batch, height, width, channels = image_of(source.shape)
    images, rows, columns, _ = image_of(output.shape)
    top, _, left, _ = blocks.borders
    starts = []
    for image in range(images):
        for row in range(rows):
            y = row * blocks.height + image // batch // blocks.width - top
            starts.append(image % batch * height + y if 0 <= y < height else NO_ROW)
    pixel = channels * element_bytes(source)
    target = lowering.output(output.index, images * rows, columns * pixel)
    lowering.add(
        Layer(
            op=node.op,
            node=node.index,
            kernel="space_to_batch_nd",
            function="space_to_batch_nd",
            reads=(Read(lowering.value(source.index).index, width * pixel, tuple(starts)),),
            output=target.index,
            rows=images * rows,
            row_bytes=columns * pixel,
            steps=images * rows,
            fields={
                "in_width": width,
                "out_width": columns,
                "pixel": pixel,
                "block_w": blocks.width,
                "pad_left": left,
                "rows": batch * rows,
                "fill": first_quant(output)[1] if output.dtype == "int8" else 0,
            },
            takes_row=True,
        )
    )


OP = Op("SPACE_TO_BATCH_ND", check, reference, lower)
