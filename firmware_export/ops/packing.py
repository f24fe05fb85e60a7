"""The order in which the portable kernels read weights: ``kernels/portable/dot.h``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

BLOCKS = (8, 4, 1)
"""Channels that most kernels work on at once: as many as possible of the first, then of the next."""


def blocks(channels: int, sizes: Sequence[int] = BLOCKS) -> Iterator[slice]:
    """The channels of each block."""
    first = 0
    for size in sizes:
        while channels - first >= size:
            yield slice(first, first + size)
            first += size


def interleaved(weights: NDArray[np.int8], sizes: Sequence[int] = BLOCKS) -> NDArray[np.int8]:
    """``[channels, …]`` as ``[…][8]`` for each block of 8 channels, then ``[…][4]`` and ``[…]`` for the rest."""
    flat = weights.reshape(weights.shape[0], -1)
    return np.concatenate([flat[block].T.reshape(-1) for block in blocks(weights.shape[0], sizes)])
