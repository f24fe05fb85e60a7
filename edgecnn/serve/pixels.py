"""Pixels that come without a file for Pillow: PGM and PPM, and a camera's frames; Pillow need not be there for them."""

from __future__ import annotations

import functools
import math
import re

import numpy as np

from edgecnn.errors import EdgecnnError
from edgecnn.formats import shape_text

_HEADER = re.compile(rb"P([56])(?:\s|#[^\n]*\n)+(\d{1,6})(?:\s|#[^\n]*\n)+(\d{1,6})(?:\s|#[^\n]*\n)+(\d{1,6})\s")
_LUMA = np.array([19595, 38470, 7471])    # 0.299, 0.587, 0.114 in 16 bits (ITU-R 601-2), as in Pillow's Convert.c
_BITS = 22    # of a weight's fraction, as in Pillow's Resample.c: 32 less 8 for a pixel and 2 for the sum


def is_netpbm(data: bytes) -> bool:
    """Whether these are the bytes of a binary PGM or PPM file."""
    return data[:2] in (b"P5", b"P6")


def read_netpbm(data: bytes, where: str) -> np.ndarray:
    """A binary PGM or PPM file.

    Args:
        data: The whole file.
        where: Its name, for messages.

    Returns:
        ``uint8 [H, W, 1]`` or ``[H, W, 3]``.

    Raises:
        EdgecnnError: It is damaged, or has other than 8 bits a channel.
    """
    found = _HEADER.match(data)
    if found is None:
        raise EdgecnnError(f"{where}: damaged: not the header of a PGM or PPM file. Write it again.")
    width, height, highest = (int(number) for number in found.groups()[1:])
    if highest != 255:
        raise EdgecnnError(f"{where}: its largest value is {highest}, supported is 255 (8 bits). Convert it.")
    channels = 1 if found[1] == b"5" else 3
    needed, there = width * height * channels, len(data) - found.end()
    if not needed or there < needed:
        raise EdgecnnError(f"{where}: {width} x {height} pixels need {needed} bytes, it has {there}. Write it again.")
    return np.frombuffer(data, np.uint8, needed, found.end()).reshape(height, width, channels)


def fit(pixels: np.ndarray, height: int, width: int, channels: int) -> np.ndarray:
    """Grey or colour and size as a network takes them, in the order and with the arithmetic of the training's images.

    Args:
        pixels: ``uint8 [H, W, 1]`` or ``[H, W, 3]`` (RGB).
        height: Wanted.
        width: Wanted.
        channels: 1 or 3.

    Returns:
        ``uint8 [height, width, channels]``.
    """
    if channels == 1 and pixels.shape[2] == 3:
        pixels = ((pixels @ _LUMA + 0x8000) >> 16).astype(np.uint8)[:, :, np.newaxis]
    elif channels == 3 and pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    return resize(pixels, height, width)


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """By Pillow where it is there, as images of a training are, and otherwise by ``resize_plainly``."""
    if pixels.shape[:2] == (height, width):
        return np.ascontiguousarray(pixels)
    try:
        from PIL import Image
    except ImportError:
        return resize_plainly(pixels, height, width)
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    resized = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    return resized.reshape(height, width, pixels.shape[2])


def resize_plainly(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear over all pixels that fall together (antialiased): to the new width, rounded to 8 bits, then the height.

    Each of the two steps gives the bits of Pillow's. Some versions of Pillow change the height first where that is
    less work, which may move a pixel by one step of 255. Sums are of whole numbers below 2^53: their order changes no
    bit.

    Args:
        pixels: ``uint8 [H, W, C]``.
        height: Wanted.
        width: Wanted.

    Returns:
        ``uint8 [height, width, C]``.
    """
    rows, columns, channels = pixels.shape
    if columns != width:
        wide = pixels.transpose(1, 0, 2).reshape(columns, -1)
        pixels = _weighted(_weights(columns, width), wide).reshape(width, rows, channels).transpose(1, 0, 2)
    if rows != height:
        pixels = _weighted(_weights(rows, height), pixels.reshape(rows, -1)).reshape(height, width, channels)
    return np.ascontiguousarray(pixels)


def middle(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """The largest part around the middle that has the proportions of ``height`` to ``width``.

    Args:
        pixels: ``[H, W, C]``.
        height: Of the network's images.
        width: Of the network's images.
    """
    rows, columns = pixels.shape[:2]
    scale = min(rows / height, columns / width)
    kept = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (rows - kept[0]) // 2, (columns - kept[1]) // 2
    return pixels[top : top + kept[0], left : left + kept[1]]


def require_pixels(pixels: np.ndarray, where: str) -> np.ndarray:
    """As ``[H, W, C]``.

    Raises:
        EdgecnnError: They are not ``uint8 [H, W]``, ``[H, W, 1]`` or ``[H, W, 3]``, or there are none.
    """
    shaped = pixels[:, :, np.newaxis] if pixels.ndim == 2 else pixels
    if shaped.ndim != 3 or shaped.shape[2] not in (1, 3) or shaped.dtype != np.uint8 or not shaped.size:
        raise EdgecnnError(
            f"{where}: {shape_text(pixels.shape)} of {pixels.dtype}, expected are pixels of 8 bits, grey or RGB."
        )
    return shaped


def _weighted(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    sums = weights @ values.astype(np.float64)
    return np.clip(np.floor((sums + (1 << (_BITS - 1))) / (1 << _BITS)), 0, 255).astype(np.uint8)


@functools.lru_cache(maxsize=8)
def _weights(size: int, wanted: int) -> np.ndarray:
    """How much each of ``size`` pixels counts in each of ``wanted``: whole numbers of 2^-22, ``[wanted, size]``."""
    scale = size / wanted
    support = max(scale, 1.0)
    weights = np.zeros((wanted, size))
    for row, line in enumerate(weights):
        centre = (row + 0.5) * scale
        first, last = max(0, int(centre - support + 0.5)), min(size, int(centre + support + 0.5))
        triangle = [max(0.0, 1.0 - abs((place - centre + 0.5) / support)) for place in range(first, last)]
        total = 0.0
        for share in triangle:    # from the first on, as Pillow adds them
            total += share
        line[first:last] = [math.floor(0.5 + share / total * (1 << _BITS)) for share in triangle]
    return weights
