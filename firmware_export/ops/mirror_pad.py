"""MIRROR_PAD: a border that mirrors the tensor, with its edge (SYMMETRIC) or without (REFLECT). int8, int32, float32.

TFLite Micro takes no int32, and does not look whether the border is larger than what it mirrors: that is refused here,
as in TFLite.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import Layer, Read, rows_of
from firmware_export.ops.base import Inputs, Lowering, Op, need_rank, option_text, refuse
from firmware_export.ops.movement import (
    DAMAGED,
    element_bytes,
    need_data,
    need_numbers,
    need_operands,
    need_output,
    row_dimensions,
)

WITHOUT_EDGE = {"REFLECT": 1, "SYMMETRIC": 0}
"""For each mode, how many elements at the edge are not repeated."""


def mode_of(graph: Graph, node: Node) -> Literal["reflect", "symmetric"]:
    """What is mirrored, as NumPy calls it.

    Raises:
        ModelError: The file names something else.
    """
    mode = option_text(node, "mode", "REFLECT")
    if mode not in WITHOUT_EDGE:
        refuse(graph, node, f"the mode {mode}", ", ".join(WITHOUT_EDGE), DAMAGED)
    return "reflect" if mode == "REFLECT" else "symmetric"


def paddings_of(graph: Graph, node: Node) -> tuple[tuple[int, int], ...]:
    """Elements in front and behind along each dimension.

    Raises:
        ModelError: They are not known before the network runs, negative, or more than there is to mirror.
    """
    shape = graph.tensors[node.inputs[0]].shape
    numbers = need_numbers(graph, node, 1, "paddings tensor", 2 * len(shape), "int32", "int64")
    pairs = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    edge = 1 if mode_of(graph, node) == "reflect" else 0
    if any(not 0 <= number <= size - edge for size, pair in zip(shape, pairs, strict=True) for number in pair):
        refuse(graph, node, f"the paddings {list(numbers)} of {list(shape)}", "no more than there is to mirror")
    return pairs


def loops_of(shape: Sequence[int], paddings: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int, int]], int]:
    """A row as nested loops.

    Args:
        shape: Dimensions of an input row.
        paddings: Of each.

    Returns:
        For each loop the size and the elements in front and behind, then the elements that are moved together.
    """
    loops: list[tuple[int, int, int]] = []
    together = 1
    for size, (front, behind) in reversed(list(zip(shape, paddings, strict=True))):
        if front or behind or (loops and size > 1):
            loops.insert(0, (size, front, behind))
        else:
            together *= size
    return loops, together


def check(graph: Graph, node: Node) -> None:
    """Refuse other types and ranks, and a border that is larger than what it mirrors."""
    need_operands(graph, node, 2)
    source = need_data(graph, node)
    need_rank(graph, node, source, "an input", 1, 2, 3, 4, 5)
    paddings = paddings_of(graph, node)
    need_output(graph, node, source, [a + size + b for size, (a, b) in zip(source.shape, paddings, strict=True)])
    cut = row_dimensions(len(source.shape))
    if len(loops_of(source.shape[cut:], paddings[cut:])[0]) > 2:
        refuse(graph, node, f"the paddings {list(paddings)} of {list(source.shape)}", "two padded dimensions in a row")


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The padded tensor."""
    values = inputs[0]
    assert values is not None
    return (np.pad(values, paddings_of(graph, node), mode=mode_of(graph, node)),)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer: each output row comes from one input row, those of the border from one further inside."""
    graph = lowering.graph
    source, output = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    paddings = paddings_of(graph, node)
    if not any(map(any, paddings)):
        lowering.alias(source.index, output.index)
        return
    cut = row_dimensions(len(source.shape))
    starts = np.arange(prod(source.shape[:cut])).reshape(source.shape[:cut])
    if cut:
        starts = np.pad(starts, paddings[:cut], mode=mode_of(graph, node))
    loops, together = loops_of(source.shape[cut:], paddings[cut:])
    (height, top, bottom), (width, left, right) = [*[(1, 0, 0)] * (2 - len(loops)), *loops]
    size = element_bytes(source)
    row = rows_of(output.shape)[1] * size
    target = lowering.output(output.index, starts.size, row)
    start = tuple(int(each) for each in starts.reshape(-1))
    lowering.add(
        Layer(
            op=node.op,
            node=node.index,
            kernel="mirror_pad",
            function="mirror_pad",
            reads=(Read(lowering.value(source.index).index, rows_of(source.shape)[1] * size, start),),
            output=target.index,
            rows=starts.size,
            row_bytes=row,
            steps=starts.size,
            fields={
                "in_height": height,
                "pad_top": top,
                "out_height": top + height + bottom,
                "in_width": width,
                "pad_left": left,
                "out_width": left + width + right,
                "bytes": together * size,
                "without_edge": WITHOUT_EDGE[option_text(node, "mode", "REFLECT")],
            },
        )
    )


OP = Op("MIRROR_PAD", check, reference, lower)
