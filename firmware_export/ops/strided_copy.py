"""Layers of the kernels ``strided_copy`` and ``copy``: an output made of one input by nested loops.

A ``Walk`` says where the elements of an output lie in the input. ``lower_walk`` makes a layer of it whose output rows
each come from one input row where the walk allows that, and from the whole input where it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import gcd, prod

from firmware_export.graph import Node
from firmware_export.layer import FieldValue, Layer, Read, rows_of
from firmware_export.ops.base import Lowering
from firmware_export.ops.movement import element_bytes, row_dimensions, strides_of

LOOPS = 4
"""Nested loops of the kernel ``strided_copy``, runs of neighbours not counted."""


@dataclass(frozen=True)
class Walk:
    """Where each element of an output lies in the input: (i, j, …) at ``first + i * steps[0] + j * steps[1] + …``.

    Attributes:
        counts: The output's dimensions; its own, or with further ones of size 1.
        steps: Elements of the input, negative for a way back, 0 for a repetition.
        first: Of output element (0, 0, …).
        cut: Leading dimensions that are the output's rows.
    """

    counts: tuple[int, ...]
    steps: tuple[int, ...]
    first: int
    cut: int


@dataclass(frozen=True)
class Loop:
    """A dimension that a kernel walks: rounds, and elements from one to the next in the input and in the output."""

    count: int
    source: int
    target: int


def lower_walk(lowering: Lowering, node: Node, source: int, target: int, walk: Walk, row: int | None = None) -> None:
    """Add the layer that makes one output of one input, or let both share their bytes where nothing moves.

    Args:
        lowering: The program in the making.
        node: A checked node.
        source: The input tensor.
        target: The output tensor.
        walk: From the output's elements to the input's.
        row: Elements of an input row; None: as ``rows_of`` cuts the input's shape.
    """
    tensor = lowering.graph.tensors[source]
    loops = merged([Loop(*each) for each in zip(walk.counts, walk.steps, strides_of(walk.counts), strict=True)])
    if walk.first == 0 and loops == merged([Loop(tensor.size, 1, 1)]):
        lowering.alias(source, target)
        return
    inner = walk.counts[walk.cut :]
    inner_steps = walk.steps[walk.cut :]
    lowest = sum(min(0, (count - 1) * step) for count, step in zip(inner, inner_steps, strict=True))
    highest = sum(max(0, (count - 1) * step) for count, step in zip(inner, inner_steps, strict=True))
    begins = [
        walk.first + lowest + sum(i * step for i, step in zip(position, walk.steps, strict=False))
        for position in product(*map(range, walk.counts[: walk.cut]))
    ]
    extent = highest - lowest + 1
    row = row or rows_of(tensor.shape)[1]
    size = element_bytes(tensor)
    within = {begin % row for begin in begins}
    value = lowering.value(source)
    if len(within) == 1 and (shift := within.pop()) + extent <= row:
        read = Read(value.index, row * size, tuple(begin // row for begin in begins))
    else:
        # Every output row needs input from several rows: the whole input, from the lowest element that it touches.
        unit, shift = gcd(tensor.size, *begins), 0
        count = -(-extent // unit)
        read = Read(value.index, unit * size, tuple(begin // unit for begin in begins), count, contiguous=True)
    loops = [Loop(*each) for each in zip(inner, inner_steps, strides_of(inner), strict=True)]
    add_strided_copy(lowering, node, target, read, len(begins), prod(inner), loops, shift - lowest)


def fits(walk: Walk) -> bool:
    """Whether the kernel has loops enough for an output row."""
    inner = walk.counts[walk.cut :]
    loops = merged([Loop(*each) for each in zip(inner, walk.steps[walk.cut :], strides_of(inner), strict=True)])
    run = 1 if loops and loops[-1].source == 1 else 0    # the kernel moves neighbours as one
    return len(loops) - run <= LOOPS


def lower_block(
    lowering: Lowering,
    node: Node,
    source: int,
    target: int,
    begins: Sequence[int],
    sizes: Sequence[int],
    strides: Sequence[int] | None = None,
) -> None:
    """Add the layer that takes a block out of a tensor; the output may lack dimensions of size 1 of it.

    Args:
        lowering: The program in the making.
        node: A checked node.
        source: The input tensor.
        target: The output tensor.
        begins: The block's first position along each dimension of the input.
        sizes: Its positions.
        strides: From one to the next, negative for a way back; None: all 1.
    """
    shape = lowering.graph.tensors[source].shape
    elements = strides_of(shape)
    steps = elements if strides is None else tuple(a * b for a, b in zip(elements, strides, strict=True))
    first = sum(begin * step for begin, step in zip(begins, elements, strict=True))
    lower_walk(lowering, node, source, target, Walk(tuple(sizes), steps, first, row_dimensions(len(shape))))


def add_strided_copy(
    lowering: Lowering,
    node: Node,
    target: int,
    read: Read,
    rows: int,
    row: int,
    loops: Sequence[Loop],
    source_first: int,
    target_first: int = 0,
    fill: int | None = None,
) -> None:
    """Add a layer of the kernel ``strided_copy``, or of ``copy`` where rows move as they are.

    Args:
        lowering: The program in the making.
        node: A checked node.
        target: The output tensor.
        read: What each output row comes from.
        rows: Of the output.
        row: Elements of one.
        loops: From the outermost to the innermost; at most ``LOOPS`` after merging, runs not counted.
        source_first: Element of the input row that is moved first.
        target_first: Element of the output row that it becomes.
        fill: What the output row holds where nothing is moved to, as the bits of an element (of int16: 0); None if that
            is nowhere.
    """
    tensor = lowering.graph.tensors[target]
    size = element_bytes(tensor)
    kernel = "copy"
    fields: dict[str, FieldValue] = {"bytes": row * size}
    joined = merged(loops)
    if fill is not None or source_first or joined != merged([Loop(row, 1, 1)]):
        kernel, fields = "strided_copy", _strided(joined, size, row, source_first, target_first, fill)
    output = lowering.output(target, rows, row * size)
    lowering.add(
        Layer(
            op=node.op,
            node=node.index,
            kernel=kernel,
            function=kernel,
            reads=(read,),
            output=output.index,
            rows=rows,
            row_bytes=row * size,
            steps=rows,
            fields=fields,
        )
    )


def _strided(
    loops: Sequence[Loop], size: int, row: int, source_first: int, target_first: int, fill: int | None
) -> dict[str, FieldValue]:
    """The fields of ``struct ec_strided_copy``, in bytes."""
    run = size
    if loops and loops[-1].source == loops[-1].target == 1:
        run *= loops[-1].count
        loops = loops[:-1]
    assert len(loops) <= LOOPS
    padded = (*(Loop(1, 0, 0),) * (LOOPS - len(loops)), *loops)
    fields: dict[str, FieldValue] = {}
    for number, loop in enumerate(padded):
        fields[f"count_{number}"] = loop.count
        fields[f"in_step_{number}"] = loop.source * size
        fields[f"out_step_{number}"] = loop.target * size
    return {
        **fields,
        "run": run,
        "in_first": source_first * size,
        "out_first": target_first * size,
        "out_bytes": row * size,
        "fill_bytes": 0 if fill is None else 1 if fill == 0 and size == 2 else size,
        "fill": fill or 0,
    }


def merged(loops: Sequence[Loop]) -> list[Loop]:
    """The same walk in as few loops as possible: without those of one round, and those that run on joined."""
    result: list[Loop] = []
    for loop in loops:
        if loop.count == 1:
            continue
        if result:
            outer = result[-1]
            if outer.source == loop.source * loop.count and outer.target == loop.target * loop.count:
                result[-1] = Loop(outer.count * loop.count, loop.source, loop.target)
                continue
        result.append(loop)
    return result
