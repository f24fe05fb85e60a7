"""The lowered network: layers that compute rows from rows. What the planner plans and the emitter writes.

A *value* is a block of bytes that layers write and read. It is made of *rows*: for an activation ``[1, H, W, C]``
there are H rows of W·C elements. The row is the unit of work: in each of its *steps* a layer reads some rows of its
inputs and writes one row of its output (an accumulating layer adds one row of its input to its sums, and writes its
output in the last step). A layer run whole takes its steps in a loop; layers run depth first take them in the order
that the planner found, each value keeping only the rows that somebody still needs (a *ring*).

A reader may see a value in rows of another size than its writer: RESHAPE moves nothing. Rows are then counted in the
reader's size, over the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

C_TYPES: Mapping[str, str] = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "float32": "float",
    "bool": "uint8_t",
}
"""The C type of an element."""


@dataclass(frozen=True)
class Value:
    """A block of bytes.

    Attributes:
        index: Its place in ``Program.values``.
        tensor: Index of the graph's tensor it stands for (the first, where reshaped tensors share a value).
        name: For comments.
        dtype: Of the elements.
        rows: Rows as its writer makes them (inputs and constants: as ``rows_of`` cuts the shape).
        row_bytes: Bytes of one of them. ``rows * row_bytes`` is the whole.
        shape: For comments and messages.
        data: The bytes of a constant, which lies in flash; None otherwise.
        quant: Scale and zero point, where it has one of each.
    """

    index: int
    tensor: int
    name: str
    dtype: str
    rows: int
    row_bytes: int
    shape: tuple[int, ...]
    data: bytes | None = field(default=None, repr=False)
    quant: tuple[float, int] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all rows."""
        return self.rows * self.row_bytes


@dataclass(frozen=True)
class Read:
    """What a layer reads of one value.

    In step ``y`` it reads the rows ``start[y] + k * step`` for k < ``count``; those outside ``[0, rows)`` do not exist
    and the kernel is handed NULL for them.

    Attributes:
        value: Index in ``Program.values``.
        row_bytes: The size of a row as this layer sees the value; divides the value's bytes.
        start: The first row of each step, one entry per step.
        count: Rows per step.
        step: Distance between them (dilation).
        contiguous: The kernel gets one pointer, to row ``start[y]``, and reads all ``count`` rows from there on: they
            must lie one after the other, so the value is kept whole. ``step`` is 1 and all rows exist.
    """

    value: int
    row_bytes: int
    start: tuple[int, ...]
    count: int = 1
    step: int = 1
    contiguous: bool = False

    def needs(self, y: int, rows: int) -> tuple[int, int] | None:
        """The lowest and the highest existing row that step ``y`` reads, or None if it reads none."""
        start = self.start[y]
        first = max(0, -(start // self.step))    # the rows in front of row 0 do not exist
        last = min(self.count - 1, (rows - 1 - start) // self.step)
        return (start + first * self.step, start + last * self.step) if first <= last else None


@dataclass(frozen=True)
class Array:
    """A constant table in flash.

    Attributes:
        data: As the kernel reads it; int8, uint8, int16, int32 or float32.
        comment: Its layout, such as ``[out_channels][kernel_h][kernel_w][in_channels]``.
        is_weights: It holds the network's parameters (weights, biases, requantization), not tables of the compiler.
    """

    data: NDArray[Any]
    comment: str
    is_weights: bool = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Array) and self.comment == other.comment and np.array_equal(self.data, other.data)

    def __hash__(self) -> int:
        return hash((self.comment, self.data.tobytes()))


FieldValue = int | float | Array
"""What a field of a kernel's struct is initialised with. ``float`` becomes a C float with all its digits."""


@dataclass(frozen=True)
class Layer:
    """One kernel with its parameters, and what it reads and writes.

    The emitted call is ``ec_<function>(&layer, out, in…[, y][, sums][, scratch])``: ``out`` points to the row (an
    accumulating layer: to row 0 of its output), then come the reads in their order: a pointer to the row for each
    read with ``count == 1`` or ``contiguous``, an array of ``count`` row pointers for any other. With ``one_list``, the
    pointers of all reads are handed over in a single array instead.

    Attributes:
        op: TFLite's operator, for reports.
        node: Index of the graph's node.
        kernel: Stem of the kernel's file.
        function: The kernel's function without ``ec_``; its struct is ``struct ec_<kernel>``.
        reads: What it reads.
        output: Index of the value that it writes.
        rows: Rows of the output, as this layer makes them.
        row_bytes: Bytes of one of them.
        steps: ``rows``, or for an accumulating layer the number of rows that it adds up (``rows`` is then 1).
        fields: The struct's fields in the order of the struct.
        macs: Multiply-accumulates of all steps together.
        in_place: Positions in ``reads`` whose row may lie in the same memory as the output row: element i of it is read
            before element i of the output is written, and not again. Such a read has ``start[y] == y`` and the output's
            row size.
        sums_bytes: Memory that lives from the first step to the last, such as accumulators (int32-aligned): what one
            step leaves there a later one may use, so the steps never run backwards.
        scratch_bytes: Memory used within a step (int32-aligned).
        takes_row: The kernel wants to know ``y``.
        one_list: All row pointers in one array.
        accumulating: The same layer as one that adds up row after row, so that its input need not be kept; None if it
            has no such form.
        alternatives: Other forms of the same layer, as of other kernels, each faster than those after it; all slower
            than this one. They write the same rows of the same value and have no alternatives themselves. Empty once
            one of them was chosen (``choice``).
    """

    op: str
    node: int
    kernel: str
    function: str
    reads: tuple[Read, ...]
    output: int
    rows: int
    row_bytes: int
    steps: int
    fields: Mapping[str, FieldValue]
    macs: int = 0
    in_place: tuple[int, ...] = ()
    sums_bytes: int = 0
    scratch_bytes: int = 0
    takes_row: bool = False
    one_list: bool = False
    accumulating: Layer | None = None
    alternatives: tuple[Layer, ...] = ()


@dataclass(frozen=True)
class Program:
    """The whole lowered network.

    Attributes:
        name: The C identifier that everything is named after.
        values: All values.
        layers: In an order in which they can run.
        inputs: Values that the caller fills.
        outputs: Values that the caller reads; they lie in the caller's memory.
        instruction_set: Folder of its kernels; those that are not there are portable.
    """

    name: str
    values: tuple[Value, ...]
    layers: tuple[Layer, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    instruction_set: str = "portable"


def rows_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and elements per row of a tensor: ``[1, H, W, C]`` has H, ``[1, T, C]`` T, ``[N, C]`` N, a vector one."""
    size = int(np.prod(shape, dtype=np.int64))
    rows = int(np.prod(shape[: min(2, len(shape) - 1)], dtype=np.int64)) if len(shape) > 1 else 1
    return (rows, size // rows) if rows else (0, 0)
