"""What RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR share: what they take, and the sizes on both sides."""

from __future__ import annotations

from firmware_export.graph import Graph, Node, Tensor
from firmware_export.ops.base import (
    constant,
    need_constant,
    need_dtype,
    need_input,
    need_rank,
    option_int,
    output_tensor,
    refuse,
)

LARGEST = 16_384
"""Pixels along an axis: positions in 1/1024 pixel and column tables of int16 have room for it."""


def check_resize(graph: Graph, node: Node) -> tuple[Tensor, Tensor]:
    """Refuse what is not int8 ``[B, H, W, C]`` to a constant size.

    Quantization does not matter: TFLite Micro resizes the numbers as they are.

    Returns:
        The input and the output.
    """
    image = need_input(graph, node, 0, "input")
    size = need_input(graph, node, 1, "size")
    output = output_tensor(graph, node)
    need_dtype(graph, node, image, "an input", "int8")
    need_dtype(graph, node, output, "an output", "int8")
    need_dtype(graph, node, size, "a size", "int32")
    need_constant(graph, node, size, "size")
    need_rank(graph, node, image, "an input", 4)
    if size.shape != (2,):
        refuse(graph, node, f"a size of shape {list(size.shape)}", "[2]: height and width", "The file is damaged.")
    height, width = (int(value) for value in constant(size))
    sizes = (*image.shape, height, width)
    if min(sizes) < 1 or max(sizes[1], sizes[2], height, width) > LARGEST:
        found = f"a resize from {list(image.shape)} to {height}x{width}"
        refuse(graph, node, found, f"heights and widths of 1 to {LARGEST}")
    expected = (image.shape[0], height, width, image.shape[3])
    if output.shape != expected:
        refuse(graph, node, f"an output of {list(output.shape)}", f"{list(expected)} here", "The file is damaged.")
    return image, output


def flags(node: Node) -> tuple[bool, bool]:
    """``align_corners`` and ``half_pixel_centers``."""
    return bool(option_int(node, "align_corners")), bool(option_int(node, "half_pixel_centers"))


def over_batches(rows: tuple[int, ...], batches: int, height: int) -> tuple[int, ...]:
    """The input row of each output row, from that of one image to those of ``batches`` images of ``height`` rows."""
    return tuple(batch * height + row for batch in range(batches) for row in rows)
