"""From int32 sums to int8: what operators with weights share. ``kernels/portable/requantize.h`` is the C side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.fixedpoint import activation_range, multiply, quantize_multiplier
from firmware_export.graph import Graph, Node
from firmware_export.layer import Array, FieldValue
from firmware_export.ops.base import (
    constant,
    input_tensor,
    need_constant,
    need_dtype,
    need_input,
    need_int8,
    option_text,
    output_tensor,
    refuse,
)

SUM_LIMIT = (1 << 31) - (1 << 8)
"""What sums must stay below: int32, and room for a zero point behind the multiplication."""

SHIFT_OF_ZERO = -31
"""For channels whose factor is zero, as those that were pruned away: any does, and this is not a large factor's."""

LARGEST_BOUND = {"RELU6": 6.0, "RELU_N1_TO_1": 1.0}
"""Of fused activations, which divided by the output's scale has to fit into int32."""


@dataclass(frozen=True)
class ChannelScales:
    """How sums become int8, per output channel.

    Attributes:
        multiplier: int64 ``[channels]``, see ``fixedpoint``.
        shift: int64 ``[channels]``.
        in_zero_point: Of the input.
        out_zero_point: Of the output.
    """

    multiplier: NDArray[np.int64]
    shift: NDArray[np.int64]
    in_zero_point: int
    out_zero_point: int

    @property
    def largest_input(self) -> int:
        """The largest absolute value of an int8 input without its zero point."""
        return max(127 - self.in_zero_point, self.in_zero_point + 128)

    @property
    def large_factors(self) -> bool:
        """Whether a factor is 1/4 or more: the kernels' fast way works on the high word of the product alone."""
        return bool((self.shift > -2).any())

    def tables(self, bias: NDArray[np.int64]) -> dict[str, FieldValue]:
        """What ``ec_requantize`` reads; its shift is to the right, of the product's high word, with a bit to spare."""
        return {
            "bias": Array(bias.astype(np.int32), "[out_channels]"),
            "multiplier": Array(self.multiplier.astype(np.int32), "[out_channels]"),
            "shift": Array((-2 - self.shift).astype(np.int8), "[out_channels]"),
        }

    def requantized(self, sums: NDArray[np.int64], low: int, high: int) -> NDArray[np.int8]:
        """Sums ``[…, channels]`` as the output holds them."""
        return np.clip(multiply(sums, self.multiplier, self.shift) + self.out_zero_point, low, high).astype(np.int8)


def channel_scales(
    graph: Graph,
    node: Node,
    channels: int,
    image_at: int = 0,
    weights_at: int = 1,
    axis: int = 0,
    weights_zero_point: int = 0,
) -> ChannelScales:
    """The factors ``input scale * weight scale / output scale`` (TFLite ``PopulateConvolutionQuantizationParams``).

    Args:
        graph: The network.
        node: A node with weights.
        channels: Output channels; a per-tensor scale is repeated for each.
        image_at: Position of the activation among the inputs.
        weights_at: Position of the weights.
        axis: The dimension of the weights that the channels run along.
        weights_zero_point: What zero points of the weights are taken.

    Raises:
        ModelError: The weights have no scales, another number of them, or a zero point that is not taken.
    """
    image = need_int8(graph, node, need_input(graph, node, image_at, "input"), "an input")
    output = need_int8(graph, node, output_tensor(graph, node), "an output")
    quant = need_input(graph, node, weights_at, "filter").quant
    if quant is None or len(quant.scale) not in (1, channels):
        count = 0 if quant is None else len(quant.scale)
        refuse(graph, node, f"a filter with {count} scales for {channels} channels", "one, or one per channel")
    if any(zero_point != weights_zero_point for zero_point in quant.zero_point):
        refuse(graph, node, "a filter with a zero point that is not 0", "symmetric int8 weights")
    if quant.per_channel and quant.axis != axis:
        refuse(graph, node, f"a filter with scales along dimension {quant.axis}", f"dimension {axis}")
    real = [image.scale[0] * scale / output.scale[0] for scale in quant.scale]
    pairs = [quantize_multiplier(factor) for factor in real]
    if len(pairs) == 1:
        pairs = pairs * channels
    multiplier, shift = np.array(pairs, np.int64).T
    shift = np.where(multiplier == 0, SHIFT_OF_ZERO, shift)
    return ChannelScales(multiplier, shift, image.zero_point[0], output.zero_point[0])


def fused_range(graph: Graph, node: Node) -> tuple[int, int]:
    """The int8 range that the fused activation leaves.

    Raises:
        ModelError: The activation is one that is not fused into int8 operators, or its bounds have no place in int32.
    """
    output = need_int8(graph, node, output_tensor(graph, node), "an output")
    activation = option_text(node, "fused_activation_function")
    smallest = LARGEST_BOUND.get(activation, 0.0) / SUM_LIMIT
    if output.scale[0] <= smallest:
        refuse(graph, node, f"{activation} with an output scale of {output.scale[0]:g}", f"scales above {smallest:.1e}")
    try:
        return activation_range(activation, output.scale[0], output.zero_point[0])
    except ValueError:
        refuse(graph, node, f"the fused activation {activation}", "NONE, RELU, RELU6, RELU_N1_TO_1")


def check_bias(graph: Graph, node: Node, position: int, channels: int) -> None:
    """Refuse a bias that is not one constant int32 for each channel. There may be none."""
    tensor = input_tensor(graph, node, position)
    if tensor is None:
        return
    need_dtype(graph, node, tensor, "a bias", "int32")
    need_constant(graph, node, tensor, "bias")
    if tensor.size != channels:
        refuse(graph, node, f"a bias of {tensor.size} for {channels} channels", "one for each", "The file is damaged.")


def bias_of(graph: Graph, node: Node, position: int, channels: int) -> NDArray[np.int64]:
    """The bias, zeros where there is none."""
    tensor = input_tensor(graph, node, position)
    return np.zeros(channels, np.int64) if tensor is None else constant(tensor).astype(np.int64).reshape(channels)


def check_sums(graph: Graph, node: Node, magnitudes: NDArray[Any], bias: NDArray[Any], scales: ChannelScales) -> None:
    """Refuse channels whose sums could leave int32, which TFLite Micro computes in.

    Args:
        graph: The network.
        node: A node with weights.
        magnitudes: Sum of the absolute weights, ``[channels]``.
        bias: ``[channels]``.
        scales: Of the node. A factor above one shifts the sum to the left first.
    """
    largest = magnitudes.astype(np.float64) * scales.largest_input + np.abs(bias.astype(np.float64))
    shifted = largest * np.exp2(np.maximum(scales.shift, 0))
    if shifted.size and shifted.max() >= SUM_LIMIT:
        channel = int(shifted.argmax())
        found = f"channel {channel}, whose sums reach {largest[channel]:.3g}"
        if scales.shift[channel] > 0:
            found += f" before they are shifted left by {scales.shift[channel]}"
        refuse(graph, node, found, "sums that fit into int32", "Scales or biases are out of proportion: convert again.")
