"""The worked examples of the notes, and the ways to compute them: by hand, and as a network of the compiler's kind.

Neural networks do not turn the kernel around, so what they call a convolution is a cross-correlation; where an example
of the notes does turn it, as those on signals do, ``kernel`` here is the turned one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.networks import Network


@dataclass(frozen=True)
class Example:
    """One worked example.

    Attributes:
        name: For the test's name.
        image: ``[H][W][C]``; a signal is an image of one row.
        kernel: ``[kh][kw][C]``, not turned around by what computes it.
        expected: ``[H'][W']``, as the notes print it.
        stride: Of both axes.
        pad: Zeros on each side, rows and columns.
    """

    name: str
    image: Any
    kernel: Any
    expected: Any
    stride: int = 1
    pad: tuple[int, int] = (0, 0)

    @property
    def pixels(self) -> np.ndarray:
        """``[H, W, C]`` int64."""
        return np.array(self.image, np.int64)

    @property
    def taps(self) -> np.ndarray:
        """``[kh, kw, C]`` int64."""
        return np.array(self.kernel, np.int64)

    @property
    def wanted(self) -> np.ndarray:
        """``[H', W']`` int64."""
        return np.array(self.expected, np.int64)


def channels(*maps: Any) -> Any:
    """Maps ``[H][W]`` as one image ``[H, W, C]``."""
    return np.stack([np.array(one) for one in maps], axis=-1)


def counting(height: int, width: int, modulus: int) -> np.ndarray:
    """Pixels 0, 1, 2, … row by row, beginning anew at ``modulus``; ``[H, W, 1]``."""
    return (np.arange(height * width) % modulus).reshape(height, width, 1)


KERNEL = channels([[0, 1], [2, 3]])
SIGNAL = [1, 2, -5, 4, 2, -1]
SIGNAL_KERNEL = [-1, 2, -1]    # the same turned around, so the notes' convolution is a cross-correlation too


def _signal(mode: str, pad: int, expected: list[int]) -> Example:
    return Example(f"signal-{mode}", np.reshape(SIGNAL, (1, 6, 1)), np.reshape(SIGNAL_KERNEL, (1, 3, 1)), [expected],
                   pad=(0, pad))    # fmt: skip


EXAMPLES = (
    Example("3x3-by-2x2", counting(3, 3, 9), KERNEL, [[19, 25], [37, 43]]),
    # The notes count 0 to 9 and begin anew: 0 1 2 3/4 5 6 7/8 9 0 1/2 3 4 5.
    Example("stride-2", counting(4, 4, 10), KERNEL, [[24, 36], [22, 24]], stride=2),
    Example(
        "3-channels",
        channels([[0, 1, 2], [3, 4, 5], [6, 7, 8]], [[3, 1, 5], [0, 2, 7], [8, 4, 9]],
                 [[9, 2, 3], [3, 1, 4], [8, 0, 5]]),
        channels([[0, 1], [2, 3]], [[5, 6], [1, 0]], [[1, 3], [4, 2]]),
        [[69, 85], [95, 122]],
    ),
    _signal("valid", 0, [8, -16, 11, 1]),
    _signal("same", 1, [0, 8, -16, 11, 1, -4]),
    _signal("full", 2, [-1, 0, 8, -16, 11, 1, -4, 1]),
)    # fmt: skip


def by_hand(example: Example) -> list[list[int]]:
    """One multiplication and one addition at a time."""
    rows, columns, depth = example.pixels.shape
    high, wide, _ = example.taps.shape
    top, left = example.pad
    result = []
    for y in range(-top, rows + top - high + 1, example.stride):
        line = []
        for x in range(-left, columns + left - wide + 1, example.stride):
            total = 0
            for dy in range(high):
                for dx in range(wide):
                    inside = 0 <= y + dy < rows and 0 <= x + dx < columns
                    for channel in range(depth if inside else 0):
                        total += int(example.image[y + dy][x + dx][channel]) * int(example.kernel[dy][dx][channel])
            line.append(total)
        result.append(line)
    return result


def as_network(examples: tuple[Example, ...]) -> bytes:
    """A ``.tflite`` with an input and an output for each example: CONV_2D in int8 at scale 1, exact for integers."""
    made = Network()
    outputs = []
    for example in examples:
        shape = (1, *example.pixels.shape)
        value = made.input(shape, 1.0)
        top, left = example.pad
        if top or left:
            borders = made.constant(np.array([[0, 0], [top, top], [left, left], [0, 0]], np.int32))
            value = made.op("PAD", [value, borders], (1, shape[1] + 2 * top, shape[2] + 2 * left, shape[3]), 1.0)
        weights = made.constant(example.taps[np.newaxis].astype(np.int8), np.array([1.0]))
        options = {"padding": "VALID", "stride_h": example.stride, "stride_w": example.stride}
        outputs.append(made.op("CONV_2D", [value, weights], (1, *example.wanted.shape, 1), 1.0, **options))
    return made.pack(*outputs)


def as_inputs(examples: tuple[Example, ...]) -> list[np.ndarray]:
    """The images as that network takes them, ``[1, H, W, C]`` int8."""
    return [example.pixels[np.newaxis].astype(np.int8) for example in examples]
