"""Where the pixels of an image come from: shifts, flips, turns, rotations and zooms in one pass over the image.

A change is kept as the way back: for every pixel of the result, the place in the original that it shows. All changes
together are then one look-up, and a mask is looked up at the same places as its image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgecnn.recipe import AugmentSection

_BLOCK = 1 << 13
"""Pixels that are interpolated at a time: what lies between fits a core's cache, which halves the time."""


@dataclass(frozen=True)
class Places:
    """For every pixel of the result, where it comes from; both arrays broadcast to ``[B, H, W]``.

    Attributes:
        rows: Rows of the original, not yet limited to those there are: int32, or float32 between two rows.
        columns: Columns of the original, likewise.
    """

    rows: np.ndarray
    columns: np.ndarray


def draw(count: int, height: int, width: int, section: AugmentSection, generator: np.random.Generator) -> Places | None:
    """A change of place for each of ``count`` images, or None where the section asks for none.

    In the result an image is first rotated and resized about its centre, then shifted, then turned, then flipped.

    Args:
        count: ``B``.
        height: In pixels.
        width: In pixels.
        section: How much of what.
        generator: Of the batch; drawn from for what the section asks for, and for nothing else.
    """
    most = (round(section.shift * height), round(section.shift * width))
    shift = [generator.integers(-n, n + 1, (count, 1, 1), dtype=np.int32) for n in most] if any(most) else None
    matrix = _matrix(count, section, generator)
    turns = generator.integers(0, 4, count) if section.quarter_turns else None
    mirrored, upside_down = (
        generator.random(count) < 0.5 if section.flip in (direction, "both") else np.zeros(count, bool)
        for direction in ("horizontal", "vertical")
    )
    if shift is None and matrix is None and turns is None and section.flip == "none":
        return None
    rows, columns = _symmetric(height, width, turns, upside_down, mirrored)
    if shift is not None:
        rows, columns = rows - shift[0], columns - shift[1]
    if matrix is not None:
        rows, columns = _through(matrix, rows, columns, height, width)
    return Places(rows, columns)


def _symmetric(
    height: int, width: int, turns: np.ndarray | None, upside_down: np.ndarray, mirrored: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Places after so many quarter turns counter-clockwise (those of ``np.rot90``), then flips; ``[B]`` of each."""
    down, along = np.arange(height, dtype=np.int32), np.arange(width, dtype=np.int32)
    if turns is None:
        rows = np.where(upside_down[:, np.newaxis], down[::-1], down)        # [B, H]
        columns = np.where(mirrored[:, np.newaxis], along[::-1], along)      # [B, W]
        return rows[:, :, np.newaxis], columns[:, np.newaxis, :]
    # One table for each of the 16 combinations, so that a sample needs one number: [16, 2, H, W].
    grid = np.stack(np.meshgrid(down, along, indexing="ij"))
    turned = [np.rot90(grid, turn, axes=(1, 2)) for turn in range(4)]
    tables = np.stack([form for one in turned for form in (one, one[:, :, ::-1], one[:, ::-1], one[:, ::-1, ::-1])])
    chosen = turns * 4 + mirrored * 2 + upside_down
    return tables[chosen, 0], tables[chosen, 1]


def _matrix(count: int, section: AugmentSection, generator: np.random.Generator) -> np.ndarray | None:
    """float32 ``[B, 2, 2]`` from places in the result to places in the original, both from the centre; None for none.

    The inverse of a rotation by ``angle`` counter-clockwise and an enlargement by ``1 + zoom``.
    """
    if not section.rotation and not section.zoom:
        return None
    angle = np.deg2rad(generator.uniform(-section.rotation, section.rotation, count)) if section.rotation else 0.0
    size = 1 + generator.uniform(-section.zoom, section.zoom, count) if section.zoom else 1.0
    cosine, sine = np.broadcast_to(np.cos(angle) / size, count), np.broadcast_to(np.sin(angle) / size, count)
    return np.stack([cosine, sine, -sine, cosine], axis=-1).reshape(count, 2, 2).astype(np.float32)


def _through(
    matrix: np.ndarray, rows: np.ndarray, columns: np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Places, float32, on the other side of a matrix."""
    middle_row, middle_column = np.float32((height - 1) / 2), np.float32((width - 1) / 2)
    down, along = rows.astype(np.float32) - middle_row, columns.astype(np.float32) - middle_column
    a, b, c, d = (matrix[:, i, j, np.newaxis, np.newaxis] for i in (0, 1) for j in (0, 1))
    return a * down + b * along + middle_row, c * down + d * along + middle_column


def look_up(images: np.ndarray, places: Places) -> np.ndarray:
    """Images at other places; what lies outside repeats the edge.

    Args:
        images: ``[B, H, W, C]``; between pixels bilinear, rounded half up.
        places: One for each pixel.

    Returns:
        The same shape and type.
    """
    if places.rows.dtype != np.float32:
        return _at(images, places.rows, places.columns)
    result, step = np.empty_like(images), max(1, _BLOCK // (images.shape[1] * images.shape[2]))
    for start in range(0, len(images), step):
        part = slice(start, start + step)
        result[part] = _bilinear(images[part], places.rows[part], places.columns[part])
    return result


def _bilinear(images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    height, width, channels = images.shape[1:]
    rows = np.clip(rows, np.float32(0), np.float32(height - 1))
    columns = np.clip(columns, np.float32(0), np.float32(width - 1))
    top, left = rows.astype(np.int32), columns.astype(np.int32)
    # Shares of the lower and of the right pixel, written out for each channel: NumPy's inner loops are then long.
    lower, right = (np.repeat(part, channels).reshape(images.shape) for part in (rows - top, columns - left))
    upper = _between(_at(images, top, left), _at(images, top, left + 1), right)
    under = _between(_at(images, top + 1, left), _at(images, top + 1, left + 1), right)
    result = _between(upper, under, lower)
    result += np.float32(0.5)
    rounded: np.ndarray = result.astype(images.dtype)
    return rounded


def look_up_nearest(masks: np.ndarray, places: Places) -> np.ndarray:
    """Masks at other places: the nearest pixel's value, so that no new class comes up.

    Args:
        masks: ``[B, H, W, ...]`` of any type.
        places: One for each pixel.
    """
    rows, columns = places.rows, places.columns
    if rows.dtype == np.float32:
        rows, columns = np.rint(rows).astype(np.int32), np.rint(columns).astype(np.int32)
    return _at(masks, rows, columns)


def _between(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """``first + (second - first) * share`` in float32, with few new arrays."""
    start = first.astype(np.float32)
    difference: np.ndarray = second - start
    difference *= share
    difference += start
    return difference


def _at(images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Whole pixels: ``np.take`` on the pixels in one row, several times faster than indices for each dimension."""
    count, height, width = images.shape[:3]
    index = np.clip(rows, 0, height - 1) * np.int32(width) + np.clip(columns, 0, width - 1)    # [B, H, W] or [1, H, W]
    whole = index + np.arange(count)[:, np.newaxis, np.newaxis] * (height * width)             # intp, as take wants it
    pixels = images.reshape(count * height * width, -1)
    found: np.ndarray = np.take(pixels, whole.reshape(-1), axis=0, mode="clip").reshape(images.shape)
    return found
