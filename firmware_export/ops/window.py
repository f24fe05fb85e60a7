"""Geometry of operators that slide a window over an image: convolutions and pools."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.layer import Read
from firmware_export.ops.base import option_int, option_text, refuse

EXPLICIT_PADDING = "explicit_padding"
"""An option that passes add: ``(top, bottom, left, right)``, instead of ``padding``."""

LARGEST_WINDOW = 1 << 16
"""Pixels that a window may span; the kernels count in int32."""


@dataclass(frozen=True)
class Axis:
    """A window along one axis.

    Attributes:
        size: Of the input.
        out: Of the output.
        kernel: Taps.
        stride: From one output to the next.
        dilation: From one tap to the next.
        before: Padding in front; what is read behind the end needs no number.
    """

    size: int
    out: int
    kernel: int
    stride: int
    dilation: int
    before: int

    @property
    def starts(self) -> tuple[int, ...]:
        """Where the first tap of each output lies in the input; negative in the padding."""
        return tuple(y * self.stride - self.before for y in range(self.out))

    @property
    def extent(self) -> int:
        """From the first tap to the last, both included."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def is_single_window(self) -> bool:
        """Whether there is one output, all of whose taps lie in the input."""
        return self.out == 1 and self.before == 0 and self.extent <= self.size

    def read(self, value: int, row_bytes: int) -> Read:
        """The rows of a value that each output row reads, if this is the vertical axis."""
        return Read(value, row_bytes, self.starts, self.kernel, self.dilation)


def axes(graph: Graph, node: Node, image: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[Axis, Axis]:
    """The vertical and the horizontal axis of a node.

    SAME puts the smaller half of an odd padding in front (TFLite ``ComputePadding``): top and left.

    Args:
        graph: The network.
        node: A node with TFLite's window options.
        image: Shape of the input, NHWC.
        kernel: Height and width of the window.

    Raises:
        ModelError: Strides or dilations are not positive, or the window does not fit into the padded image.
    """
    padding = node.options.get(EXPLICIT_PADDING)
    ends = padding if isinstance(padding, tuple) else None
    found = []
    for number, letter in enumerate("hw"):
        stride = option_int(node, f"stride_{letter}", 1)
        dilation = option_int(node, f"dilation_{letter}_factor", 1)
        size, taps = image[1 + number], kernel[number]
        if stride < 1 or dilation < 1 or taps < 1 or size < 1:
            found_text = f"stride {stride}, dilation {dilation}, a kernel of {taps} on {size} pixels"
            refuse(graph, node, found_text, "all above 0", "The file is damaged.")
        extent = (taps - 1) * dilation + 1
        if extent > LARGEST_WINDOW:
            refuse(graph, node, f"a window that spans {extent} pixels", f"at most {LARGEST_WINDOW}")
        if ends is not None:
            before, after = int(ends[2 * number]), int(ends[2 * number + 1])
            out = (size + before + after - extent) // stride + 1
        elif option_text(node, "padding", "SAME") == "SAME":
            out = -(-size // stride)
            before = max(0, (out - 1) * stride + extent - size) // 2
        else:
            before, out = 0, -(-(size - extent + 1) // stride)
        if out < 1:
            refuse(graph, node, f"a window of {extent} on {size} pixels", "windows that fit into the image")
        found.append(Axis(size, out, taps, stride, dilation, before))
    return found[0], found[1]


def padded(image: NDArray[Any], vertical: Axis, horizontal: Axis, value: float = 0) -> NDArray[Any]:
    """``[H, W, …]`` with room in front and behind for every tap, filled with ``value``."""
    room = []
    for axis in (vertical, horizontal):
        last = axis.starts[-1] + axis.extent
        room.append((axis.before, max(0, last - axis.size)))
    return np.pad(image, room + [(0, 0)] * (image.ndim - 2), constant_values=value)


def windows(
    image: NDArray[Any], vertical: Axis, horizontal: Axis
) -> Iterator[tuple[tuple[int, int], NDArray[Any]]]:
    """For each tap of the kernel what it sees of a ``padded`` image: ``[out height, out width, …]``."""
    for ky in range(vertical.kernel):
        top = ky * vertical.dilation
        rows = image[top : top + (vertical.out - 1) * vertical.stride + 1 : vertical.stride]
        for kx in range(horizontal.kernel):
            left = kx * horizontal.dilation
            yield (ky, kx), rows[:, left : left + (horizontal.out - 1) * horizontal.stride + 1 : horizontal.stride]
