"""What becomes of a node when the height and width of its tensors change places.

``[1, 1, T, C]`` and ``[1, T, 1, C]`` are the same bytes, and so is most of what a node computes on them once its
options and constants are turned as well. ``TURNS`` says how, operator by operator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import ABSENT, Graph, Node, Tensor
from firmware_export.ops.base import constant, option_int
from firmware_export.ops.window import EXPLICIT_PADDING
from firmware_export.passes.edit import with_options

HEIGHT, WIDTH = 1, 2


@dataclass(frozen=True)
class Turned:
    """A node after the turn.

    Attributes:
        op: Its operator.
        options: Its options.
        constants: New values of inputs, by position.
        inputs: How many inputs it keeps; None for all.
    """

    op: str
    options: Mapping[str, Any]
    constants: Mapping[int, NDArray[Any]] = field(default_factory=dict)
    inputs: int | None = None


Turn = Callable[[Graph, Node, Set[int]], "Turned | None"]
"""From the graph, a node and the tensors that are turned to the turned node; None where it cannot be."""


def is_column(tensor: Tensor) -> bool:
    """Whether all that has several positions, but for the channels, is the width."""
    return len(tensor.shape) == 4 and tensor.shape[:2] == (1, 1) and tensor.shape[2] > 1 and not tensor.is_constant


def turned_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """``[N, H, W, C]`` as ``[N, W, H, C]``."""
    return (shape[0], shape[WIDTH], shape[HEIGHT], shape[3])


def _swapped(values: NDArray[Any]) -> NDArray[Any]:
    """A list with one entry (or pair) a dimension, those of height and width exchanged."""
    return values[[0, WIDTH, HEIGHT, 3]]


def _flows(graph: Graph, indices: tuple[int, ...], columns: Set[int]) -> bool:
    """Whether tensors are turned or a single pixel, which is the same either way."""
    tensors = [graph.tensors[index] for index in indices if index != ABSENT]
    return all(tensor.index in columns or _is_pixel(tensor) for tensor in tensors)


def _is_pixel(tensor: Tensor) -> bool:
    return len(tensor.shape) == 4 and tensor.shape[:3] == (1, 1, 1)


def _exchanged(node: Node, *names: str) -> dict[str, Any]:
    """The options with those for height and width exchanged: pairs of names, one after the other."""
    changes: dict[str, Any] = {}
    for high, wide in zip(names[::2], names[1::2], strict=True):
        changes |= {high: option_int(node, wide, 1), wide: option_int(node, high, 1)}
    padding = node.options.get(EXPLICIT_PADDING)
    if isinstance(padding, tuple):
        changes[EXPLICIT_PADDING] = (*padding[2:], *padding[:2])
    return with_options(node, **changes)


def _convolution(graph: Graph, node: Node, columns: Set[int]) -> Turned | None:
    if not _flows(graph, (node.inputs[0], *node.outputs), columns):
        return None
    options = _exchanged(node, "stride_h", "stride_w", "dilation_h_factor", "dilation_w_factor")
    return Turned(node.op, options, {1: constant(graph.tensors[node.inputs[1]]).transpose(0, 2, 1, 3)})


def _transpose_convolution(graph: Graph, node: Node, columns: Set[int]) -> Turned | None:
    size = graph.tensors[node.inputs[0]]
    if not _flows(graph, (node.inputs[2], *node.outputs), columns) or not size.is_constant:
        return None
    constants = {
        0: _swapped(constant(size)),
        1: constant(graph.tensors[node.inputs[1]]).transpose(0, 2, 1, 3),
    }
    return Turned(node.op, _exchanged(node, "stride_h", "stride_w"), constants)


def _pool(graph: Graph, node: Node, columns: Set[int]) -> Turned | None:
    if not _flows(graph, (node.inputs[0], *node.outputs), columns):
        return None
    return Turned(node.op, _exchanged(node, "stride_h", "stride_w", "filter_height", "filter_width"))


def _pointwise(graph: Graph, node: Node, columns: Set[int]) -> Turned | None:
    """One operand, or several that are broadcast."""
    constants = {}
    for position, index in enumerate(node.inputs):
        if index == ABSENT:
            return None
        tensor = graph.tensors[index]
        shape = (1,) * (4 - len(tensor.shape)) + tensor.shape
        if index in columns or shape[:-1] == (1, 1, 1):
            continue
        if not tensor.is_constant or len(shape) != 4 or shape[:2] != (1, 1):
            return None
        constants[position] = constant(tensor).reshape(turned_shape(shape))
    return Turned(node.op, node.options, constants) if _flows(graph, node.outputs, columns) else None


def _concatenation(graph: Graph, node: Node, columns: Set[int]) -> Turned | None:
    constants = {}
    for position, index in enumerate(node.inputs):
        tensor = graph.tensors[index]
        if tensor.is_constant:
            constants[position] = constant(tensor).reshape(turned_shape(tensor.shape))
        elif not _flows(graph, (index,), columns):
            return None
    if not _flows(graph, node.outputs, columns):
        return None
    axis = option_int(node, "axis") % 4
    return Turned(node.op, with_options(node, axis={HEIGHT: WIDTH, WIDTH: HEIGHT}.get(axis, axis)), constants)


def _reduction(graph: Graph, node: Node, columns: Set[int]) -> Turned | None:
    if not _flows(graph, node.inputs[:1], columns):
        return None
    axes = constant(graph.tensors[node.inputs[1]])
    found = {int(axis) % 4 for axis in axes.reshape(-1)}
    output = graph.tensors[node.outputs[0]]
    if len(output.shape) == 4 and not _flows(graph, node.outputs, columns):
        return None
    if len(output.shape) < 4 and not found & {HEIGHT, WIDTH}:
        return None
    turned = sorted({HEIGHT: WIDTH, WIDTH: HEIGHT}.get(axis, axis) for axis in found)
    return Turned(node.op, node.options, {1: np.array(turned, axes.dtype)})


def _same_bytes(graph: Graph, node: Node, columns: Set[int]) -> Turned | None:
    shape = graph.tensors[node.outputs[0]].shape
    turned = turned_shape(shape) if node.outputs[0] in columns else shape
    return Turned("RESHAPE", {"new_shape": turned}, inputs=1)


def _lists(*positions: int) -> Turn:
    """Operators with operands that have an entry for each dimension."""

    def turn(graph: Graph, node: Node, columns: Set[int]) -> Turned | None:
        masks = ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask", "offset")
        if not _flows(graph, (node.inputs[0], *node.outputs), columns) or any(option_int(node, name) for name in masks):
            return None
        operands = {position: graph.tensors[node.inputs[position]] for position in positions}
        if any(not tensor.is_constant or tensor.shape[:1] != (4,) for tensor in operands.values()):
            return None
        constants = {position: _swapped(constant(tensor)) for position, tensor in operands.items()}
        kept = [name for name in ("begin_mask", "end_mask") if name in node.options]
        options = with_options(node, **{name: _swapped_bits(option_int(node, name)) for name in kept})
        return Turned(node.op, options, constants)

    return turn


def _swapped_bits(mask: int) -> int:
    high, wide = mask >> HEIGHT & 1, mask >> WIDTH & 1
    return mask & ~(1 << HEIGHT | 1 << WIDTH) | wide << HEIGHT | high << WIDTH


def _resize(graph: Graph, node: Node, columns: Set[int]) -> Turned | None:
    if not _flows(graph, (node.inputs[0], *node.outputs), columns):
        return None
    return Turned(node.op, node.options, {1: constant(graph.tensors[node.inputs[1]])[::-1]})


def _dense(graph: Graph, node: Node, columns: Set[int]) -> Turned | None:
    if len(graph.tensors[node.outputs[0]].shape) == 4 and not _flows(graph, node.outputs, columns):
        return None
    return Turned(node.op, node.options)


_POINTWISE = """
    ADD DEQUANTIZE HARD_SWISH LEAKY_RELU LOGISTIC MAXIMUM MINIMUM MUL PRELU QUANTIZE RELU RELU6 RELU_N1_TO_1 SOFTMAX
    SUB TANH
"""

TURNS: Mapping[str, Turn] = {
    **dict.fromkeys(_POINTWISE.split(), _pointwise),
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), _convolution),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), _pool),
    **dict.fromkeys(("MEAN", "REDUCE_MAX", "REDUCE_MIN", "SUM"), _reduction),
    **dict.fromkeys(("EXPAND_DIMS", "RESHAPE", "SQUEEZE"), _same_bytes),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), _resize),
    "CONCATENATION": _concatenation,
    "FULLY_CONNECTED": _dense,
    "PAD": _lists(1),
    "PADV2": _lists(1),
    "SLICE": _lists(1, 2),
    "STRIDED_SLICE": _lists(1, 2, 3),
    "TRANSPOSE_CONV": _transpose_convolution,
}
"""The operators that can be turned, by TFLite's name."""
