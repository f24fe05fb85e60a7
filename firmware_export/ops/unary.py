"""What operators on one tensor share: a function of one byte is a table of 256, or a clip where the table is one.

int16 has too many values for a table: an operator that takes it names a kernel (``Int16Form``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node, Tensor
from firmware_export.layer import Array, FieldValue, Layer, Read, rows_of
from firmware_export.ops.base import Inputs, Lowering, Op, need_input, need_int8, need_quantized, output_tensor, refuse

EVERY_INT8: NDArray[np.int64] = np.arange(-128, 128)
"""The argument of a table: entry ``i`` belongs to the byte ``i - 128``."""

UnaryFunction = Callable[[Graph, Node, NDArray[np.int64]], NDArray[np.int64]]
"""An operator on quantized values, held in int64."""

Int16Form = Callable[[Graph, Node], tuple[str, str, Mapping[str, FieldValue]]]
"""For a checked node with int16 on either side: the kernel's file, its function, and its fields but for ``count``."""

LOOKUPS = {
    ("int8", "int8"): "lookup",
    ("uint8", "int8"): "lookup_of_uint8",
    ("int8", "uint8"): "lookup_to_uint8",
}
"""The kernel's function for the types of input and output."""


def need_arity(graph: Graph, node: Node, inputs: int) -> None:
    """Refuse another number of inputs, or not one output."""
    if len(node.inputs) != inputs or len(node.outputs) != 1:
        found = f"a node with {len(node.inputs)} inputs and {len(node.outputs)} outputs"
        refuse(graph, node, found, f"{inputs} and 1", "The file is damaged.")


def need_elements(graph: Graph, node: Node, tensor: Tensor) -> None:
    """Refuse a tensor without elements."""
    if not tensor.size:
        refuse(graph, node, f"a tensor of shape {list(tensor.shape)}", "tensors with elements")


def check_shapes(graph: Graph, node: Node) -> None:
    """Refuse anything but one input and an output of the same shape, both with elements."""
    need_arity(graph, node, 1)
    source, output = need_input(graph, node, 0, "input"), output_tensor(graph, node)
    need_elements(graph, node, source)
    if output.shape != source.shape:
        found = f"an output of {list(output.shape)}"
        refuse(graph, node, found, f"{list(source.shape)} here", "The file is damaged.")


def check_unary(graph: Graph, node: Node, int16: bool = False) -> None:
    """Refuse what ``check_shapes`` refuses, and anything but int8 (or ``int16``) on both sides with one scale."""
    check_shapes(graph, node)
    source, output = need_input(graph, node, 0, "input"), output_tensor(graph, node)
    if int16:
        need_quantized(graph, node, source, "an input")
        need_quantized(graph, node, output, "an output", source)
    else:
        need_int8(graph, node, source, "an input")
        need_int8(graph, node, output, "an output")


def unary_op(
    name: str, check: Callable[[Graph, Node], None], function: UnaryFunction, int16: Int16Form | None = None
) -> Op:
    """The operator that applies a function to each value.

    Args:
        name: TFLite's.
        check: Refuses what is not supported: int16 too, where there is no form for it.
        function: The operator.
        int16: Its form for int16.
    """
    return Op(name, check, partial(_reference, function), partial(_lower, function, int16))


def _reference(function: UnaryFunction, graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    assert inputs[0] is not None
    values = function(graph, node, inputs[0].astype(np.int64))
    return (values.astype(np.dtype(graph.tensors[node.outputs[0]].dtype)),)


def _lower(function: UnaryFunction, int16: Int16Form | None, lowering: Lowering, node: Node) -> None:
    source = lowering.graph.tensors[node.inputs[0]]
    if "int16" in (source.dtype, output_tensor(lowering.graph, node).dtype):
        assert int16 is not None
        lower_rows(lowering, node, *int16(lowering.graph, node))
        return
    every = EVERY_INT8 if source.dtype == "int8" else np.arange(256)
    lower_table(lowering, node, function(lowering.graph, node, every))


def lower_table(lowering: Lowering, node: Node, table: NDArray[np.int64], position: int = 0) -> None:
    """One layer that looks every element up.

    Args:
        lowering: The program in the making.
        node: A checked node; the input has as many elements as the output.
        table: What becomes of each value of the input's type, lowest first.
        position: Of the input among the node's inputs.
    """
    source, output = lowering.graph.tensors[node.inputs[position]], output_tensor(lowering.graph, node)
    types = (source.dtype, output.dtype)
    low, high = int(table.min()), int(table.max())
    if types == ("int8", "int8") and np.array_equal(table, np.clip(EVERY_INT8, low, high)):
        lower_rows(lowering, node, "clip", "clip", {"low": low, "high": high}, position)
        return
    argument = "value + 128" if source.dtype == "int8" else "value"
    entries = Array(table.astype(np.uint8).view(np.int8), f"[{argument}]", is_weights=False)
    lower_rows(lowering, node, "lookup", LOOKUPS[types], {"table": entries}, position)


def lower_rows(
    lowering: Lowering, node: Node, kernel: str, function: str, fields: Mapping[str, FieldValue], position: int = 0
) -> None:
    """One layer: each output row from the input row of the same number. The first field, ``count``, is a row's size."""
    source = lowering.value(node.inputs[position])
    tensor = output_tensor(lowering.graph, node)
    rows, count = rows_of(tensor.shape)
    row_bytes = count * np.dtype(tensor.dtype).itemsize
    output = lowering.output(tensor.index, rows, row_bytes)
    read = Read(source.index, source.nbytes // rows, tuple(range(rows)))
    lowering.add(
        Layer(
            op=node.op,
            node=node.index,
            kernel=kernel,
            function=function,
            reads=(read,),
            output=output.index,
            rows=rows,
            row_bytes=row_bytes,
            steps=rows,
            fields={"count": count, **fields},
            in_place=(0,) if read.row_bytes == row_bytes and source.data is None else (),
        )
    )
