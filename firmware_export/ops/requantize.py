"""From sums to activations: what operators with weights share.

int8 sums are int32 and rounded twice (``kernels/portable/requantize.h``). For int16 it is the bias that decides, as in
TFLite Micro: with an int32 bias the same, with an int64 bias or none 64 bits, a multiplier of 15 bits and one
rounding (``ops/requantize_int16.py``, ``kernels/portable/requantize_int16.h``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.fixedpoint import activation_range, multiply, multiply_wide, quantize_multiplier
from firmware_export.graph import Graph, Node
from firmware_export.layer import Array, FieldValue
from firmware_export.ops.base import (
    RANGES,
    constant,
    input_tensor,
    need_constant,
    need_dtype,
    need_input,
    need_quantized,
    option_text,
    output_tensor,
    refuse,
)

SUM_LIMIT = (1 << 31) - (1 << 8)
"""What sums must stay below: int32, and room for a zero point behind the multiplication."""

INT16_BIASES = ("int64", "int32")
"""The types of a bias of int16 activations."""

WIDE_LIMIT = 1 << 47
"""What 64-bit sums must stay below, so that the product with a multiplier of 15 bits fits."""

LARGEST_WIDE_SHIFT = 7

SHIFT_OF_ZERO = -31
"""For channels whose factor is zero, as those that were pruned away: any does, and this is not a large factor's."""

LARGEST_BOUND = {"RELU6": 6.0, "RELU_N1_TO_1": 1.0}
"""Of fused activations, which divided by the output's scale has to fit into int32."""


@dataclass(frozen=True)
class ChannelScales:
    """How sums become activations, per output channel.

    Attributes:
        multiplier: int64 ``[channels]``, see ``fixedpoint``.
        shift: int64 ``[channels]``.
        in_zero_point: Of the input.
        out_zero_point: Of the output.
        dtype: Of both, ``int8`` or ``int16``.
        wide: Whether sums are 64 bits wide.
    """

    multiplier: NDArray[np.int64]
    shift: NDArray[np.int64]
    in_zero_point: int
    out_zero_point: int
    dtype: str = "int8"
    wide: bool = False

    @property
    def largest_input(self) -> int:
        """The largest absolute value of an input without its zero point."""
        low, high = RANGES[self.dtype]
        return max(high - self.in_zero_point, self.in_zero_point - low)

    def largest_sums(self, magnitudes: NDArray[Any], bias: NDArray[Any]) -> NDArray[np.float64]:
        """What sums may reach, of weights whose absolute values add up to ``magnitudes``; all ``[channels]``."""
        return magnitudes.astype(np.float64) * self.largest_input + np.abs(bias.astype(np.float64))

    @property
    def large_factors(self) -> bool:
        """Whether a factor is 1/4 or more: the kernels' fast way works on the high word of the product alone."""
        return bool((self.shift > -2).any())

    @property
    def offsets(self) -> dict[str, FieldValue]:
        """What a kernel adds to inputs, and to outputs."""
        return {"in_offset": -self.in_zero_point, "out_offset": self.out_zero_point}

    def tables(self, bias: NDArray[np.int64]) -> dict[str, FieldValue]:
        """What ``ec_requantize`` reads; its shift is to the right, of the product's high word, with a bit to spare."""
        return {
            "bias": Array(bias.astype(np.int32), "[out_channels]"),
            "multiplier": Array(self.multiplier.astype(np.int32), "[out_channels]"),
            "shift": Array((-2 - self.shift).astype(np.int8), "[out_channels]"),
        }

    def requantized(self, sums: NDArray[np.int64], low: int, high: int) -> NDArray[Any]:
        """Sums ``[…, channels]`` as the output holds them."""
        values = (multiply_wide if self.wide else multiply)(sums, self.multiplier, self.shift)
        return np.clip(values + self.out_zero_point, low, high).astype(np.dtype(self.dtype))


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
    source = need_input(graph, node, image_at, "input")
    image = need_quantized(graph, node, source, "an input")
    output = need_quantized(graph, node, output_tensor(graph, node), "an output", source)
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
    bias = input_tensor(graph, node, 2)
    wide = source.dtype == "int16" and (bias is None or bias.dtype != "int32")
    return ChannelScales(multiplier, shift, image.zero_point[0], output.zero_point[0], source.dtype, wide)


