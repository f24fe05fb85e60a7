"""STRIDED_SLICE: a block out of a tensor, every so many positions, either way. int8, int16, int32 and float32.

Open ends and axes that vanish are as in Python's ``x[begin:end:stride]``; positions outside are clamped, as in TFLite.
Ellipses and new axes are refused: converters put a RESHAPE in front instead, and TFLite Micro ignores them. It takes up
to 4 dimensions, TFLite and this 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Inputs, Lowering, Op, need_rank, option_int, refuse
from firmware_export.ops.movement import DTYPES_AND_INT16, need_data, need_numbers, need_operands, need_output
from firmware_export.ops.strided_copy import lower_block


@dataclass(frozen=True)
class Block:
    """What is taken.

    Attributes:
        begins: The first position along each dimension of the input.
        sizes: How many.
        strides: From one to the next, negative for a way back.
        shape: Of the output.
    """

    begins: tuple[int, ...]
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class _Range:
    """``begin:end:stride`` of one dimension; ``shrink``: the position ``begin`` alone, and the dimension vanishes."""

    begin: int
    end: int
    stride: int
    open_begin: bool
    open_end: bool
    shrink: bool


def block_of(graph: Graph, node: Node) -> Block:
    """What the operands and masks of a node say.

    Raises:
        ModelError: They are not known before the network runs, contradict each other, or leave nothing.
    """
    shape = graph.tensors[node.inputs[0]].shape
    starts = need_numbers(graph, node, 1, "begin tensor", len(shape))
    stops = need_numbers(graph, node, 2, "end tensor", len(shape))
    strides = need_numbers(graph, node, 3, "strides tensor", len(shape))
    for name in ("ellipsis_mask", "new_axis_mask", "offset"):
        if option_int(node, name):
            refuse(graph, node, f"{name} {option_int(node, name)}", "0", "Slice and reshape in two steps.")
    begins, sizes, kept = [], [], []
    for axis, (start, stop, stride) in enumerate(zip(starts, stops, strides, strict=True)):
        shrink = _bit(node, "shrink_axis_mask", axis)
        # TFLite Micro writes nothing where a vanishing axis goes backwards.
        if stride == 0 or (shrink and stride < 0):
            refuse(graph, node, f"a slice with the stride {stride}", "strides other than 0, above 0 for one position")
        part = _Range(start, stop, stride, _bit(node, "begin_mask", axis), _bit(node, "end_mask", axis), shrink)
        begin, size = _resolve(part, shape[axis])
        if size < 1 or not 0 <= begin < shape[axis]:
            found = f"{start}:{stop}:{stride} of {shape[axis]} positions"
            refuse(graph, node, found, "slices with elements inside the input")
        begins.append(begin)
        sizes.append(size)
        kept += [] if shrink else [size]
    return Block(tuple(begins), tuple(sizes), strides, tuple(kept))


def _bit(node: Node, mask: str, axis: int) -> bool:
    return bool(option_int(node, mask) >> axis & 1)


def _resolve(part: _Range, size: int) -> tuple[int, int]:
    """The first position and how many, by the rules of TFLite's ``strided_slice_logic.h``."""
    forwards = part.stride > 0
    low, high = (0, size) if forwards else (-1, size - 1)

    def position(index: int, opened: bool, if_open: int) -> int:
        return if_open if opened else min(max(index + size if index < 0 else index, low), high)

    begin = position(part.begin, part.open_begin, 0 if forwards else size - 1)
    end = begin + 1 if part.shrink else position(part.end, part.open_end, size if forwards else -1)
    return begin, max(0, -((begin - end) // part.stride))


def check(graph: Graph, node: Node) -> None:
    """Refuse other types and ranks, slices without elements, and masks that do not fit."""
    need_operands(graph, node, 4)
    source = need_data(graph, node, dtypes=DTYPES_AND_INT16)
    need_rank(graph, node, source, "an input", 1, 2, 3, 4, 5)
    need_output(graph, node, source, block_of(graph, node).shape)


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The block."""
    values = inputs[0]
    assert values is not None
    block = block_of(graph, node)
    for axis, (begin, size, stride) in enumerate(zip(block.begins, block.sizes, block.strides, strict=True)):
        values = np.take(values, [begin + stride * position for position in range(size)], axis)
    return (values.reshape(block.shape),)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer: each output row is part of an input row."""
    block = block_of(lowering.graph, node)
    lower_block(lowering, node, node.inputs[0], node.outputs[0], block.begins, block.sizes, block.strides)


OP = Op("STRIDED_SLICE", check, reference, lower)
