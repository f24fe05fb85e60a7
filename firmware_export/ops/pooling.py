"""What MAX_POOL_2D and AVERAGE_POOL_2D share: what is refused, and their layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from firmware_export.graph import Graph, Node, Tensor
from firmware_export.layer import Layer, Read, rows_of
from firmware_export.ops.base import (
    Lowering,
    need_batch_1,
    need_input,
    need_quantized,
    need_rank,
    option_int,
    output_tensor,
    refuse,
)
from firmware_export.ops.movement import element_bytes
from firmware_export.ops.requantize import fused_range
from firmware_export.ops.window import EXPLICIT_PADDING, Axis, axes

LARGEST_SCALE_DIFFERENCE = 1e-6
"""Between input and output (TFLite Micro ``PoolingPrepare``)."""

LARGEST_AREA = {"int8": 1 << 24, "int16": 1 << 15}
"""Of a window: its sum, and half the area, stay within int32."""


def pool_axes(graph: Graph, node: Node, image: Tensor) -> tuple[Axis, Axis]:
    """The vertical and the horizontal axis of a pool."""
    kernel = option_int(node, "filter_height"), option_int(node, "filter_width")
    options = {name: value for name, value in node.options.items() if name in _WINDOW_OPTIONS}
    return axes(graph, replace(node, options=options), image.shape, kernel)


_WINDOW_OPTIONS = frozenset(["padding", "stride_h", "stride_w"])


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8 or int16, not batch 1, or would have to be requantized."""
    image, output = need_input(graph, node, 0, "input"), output_tensor(graph, node)
    quant = need_quantized(graph, node, image, "an input")
    out_quant = need_quantized(graph, node, output, "an output", image)
    need_rank(graph, node, image, "an input", 4)
    need_batch_1(graph, node, image, "an input")
    if EXPLICIT_PADDING in node.options:
        refuse(graph, node, "explicit padding", "SAME, VALID")
    difference = abs(np.float32(quant.scale[0]) - np.float32(out_quant.scale[0]))
    if quant.zero_point != out_quant.zero_point or not difference <= LARGEST_SCALE_DIFFERENCE:
        refuse(graph, node, "an output with another scale or zero point than the input", "the same for both")
    fused_range(graph, node)
    vertical, horizontal = pool_axes(graph, node, image)
    expected = (1, vertical.out, horizontal.out, image.shape[3])
    if output.shape != expected or not output.size:
        refuse(graph, node, f"an output of {list(output.shape)}", f"{list(expected)} here", "The file is damaged.")
    largest = LARGEST_AREA[image.dtype]
    if min(vertical.kernel, vertical.size) * min(horizontal.kernel, horizontal.size) >= largest:
        refuse(graph, node, f"a window of {vertical.kernel}x{horizontal.kernel}", f"below {largest} pixels")


def lower_pool(lowering: Lowering, node: Node, kernels: Mapping[str, str], bytes_per_sum: int) -> None:
    """A row of the output from ``kernel_h`` rows of the input; a single row also by adding up.

    Args:
        lowering: The program so far.
        node: A pool.
        kernels: Stem of the kernel for each type; ``<stem>_accumulate`` is its function for a single output row.
        bytes_per_sum: What it keeps for each output meanwhile.
    """
    graph = lowering.graph
    image = graph.tensors[node.inputs[0]]
    kernel = kernels[image.dtype]
    vertical, horizontal = pool_axes(graph, node, image)
    channels, element = image.shape[3], element_bytes(image)
    low, high = fused_range(graph, node)
    row_bytes = horizontal.out * channels * element
    in_bytes = rows_of(image.shape)[1] * element
    value = lowering.value(image.index).index
    rows_seen = min(vertical.size, vertical.kernel - vertical.before)    # by the first window
    layer = Layer(
        op=node.op,
        node=node.index,
        kernel=kernel,
        function=kernel,
        reads=(vertical.read(value, in_bytes),),
        output=lowering.output(node.outputs[0], vertical.out, row_bytes).index,
        rows=vertical.out,
        row_bytes=row_bytes,
        steps=vertical.out,
        fields={
            "in_width": image.shape[2],
            "channels": channels,
            "out_width": horizontal.out,
            "kernel_h": vertical.kernel,
            "kernel_w": horizontal.kernel,
            "stride_w": horizontal.stride,
            "pad_left": horizontal.before,
            "steps": rows_seen,
            "low": low,
            "high": high,
        },
        one_list=True,
    )
    if vertical.out == 1 and rows_seen > 1:
        accumulating = replace(
            layer,
            function=f"{kernel}_accumulate",
            reads=(Read(value, in_bytes, tuple(range(rows_seen))),),
            steps=rows_seen,
            sums_bytes=bytes_per_sum * horizontal.out * channels,
            takes_row=True,
            one_list=False,
        )
        layer = replace(layer, accumulating=accumulating)
    lowering.add(layer)
