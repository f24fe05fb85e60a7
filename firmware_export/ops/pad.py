"""PAD: a border of zeros around a tensor, that is of the zero point. int8, int16, int32 and float32, 1 to 5 dimensions.

The zero point is the output's, as in TFLite Micro; the elements inside are copied whatever the two scales are. int16
has no zero point other than 0, and no pad value here.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import Read, rows_of
from firmware_export.ops.base import (
    Inputs,
    Lowering,
    Op,
    constant,
    input_tensor,
    need_constant,
    need_dtype,
    need_rank,
    refuse,
)
from firmware_export.ops.movement import (
    DAMAGED,
    DTYPES_AND_INT16,
    NO_ROW,
    element_bytes,
    first_quant,
    need_data,
    need_numbers,
    need_output,
    row_dimensions,
    strides_of,
)
from firmware_export.ops.strided_copy import Loop, add_strided_copy

PADDINGS, VALUE = 1, 2
"""Positions of the inputs."""


def paddings_of(graph: Graph, node: Node) -> tuple[tuple[int, int], ...]:
    """Elements in front and behind along each dimension.

    Raises:
        ModelError: They are not known before the network runs, or negative.
    """
    rank = len(graph.tensors[node.inputs[0]].shape)
    numbers = need_numbers(graph, node, PADDINGS, "paddings tensor", 2 * rank, "int32", "int64")
    if any(number < 0 for number in numbers):
        refuse(graph, node, f"the paddings {list(numbers)}", "paddings that are not negative", "Use SLICE to cut.")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def pad_value(graph: Graph, node: Node) -> int | float:
    """What the border is made of.

    Raises:
        ModelError: It is computed at run time, or quantized in another way than the output.
    """
    output = graph.tensors[node.outputs[0]]
    tensor = input_tensor(graph, node, VALUE)
    if output.dtype == "int16" and (tensor is not None or first_quant(output)[1]):
        found = f"int16 with the zero point {first_quant(output)[1]}" if tensor is None else "an int16 pad value"
        refuse(graph, node, found, "int16 padded with zeros, its zero point being 0")
    if tensor is None:
        return first_quant(output)[1] if output.dtype == "int8" else 0
    need_dtype(graph, node, tensor, "a pad value", output.dtype)
    need_constant(graph, node, tensor, "pad value")
    if tensor.size != 1:
        refuse(graph, node, f"{tensor.size} pad values", "one", DAMAGED)
    if output.dtype == "int8" and first_quant(tensor) != first_quant(output):
        refuse(graph, node, "a pad value with a scale or zero point of its own", "those of the output")
    value: int | float = constant(tensor).reshape(-1)[0].item()
    return value


def check(graph: Graph, node: Node) -> None:
    """Refuse other types and ranks, paddings and pad values that are not known, and a zero point outside int8."""
    if not 2 <= len(node.inputs) <= 3 or len(node.outputs) != 1:
        refuse(graph, node, f"{len(node.inputs)} inputs and {len(node.outputs)} outputs", "2 or 3 and 1", DAMAGED)
    source = need_data(graph, node, dtypes=DTYPES_AND_INT16)
    need_rank(graph, node, source, "an input", 1, 2, 3, 4, 5)
    paddings = paddings_of(graph, node)
    need_output(graph, node, source, [a + size + b for size, (a, b) in zip(source.shape, paddings, strict=True)])
    value = pad_value(graph, node)
    if source.dtype == "int8" and not -128 <= value <= 127:
        refuse(graph, node, f"an output with the zero point {value}", "-128 to 127")


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The padded tensor."""
    values = inputs[0]
    assert values is not None
    return (np.pad(values, paddings_of(graph, node), constant_values=pad_value(graph, node)),)


def row_sources(shape: tuple[int, ...], paddings: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """For each output row the input row in it, one that the input does not have where there is none.

    Args:
        shape: The input's dimensions that make rows.
        paddings: Along each.
    """
    rows = prod(shape)
    if not shape:
        return (0,)
    if prod(shape[:-1]) == 1 and not any(map(any, paddings[:-1])):
        front, behind = paddings[-1]
        return tuple(range(-front, rows + behind))    # a straight line, also outside
    return tuple(np.pad(np.arange(rows).reshape(shape), paddings, constant_values=NO_ROW).reshape(-1).tolist())


def lower(lowering: Lowering, node: Node) -> None:
    """One layer: each output row is filled, and an input row put into it where there is one."""
    graph = lowering.graph
    source, output = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    paddings = paddings_of(graph, node)
    if not any(map(any, paddings)):
        lowering.alias(source.index, output.index)
        return
    cut = row_dimensions(len(source.shape))
    starts = row_sources(source.shape[:cut], paddings[:cut])
    inner, outer = source.shape[cut:], output.shape[cut:]
    row = rows_of(source.shape)[1]
    steps = strides_of(outer)
    value = pad_value(graph, node)
    add_strided_copy(
        lowering,
        node,
        output.index,
        Read(
            lowering.value(source.index).index,
            row * element_bytes(source),
            starts,
        ),
        len(starts),
        rows_of(output.shape)[1],
        [Loop(*each) for each in zip(inner, strides_of(inner), steps, strict=True)],
        0,
        sum(front * step for (front, _), step in zip(paddings[cut:], steps, strict=True)),
        fill=struct.unpack("<i", struct.pack("<f", value))[0] if source.dtype == "float32" else int(value),
    )


OP = Op("PAD", check, reference, lower)
