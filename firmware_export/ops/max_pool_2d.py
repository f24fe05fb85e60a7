"""MAX_POOL_2D: int8 or int16, any window, stride and padding. Nothing is requantized; padding does not take part."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Inputs, Lowering, Op
from firmware_export.ops.movement import element_bytes
from firmware_export.ops.pooling import check, lower_pool, pool_axes
from firmware_export.ops.requantize import fused_range
from firmware_export.ops.window import padded, windows

KERNELS = {"int8": "max_pool_2d", "int16": "max_pool_2d_int16"}


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The largest value of each window of ``[1, H, W, C]``."""
    image = inputs[0]
    assert image is not None
    vertical, horizontal = pool_axes(graph, node, graph.tensors[node.inputs[0]])
    lowest = np.iinfo(image.dtype).min
    largest = np.full((vertical.out, horizontal.out, image.shape[3]), lowest, image.dtype)
    for _, taps in windows(padded(image[0], vertical, horizontal, lowest), vertical, horizontal):
        np.maximum(largest, taps, out=largest)
    low, high = fused_range(graph, node)
    return (np.clip(largest, low, high).astype(image.dtype)[np.newaxis],)


def lower(lowering: Lowering, node: Node) -> None:
    """A row of the output from ``kernel_h`` rows of the input."""
    lower_pool(lowering, node, KERNELS, element_bytes(lowering.graph.tensors[node.inputs[0]]))


OP = Op("MAX_POOL_2D", check, reference, lower)
