"""The kernel ``rescale_int16.h``, which QUANTIZE, RELU and RELU6 share: int16 to another scale, or to and from int8."""

from __future__ import annotations

from collections.abc import Mapping

from firmware_export.fixedpoint import quantize_multiplier
from firmware_export.graph import Graph, Node
from firmware_export.layer import FieldValue
from firmware_export.ops.base import need_quant, output_tensor

KERNEL = "rescale_int16"

FUNCTIONS = {
    ("int16", "int16"): "rescale_int16",
    ("int8", "int16"): "rescale_int16_from_int8",
    ("int16", "int8"): "rescale_int16_to_int8",
}
"""The kernel's function for the types of input and output."""


def rescaling(
    graph: Graph, node: Node, low: int, high: int, same: bool = False
) -> tuple[str, str, Mapping[str, FieldValue]]:
    """The kernel, its function, and its fields.

    Args:
        graph: The network.
        node: A checked node of one input.
        low: The lowest output.
        high: The highest.
        same: Leave the values as they are, whatever the scales are.
    """
    source, output = graph.tensors[node.inputs[0]], output_tensor(graph, node)
    given, wanted = need_quant(graph, node, source, "an input"), need_quant(graph, node, output, "an output")
    multiplier, shift = quantize_multiplier(1.0 if same else given.scale[0] / wanted.scale[0])
    fields: dict[str, FieldValue] = {
        "in_offset": -given.zero_point[0],
        "multiplier": multiplier,
        "shift": shift,
        "out_offset": wanted.zero_point[0],
        "low": low,
        "high": high,
    }
    return KERNEL, FUNCTIONS[source.dtype, output.dtype], fields