def fused_range(graph: Graph, node: Node) -> tuple[int, int]:
    """The range that the fused activation leaves of the output's type.

    Raises:
        ModelError: The activation is one that is not fused into quantized operators, or its bounds have no place in
            int32.
    """
    tensor = output_tensor(graph, node)
    output = need_quantized(graph, node, tensor, "an output")
    activation = option_text(node, "fused_activation_function")
    smallest = LARGEST_BOUND.get(activation, 0.0) / SUM_LIMIT
    if output.scale[0] <= smallest:
        refuse(graph, node, f"{activation} with an output scale of {output.scale[0]:g}", f"scales above {smallest:.1e}")
    try:
        return activation_range(activation, output.scale[0], output.zero_point[0], RANGES[tensor.dtype])
    except ValueError:
        refuse(graph, node, f"the fused activation {activation}", "NONE, RELU, RELU6, RELU_N1_TO_1")


def check_bias(graph: Graph, node: Node, position: int, channels: int, *dtypes: str) -> None:
    """Refuse a bias that is not one constant of its type for each channel. There may be none.

    Args:
        graph: The network.
        node: The node.
        position: Of the bias.
        channels: How many.
        dtypes: Types that it may have; int32 if none is named.
    """
    tensor = input_tensor(graph, node, position)
    if tensor is None:
        return
    need_dtype(graph, node, tensor, "a bias", *(dtypes or ("int32",)))
    need_constant(graph, node, tensor, "bias")
    if tensor.size != channels:
        refuse(graph, node, f"a bias of {tensor.size} for {channels} channels", "one for each", "The file is damaged.")


def bias_of(graph: Graph, node: Node, position: int, channels: int) -> NDArray[np.int64]:
    """The bias, zeros where there is none."""
    tensor = input_tensor(graph, node, position)
    return np.zeros(channels, np.int64) if tensor is None else constant(tensor).astype(np.int64).reshape(channels)


def check_sums(graph: Graph, node: Node, magnitudes: NDArray[Any], bias: NDArray[Any], scales: ChannelScales) -> None:
    """Refuse channels whose sums could leave the integers that TFLite Micro computes in.

    Args:
        graph: The network.
        node: A node with weights.
        magnitudes: Sum of the absolute weights, ``[channels]``.
        bias: ``[channels]``.
        scales: Of the node. A factor above one shifts the sum to the left first.
    """
    largest = scales.largest_sums(magnitudes, bias)
    if scales.wide:
        _check_wide_sums(graph, node, largest, scales)
        return
    shifted = largest * np.exp2(np.maximum(scales.shift, 0))
    if shifted.size and shifted.max() >= SUM_LIMIT:
        channel = int(shifted.argmax())
        found = f"channel {channel}, whose sums reach {largest[channel]:.3g}"
        if scales.shift[channel] > 0:
            found += f" before they are shifted left by {scales.shift[channel]}"
        refuse(graph, node, found, "sums that fit into int32", "Scales or biases are out of proportion: convert again.")


def _check_wide_sums(graph: Graph, node: Node, largest: NDArray[np.float64], scales: ChannelScales) -> None:
    """Refuse channels whose sums leave 47 bits, or whose results leave int32 before they are clipped."""
    results = largest * np.exp2(scales.shift)
    bad = (largest >= WIDE_LIMIT) | (results >= SUM_LIMIT) | (scales.shift > LARGEST_WIDE_SHIFT)
    if bad.any():
        channel = int(bad.argmax())
        found = f"channel {channel}, whose sums reach {largest[channel]:.3g}"
        found += f" with a factor near 2^{scales.shift[channel]}"
        supported = f"sums below 2^47 whose products fit into int32, factors below 2^{LARGEST_WIDE_SHIFT}"
        refuse(graph, node, found, supported, "Scales or biases are out of proportion: convert again.")
