"""RESIZE_BILINEAR, int8: each output pixel is a weighted mean of the four around its place in the input.

Arithmetic: TFLite Micro ``ResizeBilinearInteger``: places in 1/1024 pixel, made of a step that is itself rounded to
1/1024, weights that sum to 2**20, and rounding half away from zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import Layer, Read
from firmware_export.ops.base import Inputs, Lowering, Op, refuse
from firmware_export.ops.resize import check_resize, flags, over_batches

ONE = 1 << 10
"""A pixel, in the units of places and weights."""


@dataclass(frozen=True)
class Places:
    """Where outputs lie along one axis of the input: output k at ``first + k * step``.

    Attributes:
        size: Pixels of the input.
        first: Place of the first output; negative where centres of pixels are aligned and the image grows.
        step: From one output to the next.
        lower: int64 ``[out]``, the pixel at or before each place.
        upper: int64 ``[out]``, the pixel at or behind it.
        weight: int64 ``[out]``, of the upper pixel; the lower one has the rest of ``ONE``.
    """

    size: int
    first: int
    step: int
    lower: NDArray[np.int64]
    upper: NDArray[np.int64]
    weight: NDArray[np.int64]

    @property
    def moves_nothing(self) -> bool:
        """Whether each output is a pixel of its own."""
        return len(self.lower) == self.size and self.first == 0 and self.step == ONE


def places(size: int, out: int, align_corners: bool, half_pixel_centers: bool) -> Places:
    """The places of ``out`` outputs on ``size`` pixels."""
    step = (ONE * size + out // 2) // out
    if align_corners and out > 1:
        step = (ONE * (size - 1) + (out - 1) // 2) // (out - 1)
    first = step // 2 - ONE // 2 if half_pixel_centers else 0
    at = first + np.arange(out, dtype=np.int64) * step
    lower = np.maximum(at, 0) // ONE    # C divides towards zero: places between -1 and 0 belong to pixel 0
    upper = np.minimum(np.maximum(at + ONE - 1, 0) // ONE, size - 1)
    return Places(size, first, step, lower, upper, at - ONE * lower)


def check(graph: Graph, node: Node) -> None:
    """Refuse what TFLite Micro refuses, and the sizes with which it reads behind the image."""
    image, output = check_resize(graph, node)
    align, half = flags(node)
    if align and half:
        refuse(graph, node, "align_corners together with half_pixel_centers", "one of them, or none")
    for axis in (1, 2):
        along = places(image.shape[axis], output.shape[axis], align, half)
        if along.lower[-1] >= along.size:
            found = f"a resize of {along.size} to {output.shape[axis]} pixels, whose rounded step leaves the image,"
            refuse(graph, node, found, "sizes where it does not", "Choose another factor, or half_pixel_centers.")


def reference(graph: Graph, node: Node, inputs: Inputs) -> tuple[NDArray[Any], ...]:
    """The resized ``[B, H, W, C]``."""
    image = inputs[0]
    assert image is not None
    _, height, width, _ = graph.tensors[node.outputs[0]].shape
    align, half = flags(node)
    rows = places(image.shape[1], height, align, half)
    columns = places(image.shape[2], width, align, half)
    wide = image.astype(np.int64)
    down = rows.weight[:, np.newaxis, np.newaxis]
    mixed = wide[:, rows.lower] * (ONE - down) + wide[:, rows.upper] * down
    right = columns.weight[:, np.newaxis]
    total = mixed[:, :, columns.lower] * (ONE - right) + mixed[:, :, columns.upper] * right
    half_unit = np.where(total > 0, ONE * ONE // 2, -(ONE * ONE // 2))
    rounded = np.abs(total + half_unit) // (ONE * ONE) * np.sign(total)
    return (rounded.astype(np.int8),)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer: a row of the output from one or two rows of the input; none where every pixel stays."""
    batches, in_height, in_width, channels = lowering.graph.tensors[node.inputs[0]].shape
    _, height, width, _ = lowering.graph.tensors[node.outputs[0]].shape
    align, half = flags(node)
    vertical, horizontal = places(in_height, height, align, half), places(in_width, width, align, half)
    if vertical.moves_nothing and horizontal.moves_nothing:
        lowering.alias(node.inputs[0], node.outputs[0])
        return
    rows = tuple(int(row) for row in vertical.lower)
    single = bool((vertical.lower == vertical.upper).all())
    output = lowering.output(node.outputs[0], batches * height, width * channels)
    lowering.add(
        Layer(
            op=node.op,
            node=node.index,
            kernel="resize_bilinear",
            function="resize_bilinear_row" if single else "resize_bilinear",
            reads=(
                Read(
                    lowering.value(node.inputs[0]).index,
                    in_width * channels,
                    over_batches(rows, batches, in_height),
                    count=1 if single else 2,
                ),
            ),
            output=output.index,
            rows=batches * height,
            row_bytes=width * channels,
            steps=batches * height,
            fields={
                "in_height": in_height,
                "out_height": height,
                "first_y": vertical.first,
                "step_y": vertical.step,
                "in_width": in_width,
                "out_width": width,
                "first_x": horizontal.first,
                "step_x": horizontal.step,
                "channels": channels,
            },
            takes_row=True,
        )
    )


OP = Op("RESIZE_BILINEAR", check, reference, lower)
