"""AVERAGE_POOL_2D: int8 or int16, any window, stride and padding.

Nothing is requantized. The sum of the pixels inside the image is divided by their number, half away from zero (TFLite
Micro ``reference_integer_ops::AveragePool``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Inputs, Lowering, Op
from firmware_export.ops.pooling import check, lower_pool, pool_axes
from firmware_export.ops.requantize import fused_range
from firmware_export.ops.window import padded, windows

KERNELS = {"int8": "average_pool_2d", "int16": "average_pool_2d_int16"}


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The mean of each window of ``[1, H, W, C]``."""
    image = inputs[0]
    assert image is not None
    vertical, horizontal = pool_axes(graph, node, graph.tensors[node.inputs[0]])
    sums = np.zeros((vertical.out, horizontal.out, image.shape[3]), np.int64)
    counts = np.zeros((vertical.out, horizontal.out, 1), np.int64)
    inside = padded(np.ones((*image.shape[1:3], 1), np.int64), vertical, horizontal)
    for _, taps in windows(padded(image[0].astype(np.int64), vertical, horizontal), vertical, horizontal):
        sums += taps
    for _, taps in windows(inside, vertical, horizontal):
        counts += taps
    means = np.sign(sums) * ((np.abs(sums) + counts // 2) // counts)
    return (np.clip(means, *fused_range(graph, node)).astype(image.dtype)[np.newaxis],)


def lower(lowering: Lowering, node: Node) -> None:
    """A row of the output from ``kernel_h`` rows of the input; a single row also from sums."""
    lower_pool(lowering, node, KERNELS, bytes_per_sum=4)


OP = Op("AVERAGE_POOL_2D", check, reference, lower)
