"""Images ``[B, H, W, C]`` and clips ``[B, F, H, W, C]``, uint8: changes of place, of light, and covered squares.

A clip changes as a whole, the same way in each frame. Masks change place with their images, and do not change
otherwise.
"""

from __future__ import annotations

import numpy as np

from edgecnn.errors import UsageError
from edgecnn.formats import shape_text
from edgecnn.recipe import AugmentSection
from edgecnn.training.augment.geometry import draw, look_up, look_up_nearest

FIELDS = (
    "shift", "flip", "rotation", "quarter_turns", "zoom", "brightness", "contrast", "cutout", "mixup",
)
"""What of ``[data.augment]`` images and clips know."""

_FULL_SCALE = np.float32(255)


def check(shape: tuple[int, ...], section: AugmentSection) -> None:
    """Refuse what cannot be done to images of this shape.

    Args:
        shape: Of one raw sample: ``(H, W, C)`` or ``(F, H, W, C)``.
        section: How much of what.

    Raises:
        UsageError: Quarter turns of images that are not square.
    """
    height, width = shape[-3:-1]
    if section.quarter_turns and height != width:
        raise UsageError(
            f"data.augment.quarter_turns: the images have {shape_text((height, width))} pixels; only squares can be "
            "turned by 90 degrees. Remove it, or bring the images to a square with data.size."
        )


def augment(
    x: np.ndarray, y: np.ndarray, section: AugmentSection, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Changes at random, each drawn for each sample.

    Args:
        x: uint8 ``[B, H, W, C]`` or ``[B, F, H, W, C]``.
        y: Classes ``[B, ...]``, returned as they are; or masks ``[B, H, W, ...]`` of any type.
        section: How much of what.
        generator: Of the batch.

    Returns:
        Both, of the same shape and type.
    """
    if x.ndim == 5:    # frames beside the channels: what is done to a pixel is done to each frame's
        count, frames, height, width, channels = x.shape
        together = np.moveaxis(x, 1, 3).reshape(count, height, width, frames * channels)
        changed, y = augment(together, y, section, generator)
        apart = np.moveaxis(changed.reshape(count, height, width, frames, channels), 3, 1)
        return np.ascontiguousarray(apart), y
    places = draw(len(x), x.shape[1], x.shape[2], section, generator)
    if places is not None:
        x = look_up(x, places)
        if y.ndim >= 3 and y.shape[1:3] == x.shape[1:3]:
            y = look_up_nearest(y, places)
    if section.contrast or section.brightness:
        x = _relit(x, section, generator)
    if section.cutout:
        x = _cut_out(x, section.cutout, generator)
    return x, y


def _relit(x: np.ndarray, section: AugmentSection, generator: np.random.Generator) -> np.ndarray:
    """``(pixel - mean) * contrast + mean + brightness``, rounded, from 0 to 255; the mean is the sample's."""
    count = len(x)
    factor, plus = np.ones(count, np.float32), np.zeros(count, np.float32)
    if section.contrast:
        factor = (1 + generator.uniform(-section.contrast, section.contrast, count)).astype(np.float32)
    if section.brightness:
        plus = (255 * generator.uniform(-section.brightness, section.brightness, count)).astype(np.float32)
    mean = x.reshape(count, -1).mean(axis=1, dtype=np.float32)
    values = x * factor[:, np.newaxis, np.newaxis, np.newaxis]    # float32
    values += (mean - mean * factor + plus)[:, np.newaxis, np.newaxis, np.newaxis]
    np.rint(values, out=values)
    np.clip(values, np.float32(0), _FULL_SCALE, out=values)
    return values.astype(np.uint8)


def _cut_out(x: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """A square in the sample's mean colour at a random place, part of which may lie outside.

    After DeVries and Taylor (2017), *Improved regularization of convolutional neural networks with Cutout*, section 3.

    Args:
        x: uint8 ``[B, H, W, C]``.
        share: Side of the square, as a fraction of the shorter side of the image.
        generator: Of the batch.
    """
    count, height, width, channels = x.shape
    side = max(1, round(share * min(height, width)))
    top = generator.integers(0, height, (count, 1)) - side // 2
    left = generator.integers(0, width, (count, 1)) - side // 2
    rows, columns = np.arange(height), np.arange(width)
    covered = ((rows >= top) & (rows < top + side))[:, :, np.newaxis] & (
        (columns >= left) & (columns < left + side)
    )[:, np.newaxis, :]
    total = np.stack([x[..., channel].sum(axis=(1, 2), dtype=np.int64) for channel in range(channels)], axis=1)
    mean = np.rint(total / (height * width)).astype(x.dtype)    # [B, C]
    places = np.flatnonzero(covered)
    result: np.ndarray = x.reshape(-1, channels).copy()
    result[places] = mean[places // (height * width)]
    return result.reshape(x.shape)
