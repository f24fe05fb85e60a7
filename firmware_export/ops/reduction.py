"""What MEAN, SUM, REDUCE_MAX and REDUCE_MIN share: the axes, their geometry, and the layers that walk them.

The dimensions that are summed (or searched) and those that are kept are merged into runs: ``[1, H, W, C]`` over H and
W is one reduced run of H·W and one kept run of C. Where leading dimensions are reduced, the layer has two forms: one
that sees the whole input at once, and one that takes it row by row and keeps a sum for each output. Where leading
dimensions are kept, each output row comes from its own row of the input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from firmware_export.graph import Graph, Node, Tensor
from firmware_export.layer import FieldValue, Layer, Read
from firmware_export.ops.base import (
    Lowering,
    constant,
    need_constant,
    need_dtype,
    need_input,
    need_int8,
    need_quantized,
    option_int,
    output_tensor,
    refuse,
)
from firmware_export.ops.movement import element_bytes

MAX_RANK = 5
"""TFLite Micro's index arrays end there."""

INT32_LIMIT = 1 << 31


@dataclass(frozen=True)
class Run:
    """Neighbouring dimensions that are all kept or all reduced, as one.

    Attributes:
        count: Positions along it.
        stride: Elements from one position to the next.
    """

    count: int
    stride: int


@dataclass(frozen=True)
class Pattern:
    """How outputs and the inputs of each lie in a block of memory.

    Attributes:
        kept: The runs of the outputs, in their order; the kernels take two.
        reduced: The runs that each output goes over; the kernels take two.
    """

    kept: tuple[Run, ...]
    reduced: tuple[Run, ...]

    @property
    def outputs(self) -> int:
        """Outputs of the block."""
        return prod(run.count for run in self.kept)

    @property
    def fields(self) -> dict[str, FieldValue]:
        """The first fields of the kernels' structs, missing runs as runs of one."""
        one = Run(1, 0)
        outer, inner = (one,) * (2 - len(self.kept)) + self.kept
        lines, taps = (one,) * (2 - len(self.reduced)) + self.reduced
        return {
            "outer": outer.count,
            "outer_step": outer.stride,
            "inner": inner.count,
            "inner_step": inner.stride,
            "lines": lines.count,
            "line_step": lines.stride,
            "taps": taps.count,
            "tap_step": taps.stride,
        }


def axes_of(graph: Graph, node: Node) -> tuple[int, ...]:
    """The reduced dimensions, ascending, counted from the front, each once.

    Raises:
        ModelError: They are not known before the network runs, or lie outside the input.
    """
    image = need_input(graph, node, 0, "input")
    axes = need_input(graph, node, 1, "axes tensor")
    need_dtype(graph, node, axes, "an axes tensor", "int32")
    need_constant(graph, node, axes, "axes tensor")
    rank = len(image.shape)
    found = [int(axis) for axis in constant(axes).reshape(-1)]
    if not all(-rank <= axis < rank for axis in found):
        refuse(graph, node, f"a reduction over the axes {found[:8]} of {rank} dimensions", "axes of the input")
    return tuple(sorted({axis % rank for axis in found}))


def keeps_dims(node: Node) -> bool:
    """Whether reduced dimensions stay, as 1."""
    return bool(option_int(node, "keep_dims"))


def reduced_shape(shape: tuple[int, ...], axes: tuple[int, ...], keep: bool) -> tuple[int, ...]:
    """The output's shape."""
    return tuple(1 if axis in axes else size for axis, size in enumerate(shape) if keep or axis not in axes)


def window_size(graph: Graph, node: Node) -> int:
    """Inputs of each output."""
    shape = graph.tensors[node.inputs[0]].shape
    return prod(shape[axis] for axis in axes_of(graph, node))


