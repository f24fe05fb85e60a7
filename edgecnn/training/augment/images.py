"""Images ``[B, H, W, C]``, uint8: shifts and flips."""

from __future__ import annotations

import numpy as np

from edgecnn.recipe import AugmentSection


def augment(
    x: np.ndarray, y: np.ndarray, section: AugmentSection, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Random shifts and flips; what is shifted in repeats the edge.

    Args:
        x: uint8 ``[B, H, W, C]``.
        y: Classes ``[B]``, returned as they are.
        section: How much of what.
        generator: Of the epoch.
    """
    count, height, width = x.shape[:3]
    dy, dx = round(section.shift * height), round(section.shift * width)
    if dy or dx:
        down, right = generator.integers(-dy, dy + 1, (count, 1)), generator.integers(-dx, dx + 1, (count, 1))
        rows = np.clip(np.arange(height) - down, 0, height - 1)       # [B, H]
        columns = np.clip(np.arange(width) - right, 0, width - 1)     # [B, W]
        samples = np.arange(count)
        x = x[samples[:, None, None], rows[:, :, None], columns[:, None, :]]
    for direction, axis in (("horizontal", 2), ("vertical", 1)):
        if section.flip in (direction, "both"):
            flipped = generator.random((count, 1, 1, 1)) < 0.5
            x = np.where(flipped, np.flip(x, axis), x)
    return x, y
