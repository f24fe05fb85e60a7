"""PRELU: int8, negative values times a slope of their own; the slopes (alpha) broadcast, mostly one per channel.

Arithmetic: TFLite Micro ``prelu_common.cc`` and ``reference_ops::Prelu``.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Lowering, Op, need_input, need_int8, output_tensor
from firmware_export.ops.elementwise import binary_reference, check_binary, lower_binary, lower_uniform
from firmware_export.ops.rescale import Factor, factor, largest


def parameters(graph: Graph, node: Node) -> tuple[Factor, Factor, tuple[int, int, int]]:
    """The factors of values from 0 on and of negative ones; the zero points of input, alpha and output.

    Raises:
        ModelError: Not int8, or products that leave int32.
    """
    source, slopes = need_input(graph, node, 0, "input"), need_input(graph, node, 1, "alpha")
    given = need_int8(graph, node, source, "an input")
    alpha = need_int8(graph, node, slopes, "an alpha")
    wanted = need_int8(graph, node, output_tensor(graph, node), "an output")
    zero_points = (given.zero_point[0], alpha.zero_point[0], wanted.zero_point[0])
    magnitude = largest(source, zero_points[0])
    identity = factor(graph, node, given.scale[0] / wanted.scale[0], magnitude)
    products = magnitude * largest(slopes, zero_points[1])
    return identity, factor(graph, node, given.scale[0] * alpha.scale[0] / wanted.scale[0], products), zero_points


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8 that broadcasts, or a factor beyond int32."""
    check_binary(graph, node)
    parameters(graph, node)


def prelu(graph: Graph, node: Node, values: NDArray[np.int64], alpha: NDArray[np.int64]) -> NDArray[np.int64]:
    """``x`` where it is not negative, ``alpha * x`` elsewhere, quantized."""
    identity, leak, zero_points = parameters(graph, node)
    centred, slopes = np.broadcast_arrays(values - zero_points[0], alpha - zero_points[1])
    result: NDArray[np.int64] = np.where(centred >= 0, identity.of(centred), leak.of(centred * slopes))
    return np.clip(result + zero_points[2], -128, 127)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer: a table where alpha is one constant, or a row of the input beside a row of slopes."""
    if lower_uniform(prelu, lowering, node):
        return
    identity, leak, zero_points = parameters(lowering.graph, node)
    fields = {
        "in_offset": -zero_points[0],
        "alpha_offset": -zero_points[1],
        "out_offset": zero_points[2],
        **identity.fields("in_"),
        **leak.fields("alpha_"),
    }
    lower_binary(lowering, node, "prelu", "prelu", ("in", "alpha"), fields)


OP = Op("PRELU", check, partial(binary_reference, prelu), lower)