def check_reduction(graph: Graph, node: Node, int16: bool = False) -> tuple[Tensor, Tensor]:
    """Refuse what no reduction takes, and int16 where it is not allowed.

    Returns:
        The input and the output, both of one type with one scale.
    """
    image = need_input(graph, node, 0, "input")
    output = output_tensor(graph, node)
    if int16:
        need_quantized(graph, node, image, "an input")
        need_quantized(graph, node, output, "an output", image)
    else:
        need_int8(graph, node, image, "an input")
        need_int8(graph, node, output, "an output")
    if not 1 <= len(image.shape) <= MAX_RANK or not image.size:
        refuse(graph, node, f"an input of shape {list(image.shape)}", f"1 to {MAX_RANK} dimensions with elements")
    axes = axes_of(graph, node)
    expected = reduced_shape(image.shape, axes, keeps_dims(node))
    if output.shape != expected:
        refuse(graph, node, f"an output of {list(output.shape)}", f"{list(expected)} here", "The file is damaged.")
    pattern = _pattern(image.shape, axes, 0)
    if len(pattern.reduced) > 2:
        found = f"a reduction of {list(image.shape)} over the axes {list(axes)}"
        refuse(graph, node, found, "at most two groups of neighbouring axes", "Reduce in two steps.")
    return image, output


def _pattern(shape: tuple[int, ...], axes: tuple[int, ...], first: int) -> Pattern:
    """The runs of ``shape[first:]``."""
    runs: list[tuple[bool, Run]] = []
    stride = 1
    for axis in reversed(range(first, len(shape))):
        if shape[axis] > 1:
            reduced = axis in axes
            if runs and runs[-1][0] == reduced:
                last = runs.pop()[1]
                runs.append((reduced, Run(last.count * shape[axis], last.stride)))
            else:
                runs.append((reduced, Run(shape[axis], stride)))
        stride *= shape[axis]
    runs.reverse()
    return Pattern(tuple(run for reduced, run in runs if not reduced), tuple(run for reduced, run in runs if reduced))


def _leading(shape: tuple[int, ...], axes: tuple[int, ...], reduced: bool) -> tuple[int, int]:
    """How many dimensions from the front make rows and are all reduced (or all kept), and their positions together."""
    length = 0
    while length < min(2, len(shape) - 1) and (shape[length] == 1 or (length in axes) == reduced):
        length += 1
    return length, prod(shape[:length])


def lower_reduction(
    lowering: Lowering, node: Node, kernel: str, fields: Mapping[str, FieldValue], sum_bytes: int
) -> None:
    """Add the layer of a reduction.

    Args:
        lowering: The program in the making.
        node: A checked node.
        kernel: Stem of the kernel's file. The function that sees a whole block is named alike, the one that takes
            rows one after the other has ``_accumulate`` behind it.
        fields: The struct's fields after the geometry and ``steps``.
        sum_bytes: Bytes that the accumulating form keeps for each output.
    """
    graph = lowering.graph
    shape, axes = graph.tensors[node.inputs[0]].shape, axes_of(graph, node)
    value = lowering.value(node.inputs[0])
    length, rows = _leading(shape, axes, reduced=False)
    streamed = rows > 1
    if not streamed:
        length, rows = 0, 1
    pattern = _pattern(shape, axes, length)
    row_bytes = pattern.outputs * element_bytes(graph.tensors[node.outputs[0]])
    output = lowering.output(node.outputs[0], rows, row_bytes)
    accumulating = None
    first, steps = _leading(shape, axes, reduced=True)
    if not streamed and steps > 1:
        part = _pattern(shape, axes, first)
        accumulating = Layer(
            op=node.op,
            node=node.index,
            kernel=kernel,
            function=f"{kernel}_accumulate",
            reads=(Read(value.index, value.nbytes // steps, tuple(range(steps))),),
            output=output.index,
            rows=1,
            row_bytes=row_bytes,
            steps=steps,
            fields={**part.fields, "steps": steps, **fields},
            sums_bytes=-(-pattern.outputs * sum_bytes // 4) * 4,
            takes_row=True,
        )
    if accumulating is None:
        read = Read(value.index, value.nbytes // rows, tuple(range(rows)))
    else:
        read = Read(value.index, value.nbytes // steps, (0,), count=steps, contiguous=True)
    lowering.add(
        Layer(
            op=node.op,
            node=node.index,
            kernel=kernel,
            function=kernel,
            reads=(read,),
            output=output.index,
            rows=rows,
            row_bytes=row_bytes,
            steps=rows,
            fields={**pattern.fields, "steps": 1, **fields},
            in_place=(0,) if not pattern.reduced else (),
            accumulating=accumulating,
        )
    )
