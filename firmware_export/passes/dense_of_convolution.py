"""A convolution whose window sees the whole image at once is a matrix times a vector."""

from __future__ import annotations

import dataclasses

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import constant, option_text
from firmware_export.ops.window import axes
from firmware_export.passes.edit import Draft


def dense_of_convolution(graph: Graph) -> Graph:
    """Turn convolutions with a single output pixel into FULLY_CONNECTED, which can add up an image row by row.

    1. CONV_2D whose window covers the whole image and nothing else, one tap for each pixel, becomes FULLY_CONNECTED
       with the same weights as ``[out, height * width * in]``.
    2. Scales, bias and fused activation stay: both operators compute sums and factors alike.
    3. Not with padding, nor where the window leaves out pixels, nor in groups of channels.
    """
    draft = Draft(graph)
    for node in graph.nodes:
        if node.op == "CONV_2D" and not node.custom and _sees_all(graph, node):
            weights = graph.tensors[node.inputs[1]]
            matrix = draft.add_constant(weights, constant(weights).reshape(weights.shape[0], -1))
            options = {"fused_activation_function": option_text(node, "fused_activation_function")}
            inputs = (node.inputs[0], matrix.index, *node.inputs[2:])
            draft.replace(node, dataclasses.replace(node, op="FULLY_CONNECTED", inputs=inputs, options=options))
    return draft.done()


def _sees_all(graph: Graph, node: Node) -> bool:
    image, weights = graph.tensors[node.inputs[0]].shape, graph.tensors[node.inputs[1]].shape
    windows = axes(graph, node, image, weights[1:3])
    covering = all((window.out, window.before, window.kernel) == (1, 0, window.size) for window in windows)
    return covering and weights[3] == image[3] and all(window.kernel == 1 or window.dilation == 1 for window in windows)
