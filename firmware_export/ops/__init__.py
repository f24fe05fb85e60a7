"""The operators: one module each, named like its kernel. ``OPS`` is the table of all of them."""

from __future__ import annotations

from collections.abc import Mapping

from firmware_export.errors import ModelError
from firmware_export.graph import Graph
from firmware_export.ops import (
    add,
    average_pool_2d,
    batch_to_space_nd,
    broadcast_to,
    concatenation,
    conv_2d,
    depth_to_space,
    depthwise_conv_2d,
    dequantize,
    expand_dims,
    fully_connected,
    gather,
    hard_swish,
    leaky_relu,
    logistic,
    max_pool_2d,
    maximum,
    mean,
    minimum,
    mirror_pad,
    mul,
    pack,
    pad,
    padv2,
    prelu,
    quantize,
    reduce_max,
    reduce_min,
    relu,
    relu6,
    relu_n1_to_1,
    reshape,
    resize_bilinear,
    resize_nearest_neighbor,
    reverse_v2,
    slice,
    softmax,
    space_to_batch_nd,
    space_to_depth,
    split,
    split_v,
    squeeze,
    strided_slice,
    sub,
    sum,
    tanh,
    tile,
    transpose,
    transpose_conv,
    unpack,
)
from firmware_export.ops.base import Op

_OPS: tuple[Op, ...] = (
    add.OP,
    average_pool_2d.OP,
    batch_to_space_nd.OP,
    broadcast_to.OP,
    concatenation.OP,
    conv_2d.OP,
    depth_to_space.OP,
    depthwise_conv_2d.OP,
    dequantize.OP,
    expand_dims.OP,
    fully_connected.OP,
    gather.OP,
    hard_swish.OP,
    leaky_relu.OP,
    logistic.OP,
    max_pool_2d.OP,
    maximum.OP,
    mean.OP,
    minimum.OP,
    mirror_pad.OP,
    mul.OP,
    pack.OP,
    pad.OP,
    padv2.OP,
    prelu.OP,
    quantize.OP,
    reduce_max.OP,
    reduce_min.OP,
    relu.OP,
    relu6.OP,
    relu_n1_to_1.OP,
    reshape.OP,
    resize_bilinear.OP,
    resize_nearest_neighbor.OP,
    reverse_v2.OP,
    slice.OP,
    softmax.OP,
    space_to_batch_nd.OP,
    space_to_depth.OP,
    split.OP,
    split_v.OP,
    squeeze.OP,
    strided_slice.OP,
    sub.OP,
    sum.OP,
    tanh.OP,
    tile.OP,
    transpose.OP,
    transpose_conv.OP,
    unpack.OP,
)

OPS: Mapping[str, Op] = {op.name: op for op in _OPS}
"""Every operator that is supported, by TFLite's name."""


def check_graph(graph: Graph) -> None:
    """Refuse what is not supported, naming the first such node.

    Raises:
        ModelError: An operator, or a form of one, that is not supported.
    """
    for node in graph.nodes:
        op = None if node.custom else OPS.get(node.op)
        if op is None:
            known = ", ".join(sorted(OPS))
            where = f"{graph.name}: {graph.node_label(node)}"
            raise ModelError(f"{where}: the operator is not supported (supported: {known}).")
        op.check(graph, node)
