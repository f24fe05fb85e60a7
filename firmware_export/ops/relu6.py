"""RELU6: int8. TFLite Micro clips the bytes between what stands for 0 and for 6 at the **input's** scale.

It never looks at the output's (``activations_common.cc``, ``Relu6Prepare``); converters write the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import need_dtype, need_input, need_int8, output_tensor, refuse
from firmware_export.ops.unary import check_shapes, unary_op

UPPER = 6.0


def check(graph: Graph, node: Node) -> None:
    """Refuse what is not int8, or an input scale at which 6 is no int32."""
    check_shapes(graph, node)
    quant = need_int8(graph, node, need_input(graph, node, 0, "input"), "an input")
    need_dtype(graph, node, output_tensor(graph, node), "an output", "int8")
    with np.errstate(over="ignore"):
        steps = np.float32(UPPER) / np.float32(quant.scale[0])
    if not steps < (1 << 31) - 256:
        refuse(graph, node, f"an input with the scale {quant.scale[0]:g}", "scales at which 6 fits into 32 bits")


def relu6(graph: Graph, node: Node, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """``min(6, max(0, x))`` at the input's scale."""
    quant = need_int8(graph, node, graph.tensors[node.inputs[0]], "an input")
    steps = float(np.float32(UPPER) / np.float32(quant.scale[0]))
    upper = min(127, quant.zero_point[0] + int(steps + 0.5))    # half away from zero, exact in float64
    return np.clip(values, quant.zero_point[0], upper)


OP = unary_op("RELU6", check, relu6)
