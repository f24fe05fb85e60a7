"""From pairs of image and mask files to arrays of tiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgecnn.data._image_decode import Channels, Size, decode
from edgecnn.data._mask_layout import Pair
from edgecnn.data._source import Source
from edgecnn.data.base import Samples
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.formats import shape_text

_SHOWN = 6    # values of a mask that are listed in an error


@dataclass(frozen=True)
class Reading:
    """What is done to every pair.

    Attributes:
        size: Height and width of every image, after resizing if that was asked for.
        resize: Whether it was.
        channels: 1 for grey, 3 for RGB.
        tile: Height and width of the tiles that are cut; None for whole images.
    """

    size: Size
    resize: bool
    channels: Channels
    tile: Size | None

    def check(self) -> None:
        """Refuse tiles that do not cover an image exactly: at the test each pixel counts once.

        Raises:
            UsageError: As said.
        """
        if self.tile is not None and any(whole % part for whole, part in zip(self.size, self.tile, strict=True)):
            raise UsageError(
                f"data.tile = {list(self.tile)}: images of {shape_text(self.size)} cannot be cut into such tiles "
                f"without a rest. Choose divisors of {self.size[0]} and {self.size[1]}, or set data.size."
            )

    @property
    def test_tiles(self) -> list[tuple[int, int]]:
        """Top left corners of the tiles that cover an image once, row by row."""
        height, width = self.tile or self.size
        return _corners(self.size, height, width, height, width)

    @property
    def train_tiles(self) -> list[tuple[int, int]]:
        """The same with tiles half way between them, so that what lies on a border is also seen inside a tile."""
        height, width = self.tile or self.size
        return _corners(self.size, height, width, max(1, height // 2), max(1, width // 2))


def _corners(size: Size, height: int, width: int, down: int, right: int) -> list[tuple[int, int]]:
    return [
        (top, left)
        for top in range(0, size[0] - height + 1, down)
        for left in range(0, size[1] - width + 1, right)
    ]


def read_pairs(source: Source, pairs: list[Pair], reading: Reading, tiles: list[tuple[int, int]]) -> Samples:
    """All pairs as tiles; a tile's group is its image, so a validation split holds back whole images.

    Args:
        source: What holds them.
        pairs: In the order in which they are wanted.
        reading: What is done to each.
        tiles: Top left corners of the tiles of one image.

    Returns:
        ``x uint8 [N, h, w, C]``, ``y int64 [N, h, w]`` of 0 and 1, ``groups int64 [N]``; ``N`` is pairs times tiles.

    Raises:
        EdgecnnError: A file is no image, sizes differ, or a mask does not have two values.
    """
    height, width = reading.tile or reading.size
    x = np.empty((len(pairs), len(tiles), height, width, reading.channels), np.uint8)
    y = np.empty((len(pairs), len(tiles), height, width), np.int64)
    for number, pair in enumerate(pairs):
        image, mask = _read(source, pair, reading)
        for place, (top, left) in enumerate(tiles):
            x[number, place] = image[top : top + height, left : left + width]
            y[number, place] = mask[top : top + height, left : left + width]
    groups = np.repeat(np.arange(len(pairs)), len(tiles))
    return Samples(x.reshape(-1, *x.shape[2:]), y.reshape(-1, height, width), groups)


def _read(source: Source, pair: Pair, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
    """``uint8 [H, W, C]`` and a mask ``[H, W]`` of 0 and 1."""
    image = decode(source, pair.image, None, reading.channels)
    mask = decode(source, pair.mask, None, 1)[:, :, 0]
    if image.shape[:2] != mask.shape:
        raise EdgecnnError(
            f"{source.where(pair.mask)}: {shape_text(mask.shape)} pixels, its image {pair.image} has "
            f"{shape_text(image.shape[:2])}. Bring the mask to the size of its image."
        )
    values = np.unique(mask)
    if len(values) > 2 or (len(values) == 2 and values[0] != 0):
        listed = ", ".join(map(str, values[:_SHOWN])) + (", …" if len(values) > _SHOWN else "")
        raise EdgecnnError(
            f"{source.where(pair.mask)}: the mask has {len(values)} values ({listed}); supported are two, 0 and "
            "another one. Save masks without anti-aliasing and as PNG: JPEG blurs them."
        )
    if reading.resize:
        from PIL import Image

        # The mask takes the nearest pixel's value: a mean of two classes is none.
        image = decode(source, pair.image, reading.size, reading.channels)
        small = Image.fromarray(mask).resize(reading.size[::-1], Image.Resampling.NEAREST)
        mask = np.asarray(small)
    elif image.shape[:2] != reading.size:
        raise EdgecnnError(
            f"{source.where(pair.image)}: {shape_text(image.shape[:2])} pixels, the images before it have "
            f"{shape_text(reading.size)}. Resize all to one size, for example: --set data.size=[256,256]"
        )
    return image, mask != 0
