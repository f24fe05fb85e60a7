"""LEAKY_RELU: int8, one slope for negative values; a table.

Arithmetic: TFLite Micro ``leaky_relu_common.cc`` and ``reference_ops::QuantizeLeakyRelu``. A negative slope's factor is
applied without its sign, which is put before the rounded product.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import need_int8
from firmware_export.ops.rescale import Factor, factor, largest
from firmware_export.ops.unary import check_unary, unary_op


def alpha(node: Node) -> float:
    """The slope of negative values."""
    value = node.options.get("alpha", 0.0)
    return float(value) if isinstance(value, (int, float)) else 0.0


def factors(graph: Graph, node: Node) -> tuple[Factor, Factor]:
    """For values from 0 on, and for those below, without its sign.

    Raises:
        ModelError: Products may leave int32, or the slope is no number.
    """
    source, output = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    given, wanted = need_int8(graph, node, source, "an input"), need_int8(graph, node, output, "an output")
    slope = alpha(node)
    magnitude = largest(source, given.zero_point[0])
    identity = factor(graph, node, given.scale[0] / wanted.scale[0], magnitude)
    return identity, factor(graph, node, given.scale[0] * abs(slope) / wanted.scale[0], magnitude)


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8, or a factor beyond int32."""
    check_unary(graph, node)
    factors(graph, node)


def leaky_relu(graph: Graph, node: Node, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """``x`` where it is not negative, ``alpha * x`` elsewhere, quantized."""
    identity, leak = factors(graph, node)
    given, wanted = (need_int8(graph, node, graph.tensors[index], "it") for index in (node.inputs[0], node.outputs[0]))
    centred = values - given.zero_point[0]
    sign = -1 if alpha(node) < 0 else 1
    result: NDArray[np.int64] = np.where(centred >= 0, identity.of(centred), sign * leak.of(centred))
    return np.clip(result + wanted.zero_point[0], -128, 127)


OP = unary_op("LEAKY_RELU", check, leaky_relu)
