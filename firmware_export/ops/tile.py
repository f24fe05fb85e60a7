"""TILE: a tensor repeated along its dimensions; converters write UpSampling2D so. int8, int32 and float32.

TFLite Micro lacks it: this follows TFLite.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops.base import Inputs, Lowering, Op, refuse
from firmware_export.ops.movement import (
    DAMAGED,
    need_data,
    need_dimensions,
    need_numbers,
    need_operands,
    need_output,
    row_dimensions,
    strides_of,
)
from firmware_export.ops.strided_copy import Walk, fits, lower_walk


def multiples_of(graph: Graph, node: Node) -> tuple[int, ...]:
    """How often the tensor stands there along each dimension.

    Raises:
        ModelError: It is not known before the network runs, or not above 0.
    """
    rank = len(graph.tensors[node.inputs[0]].shape)
    multiples = need_numbers(graph, node, 1, "multiples tensor", rank, "int32", "int64")
    if min(multiples) < 1:
        refuse(graph, node, f"the multiples {list(multiples)}", "multiples above 0", DAMAGED)
    return multiples


def walk_of(shape: tuple[int, ...], multiples: tuple[int, ...]) -> Walk:
    """Each dimension twice: its repetitions, which go nowhere in the input, and itself."""
    counts = tuple(count for pair in zip(multiples, shape, strict=True) for count in pair)
    steps = tuple(step for stride in strides_of(shape) for step in (0, stride))
    return Walk(counts, steps, 0, 2 * row_dimensions(len(shape)))


def check(graph: Graph, node: Node) -> None:
    """Refuse other types, and repetitions in more dimensions than the kernel has loops."""
    need_operands(graph, node, 2)
    source = need_data(graph, node)
    need_dimensions(graph, node, source)
    multiples = multiples_of(graph, node)
    need_output(graph, node, source, [size * count for size, count in zip(source.shape, multiples, strict=True)])
    if not fits(walk_of(source.shape, multiples)):
        refuse(graph, node, f"{list(source.shape)} times {list(multiples)}", "fewer dimensions", "Tile in two steps.")


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The repeated tensor."""
    values = inputs[0]
    assert values is not None
    return (np.tile(values, multiples_of(graph, node)),)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer: each output row comes from one input row."""
    walk = walk_of(lowering.graph.tensors[node.inputs[0]].shape, multiples_of(lowering.graph, node))
    lower_walk(lowering, node, node.inputs[0], node.outputs[0], walk)


OP = Op("TILE", check, reference, lower)
