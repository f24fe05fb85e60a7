"""RESIZE_NEAREST_NEIGHBOR, int8: each output pixel is the nearest input pixel.

Which one is nearest is a matter of float32 rounding in TFLite Micro (``GetNearestNeighbor``); the compiler repeats that
arithmetic, and the kernel gets a table of columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import Array, Layer, Read
from firmware_export.ops.base import Inputs, Lowering, Op
from firmware_export.ops.resize import check_resize, flags, over_batches


def nearest(size: int, out: int, align_corners: bool, half_pixel_centers: bool) -> NDArray[np.int64]:
    """The input position of each of ``out`` output positions, in the float32 arithmetic of TFLite Micro."""
    scale = np.float32(size) / np.float32(out)
    if align_corners and out > 1:
        scale = np.float32(size - 1) / np.float32(out - 1)
    offset = np.float32(0.5 if half_pixel_centers else 0.0)
    positions = (np.arange(out).astype(np.float32) + offset) * scale
    if align_corners:
        # std::round of a float that is not negative; the double holds the sum with a half exactly.
        positions = np.floor(positions.astype(np.float64) + 0.5)
    found: NDArray[np.int64] = np.floor(positions).astype(np.int64)
    return np.clip(found, 0, size - 1)


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8 with four dimensions and a constant size."""
    check_resize(graph, node)


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The resized ``[B, H, W, C]``."""
    image = inputs[0]
    assert image is not None
    _, height, width, _ = graph.tensors[node.outputs[0]].shape
    align, half = flags(node)
    return (image[:, nearest(image.shape[1], height, align, half)][:, :, nearest(image.shape[2], width, align, half)],)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer: a row of the output from one row of the input; none where every pixel stays."""
    batches, in_height, in_width, channels = lowering.graph.tensors[node.inputs[0]].shape
    _, height, width, _ = lowering.graph.tensors[node.outputs[0]].shape
    align, half = flags(node)
    rows = tuple(int(row) for row in nearest(in_height, height, align, half))
    columns = nearest(in_width, width, align, half)
    if rows == tuple(range(in_height)) and columns.tolist() == list(range(in_width)):
        lowering.alias(node.inputs[0], node.outputs[0])
        return
    output = lowering.output(node.outputs[0], batches * height, width * channels)
    lowering.add(
        Layer(
            op=node.op,
            node=node.index,
            kernel="resize_nearest_neighbor",
            function="resize_nearest_neighbor",
            reads=(
                Read(
                    lowering.value(node.inputs[0]).index, in_width * channels, over_batches(rows, batches, in_height)
                ),
            ),
            output=output.index,
            rows=batches * height,
            row_bytes=width * channels,
            steps=batches * height,
            fields={
                "columns": Array(columns.astype(np.int16), "[out_width]: the input pixel of each", is_weights=False),
                "out_width": width,
                "channels": channels,
            },
        )
    )


OP = Op("RESIZE_NEAREST_NEIGHBOR", check, reference, lower)
