"""Operators beyond the usual ones that only rearrange, mirror or repeat, for growing networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

import numpy as np

from tests.firmware_export.growing import MAX_ELEMENTS, Grower, NotHere


def split_v(g: Grower) -> None:
    """SPLIT_V in parts of different sizes."""
    value = g.take(where=lambda value: any(size > 1 for size in value.shape))
    axis = g.pick([place for place, size in enumerate(value.shape) if size > 1])
    cuts = sorted({g.between(1, value.shape[axis] - 1) for _ in range(g.between(1, 3))})
    reals = np.split(value.real, cuts, axis)
    outputs = [g.value(real, value.quant) for real in reals]
    sizes = g.integers([real.shape[axis] for real in reals])
    told = axis - len(value.shape) if g.chance(0.3) else axis
    g.node("SPLIT_V", [value, sizes, g.integers(told)], outputs, num_splits=len(outputs))


def depth_to_space(g: Grower) -> None:
    """DEPTH_TO_SPACE by a block that divides the channels."""
    value = g.take(4, where=lambda value: value.shape[0] == 1)
    _, height, width, channels = value.shape
    block = g.pick([size for size in (2, 3, 4) if channels % size**2 == 0])
    split = value.real.reshape(1, height, width, block, block, channels // block**2)
    real = split.transpose(0, 1, 3, 2, 4, 5).reshape(1, height * block, width * block, -1)
    g.same("DEPTH_TO_SPACE", [value], real, block_size=block)


def space_to_depth(g: Grower) -> None:
    """SPACE_TO_DEPTH by a block that divides height and width."""
    value = g.take(4, where=lambda value: value.shape[0] == 1)
    _, height, width, channels = value.shape
    block = g.pick([size for size in (2, 3, 4) if height % size == width % size == 0])
    split = value.real.reshape(1, height // block, block, width // block, block, channels)
    real = split.transpose(0, 1, 3, 2, 4, 5).reshape(1, height // block, width // block, -1)
    g.same("SPACE_TO_DEPTH", [value], real, block_size=block)


def mirror_pad(g: Grower) -> None:
    """MIRROR_PAD with or without the edge."""
    value = g.take(2, 3, 4)
    symmetric = g.chance(0.5)
    most = [size if symmetric else size - 1 for size in value.shape]
    ends = [(g.between(0, min(2, size)), g.between(0, min(3, size))) if g.chance(0.6) else (0, 0) for size in most]
    mode = "symmetric" if symmetric else "reflect"
    real = np.pad(value.real, ends, mode=mode)    # type: ignore[call-overload]
    g.same("MIRROR_PAD", [value, g.integers(ends)], real, mode=mode.upper())


def broadcast_to(g: Grower) -> None:
    """BROADCAST_TO of dimensions of one element, perhaps to more dimensions."""
    value = g.take(1, 2, 3, 4)
    shape = tuple(g.pick((1, 2, 3, 5)) if size == 1 and g.chance(0.7) else size for size in value.shape)
    shape = (g.between(1, 2), *shape) if len(shape) < 4 and g.chance(0.3) else shape
    if prod(shape) > MAX_ELEMENTS:
        raise NotHere
    g.same("BROADCAST_TO", [value, g.integers(shape)], np.broadcast_to(value.real, shape).copy())


def reverse(g: Grower) -> None:
    """REVERSE_V2 of one dimension."""
    value = g.take(1, 2, 3, 4)
    axis = g.between(0, len(value.shape) - 1)
    g.same("REVERSE_V2", [value, g.integers([axis])], np.flip(value.real, axis))


REARRANGEMENTS: Mapping[str, tuple[Callable[[Grower], None], float]] = {
    "SPLIT_V": (split_v, 0.3),
    "DEPTH_TO_SPACE": (depth_to_space, 0.4),
    "SPACE_TO_DEPTH": (space_to_depth, 0.4),
    "MIRROR_PAD": (mirror_pad, 0.3),
    "BROADCAST_TO": (broadcast_to, 0.2),
    "REVERSE_V2": (reverse, 0.2),
}
"""Functions and how often they are wanted, by operator."""
