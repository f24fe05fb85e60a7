"""From image files to one array of pixels."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any, Literal

import numpy as np

from edgecnn.data._source import Source
from edgecnn.errors import EdgecnnError, MissingDependencyError
from edgecnn.formats import shape_text
from edgecnn.machine import memory_bytes

# Named, so that a file of another kind under an image's name does not reach Pillow's rarer readers.
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF", "PPM", "TIFF")
_GREY = ("1", "L", "LA", "La")
_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_BLOCK = 64    # images a thread takes at a time

Size = tuple[int, int]
Channels = Literal[1, 3]


def is_grey(source: Source, key: str) -> bool:
    """Whether an image has no colour, told from its header.

    Raises:
        EdgecnnError: It is no image.
    """
    return _open(source, key).mode in _GREY


def size_of(source: Source, key: str) -> Size:
    """Height and width of an image as it is shown.

    Raises:
        EdgecnnError: It is no image, or a damaged one.
    """
    height, width, _ = decode(source, key, None, 3).shape
    return height, width


def decode(source: Source, key: str, resize: Size | None, channels: Channels) -> np.ndarray:
    """One image, turned upright as its EXIF says, transparency dropped.

    Args:
        source: What holds it.
        key: Its key there.
        resize: Height and width to resize to, or None to leave it: bilinear over all pixels that fall together
            (antialiased), without regard to the aspect ratio.
        channels: 1 for grey (luma of ITU-R 601-2), 3 for RGB.

    Returns:
        ``uint8 [H, W, channels]``.

    Raises:
        EdgecnnError: It is no image, or a damaged one, or has more than 8 bits a channel.
    """
    from PIL import Image, ImageOps

    image = _open(source, key)
    try:
        image.load()
        image = ImageOps.exif_transpose(image)
        if image.mode == "P" and "transparency" in image.info:
            image = image.convert("RGBA")    # straight to RGB, Pillow would warn
        mode = "L" if channels == 1 else "RGB"
        if image.mode != mode:
            image = image.convert(mode)
        if resize is not None and image.size != resize[::-1]:
            image = image.resize(resize[::-1], Image.Resampling.BILINEAR)
        return np.asarray(image).reshape(image.height, image.width, channels)
    except Exception as error:    # each of Pillow's readers has errors of its own
        raise EdgecnnError(f"{source.where(key)}: damaged image ({error}). Replace or remove it.") from error


def decode_all(source: Source, keys: Sequence[str], resize: Size | None, size: Size, channels: Channels) -> np.ndarray:
    """All images in one array.

    Args:
        source: What holds them.
        keys: ``N`` keys.
        resize: As for ``decode``.
        size: Height and width that every image then must have.
        channels: As for ``decode``.

    Returns:
        ``uint8 [N, H, W, channels]``.

    Raises:
        EdgecnnError: See ``decode``; or an image has another size; or all are too large for the memory.
    """
    shape = (len(keys), *size, channels)
    _check_memory(shape)
    pixels = np.empty(shape, np.uint8)

    def fill(start: int) -> None:
        for index in range(start, min(start + _BLOCK, len(keys))):
            image = decode(source, keys[index], resize, channels)
            if image.shape != shape[1:]:
                raise EdgecnnError(
                    f"{source.where(keys[index])}: {shape_text(image.shape[:2])} pixels, the images before it have "
                    f"{shape_text(size)}. Resize all to one size, for example: --set data.size=[96,96]"
                )
            pixels[index] = image

    pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")    # Pillow's remarks on odd metadata of images that it reads well
        try:
            for _ in pool.map(fill, range(0, len(keys), _BLOCK)):    # in order: the first error is the first bad file
                pass
        finally:
            pool.shutdown(cancel_futures=True)
    return pixels


def _open(source: Source, key: str) -> Any:
    """The image with only its header read."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingDependencyError("pillow", "train", "reading images") from error
    data = source.read(key)
    try:
        image = Image.open(BytesIO(data), formats=_FORMATS)
    except Exception as error:
        if not data:
            found = "is empty"
        elif isinstance(error, Image.UnidentifiedImageError):
            found = f"starts with {data[:8]!r}, which is none of {', '.join(_FORMATS)}"
        else:
            found = f"cannot be opened: {error}"
        raise EdgecnnError(f"{source.where(key)}: not an image: it {found}. Replace or remove it.") from error
    if image.mode in _DEEP:
        raise EdgecnnError(
            f"{source.where(key)}: has more than 8 bits a pixel (mode {image.mode}), supported are 8. "
            "Convert the images to 8 bits first."
        )
    return image


def _check_memory(shape: tuple[int, ...]) -> None:
    """Refuse what cannot fit: the system would end the program later, without a word."""
    needed = int(np.prod(shape, dtype=np.float64))
    there = memory_bytes()
    if there is not None and needed > there:
        raise EdgecnnError(
            f"{shape[0]} images of {shape_text(shape[1:])} need {needed / 1e9:.1f} GB, this machine has "
            f"{there / 1e9:.1f} GB. Resize them, for example: --set data.size=[96,96]"
        )
