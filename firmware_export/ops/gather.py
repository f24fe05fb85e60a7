"""GATHER: the slices of a table that ids name, as in an embedding. int8, int32 and float32 tables, int32 ids.

Table and ids may each be a constant or computed; ``axis`` and ``batch_dims`` as in TFLite (TFLite Micro takes no int32
tables). An id outside the table is an error in newer versions of TFLite Micro and reads foreign memory in older ones:
here the nearest id that exists takes its place, and a constant id outside is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import Layer, Read, rows_of
from firmware_export.ops.base import Inputs, Lowering, Op, constant, need_dtype, need_input, option_int, refuse
from firmware_export.ops.movement import (
    DAMAGED,
    element_bytes,
    need_axis,
    need_data,
    need_dimensions,
    need_elements,
    need_operands,
    need_output,
)

TABLE, IDS = 0, 1
"""Positions of the inputs."""

ID_BYTES = 4


@dataclass(frozen=True)
class Geometry:
    """The table as ``[batch][outer][positions][inner]``, the ids as ``[batch][ids]``.

    The output is ``[batch][outer][ids][inner]``.

    Attributes:
        batch: Product of the dimensions that table and ids share.
        outer: Product of the table's further dimensions in front of the axis.
        positions: Along the axis.
        inner: Elements of a position.
        ids: In a batch.
        shape: Of the output.
        axis: Counted from the front.
    """

    batch: int
    outer: int
    positions: int
    inner: int
    ids: int
    shape: tuple[int, ...]
    axis: int


def geometry(graph: Graph, node: Node) -> Geometry:
    """How table and ids lie.

    Raises:
        ModelError: Axis or batch dimensions do not exist, or table and ids do not share the latter.
    """
    table, ids = graph.tensors[node.inputs[TABLE]].shape, graph.tensors[node.inputs[IDS]].shape
    axis = need_axis(graph, node, option_int(node, "axis"), len(table))
    batch_dims = option_int(node, "batch_dims")
    batch_dims += len(ids) if batch_dims < 0 else 0
    if not 0 <= batch_dims <= min(axis, len(ids)) or table[:batch_dims] != ids[:batch_dims]:
        found = f"{batch_dims} batch dimensions of a table of {list(table)} and ids of {list(ids)}, with axis {axis},"
        refuse(graph, node, found, "batch dimensions that both share, in front of the axis", DAMAGED)
    return Geometry(
        batch=prod(table[:batch_dims]),
        outer=prod(table[batch_dims:axis]),
        positions=table[axis],
        inner=prod(table[axis + 1 :]),
        ids=prod(ids[batch_dims:]),
        shape=(*table[:axis], *ids[batch_dims:], *table[axis + 1 :]),
        axis=axis,
    )


def check(graph: Graph, node: Node) -> None:
    """Refuse other types, and constant ids that the table does not have."""
    need_operands(graph, node, 2)
    table, ids = need_data(graph, node, TABLE), need_input(graph, node, IDS, "tensor of ids")
    need_dimensions(graph, node, table)
    need_dtype(graph, node, ids, "ids", "int32")
    need_elements(graph, node, ids, "ids")
    form = geometry(graph, node)
    need_output(graph, node, table, form.shape)
    if ids.is_constant:
        values = constant(ids)
        if int(values.min()) < 0 or int(values.max()) >= form.positions:
            found = f"ids from {values.min()} to {values.max()} of {form.positions}"
            refuse(graph, node, found, f"0 to {form.positions - 1}")


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The slices that the ids name."""
    table, ids = inputs[TABLE], inputs[IDS]
    assert table is not None and ids is not None
    form = geometry(graph, node)
    blocks = table.reshape(form.batch, form.outer, form.positions, form.inner)
    rows = np.clip(ids, 0, form.positions - 1).reshape(form.batch, form.ids)
    taken = [np.take(block, row, axis=1) for block, row in zip(blocks, rows, strict=True)]
    return (np.stack(taken).reshape(form.shape),)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer: a row for some ids from the whole table, or a row of the table for all ids."""
    graph = lowering.graph
    form = geometry(graph, node)
    table, ids = lowering.value(node.inputs[TABLE]), lowering.value(node.inputs[IDS])
    size = element_bytes(graph.tensors[node.outputs[0]])
    if form.batch * form.outer == 1:
        elements = rows_of(form.shape)[1]
        together = elements // form.inner if elements % form.inner == 0 else 1
        slices, rows = 1, form.ids // together
        table_read = Read(table.index, table.nbytes, (0,) * rows, contiguous=True)
        ids_read = Read(ids.index, together * ID_BYTES, tuple(range(rows)))
    else:
        together = form.ids
        rows = form.batch * form.outer
        if form.batch == 1:
            rows = prod(graph.tensors[node.inputs[TABLE]].shape[: min(2, form.axis)])
        slices = form.batch * form.outer // rows
        table_read = Read(table.index, table.nbytes // rows, tuple(range(rows)))
        in_batch = tuple(y * form.batch // rows for y in range(rows))
        ids_read = Read(ids.index, together * ID_BYTES, in_batch, contiguous=True)
    row_bytes = slices * together * form.inner * size
    output = lowering.output(node.outputs[0], rows, row_bytes)
    lowering.add(
        Layer(
            op=node.op,
            node=node.index,
            kernel="gather",
            function="gather",
            reads=(table_read, ids_read),
            output=output.index,
            rows=rows,
            row_bytes=row_bytes,
            steps=rows,
            fields={
                "slices": slices,
                "positions": form.positions,
                "ids": together,
                "bytes": form.inner * size,
            },
        )
    )


OP = Op("GATHER", check, reference, lower)
