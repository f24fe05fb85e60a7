"""CONCATENATION: tensors behind each other along any dimension, constants among them. int8, int16, int32 and float32.

TFLite Micro copies, and refuses int8 and int16 inputs whose scale or zero point differs from the output's; it takes at
most ten inputs, this any number. Along the dimensions that make rows, each output row comes from one input; along the
others from a row of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import Array, Layer, Read
from firmware_export.ops.base import Inputs, Lowering, Op, need_dtype, option_text, refuse
from firmware_export.ops.movement import (
    DAMAGED,
    DTYPES_AND_INT16,
    NO_ROW,
    element_bytes,
    first_quant,
    need_data,
    need_dimensions,
    need_output,
    option_axis,
    row_dimensions,
)

FUNCTIONS = {
    "int8": ("concatenation", "concatenation"),
    "int16": ("concatenation_int16", "concatenation_int16"),
    "int32": ("concatenation", "concatenation_int32"),
    "float32": ("concatenation", "concatenation_float"),
}
"""The kernel and its function for each element type."""


def check(graph: Graph, node: Node) -> None:
    """Refuse other types, a fused activation, and inputs that differ in quantization or in other dimensions."""
    first = need_data(graph, node, dtypes=DTYPES_AND_INT16)
    need_dimensions(graph, node, first)
    if len(node.outputs) != 1:
        refuse(graph, node, f"{len(node.outputs)} outputs", "1", DAMAGED)
    activation = option_text(node, "fused_activation_function")
    if activation != "NONE":
        refuse(graph, node, f"the fused activation {activation}", "NONE")
    axis = option_axis(graph, node)
    shapes = []
    for position in range(len(node.inputs)):
        tensor = need_data(graph, node, position, DTYPES_AND_INT16)
        need_dtype(graph, node, tensor, "an input", first.dtype)
        others = tensor.shape[:axis] + tensor.shape[axis + 1 :]
        if len(tensor.shape) != len(first.shape) or others != first.shape[:axis] + first.shape[axis + 1 :]:
            found = f"{list(first.shape)} and {list(tensor.shape)} along axis {axis}"
            refuse(graph, node, found, "inputs that are alike in all other dimensions", DAMAGED)
        shapes.append(tensor.shape)
    total = sum(shape[axis] for shape in shapes)
    output = need_output(graph, node, first, (*first.shape[:axis], total, *first.shape[axis + 1 :]))
    for position in range(len(node.inputs)):
        quant = first_quant(graph.tensors[node.inputs[position]])
        if output.dtype in ("int8", "int16") and quant != first_quant(output):
            found = f"input {position} with scale {quant[0]:g} and zero point {quant[1]}, the output having others,"
            refuse(graph, node, found, "one scale and zero point for all", "TFLite's converter makes them equal.")


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The inputs, one behind the other."""
    return (np.concatenate([values for values in inputs if values is not None], option_axis(graph, node)),)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer, or none for a single input."""
    graph = lowering.graph
    axis = option_axis(graph, node)
    lower_joined(lowering, node, [graph.tensors[index].shape for index in node.inputs], axis)


def row_sources(shapes: Sequence[tuple[int, ...]], axis: int, cut: int) -> list[tuple[int, ...]]:
    """For each input, which of its rows each output row comes from; one that the input does not have where from none.

    Args:
        shapes: Of the inputs, alike but for the axis.
        axis: Along which they follow each other.
        cut: Leading dimensions that make rows.
    """
    rows = [prod(shape[:cut]) for shape in shapes]
    if axis >= cut:
        return [tuple(range(count)) for count in rows]
    if prod(shapes[0][:axis]) == 1:
        begins = [sum(rows[:position]) for position in range(len(shapes))]
        return [tuple(range(-begin, sum(rows) - begin)) for begin in begins]    # a straight line, also outside
    blocks = [np.arange(count).reshape(shape[:cut]) for count, shape in zip(rows, shapes, strict=True)]
    result = []
    for position in range(len(shapes)):
        parts = [block if which == position else np.full_like(block, NO_ROW) for which, block in enumerate(blocks)]
        result.append(tuple(np.concatenate(parts, axis).reshape(-1).tolist()))
    return result


def lower_joined(lowering: Lowering, node: Node, shapes: Sequence[tuple[int, ...]], axis: int) -> None:
    """Add the layer that puts a node's inputs behind each other.

    Args:
        lowering: The program in the making.
        node: A checked node.
        shapes: Of the inputs, alike but for the axis.
        axis: Counted from the front.
    """
    if len(shapes) == 1:
        lowering.alias(node.inputs[0], node.outputs[0])
        return
    output = lowering.graph.tensors[node.outputs[0]]
    size, cut = element_bytes(output), row_dimensions(len(shapes[0]))
    starts = row_sources(shapes, axis, cut)
    turns = prod(shapes[0][cut:axis])
    reads = tuple(
        Read(
            lowering.value(index).index,
            prod(shape[cut:]) * size,
            starts[position],
        )
        for position, (index, shape) in enumerate(zip(node.inputs, shapes, strict=True))
    )
    chunks = np.array([prod(shape[cut:]) * size // turns for shape in shapes], np.int32)
    row_bytes = int(chunks[0]) if axis < cut else int(chunks.sum()) * turns
    count = len(starts[0])
    target = lowering.output(output.index, count, row_bytes)
    kernel, function = FUNCTIONS[output.dtype]
    lowering.add(
        Layer(
            op=node.op,
            node=node.index,
            kernel=kernel,
            function=function,
            reads=reads,
            output=target.index,
            rows=count,
            row_bytes=row_bytes,
            steps=count,
            fields={
                "bytes": Array(chunks, "[inputs]", is_weights=False),
                "inputs": len(shapes),
                "turns": turns,
            },
            one_list=True,
        )
    )


OP = Op("CONCATENATION", check, reference, lower)
