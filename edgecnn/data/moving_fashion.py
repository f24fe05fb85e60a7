"""Clips of Fashion-MNIST's pictures in motion: the class is the direction, which no single frame shows.

The idea is that of Moving MNIST (Srivastava, Mansimov, Salakhutdinov 2015, arXiv:1502.04681): real pictures, drawn
motion. Each clip shows one picture, at half its size, that moves one or two pixels a frame in one of eight directions.
What leaves the frame on one side comes back on the other. The frame is thus a torus, and a first position drawn from
all of it is the whole trick: the picture's position in any one frame is uniform whatever the direction. With walls, a
picture that ends at the right would have to come from the left, and one frame alone would be right more often than one
in eight.

Clips for training are made of training pictures and clips for the test of test pictures; the same seed draws the same
paths on every machine.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from edgecnn.data import fashion_mnist
from edgecnn.data.base import DataSet, DataSetInfo, Location, Samples, SplitName, only_settings
from edgecnn.errors import UsageError
from edgecnn.recipe import DataSection

FRAMES = 8
SIZE = (24, 24)
SPEEDS = (1, 2)
"""Pixels a frame, along each axis that the direction has."""

PICTURE = 14
"""Side of the moving picture: Fashion-MNIST's 28, halved."""

SEED = 2015
COUNTS = {"train": 12_000, "test": 2_000}

DIRECTIONS: dict[str, tuple[int, int]] = {
    "right": (0, 1),
    "down right": (1, 1),
    "down": (1, 0),
    "down left": (1, -1),
    "left": (0, -1),
    "up left": (-1, -1),
    "up": (-1, 0),
    "up right": (-1, 1),
}
"""Class names, and the step of a frame in pixels at speed 1: down, right."""

INFO = DataSetInfo(
    name="moving_fashion",
    title="Moving Fashion-MNIST",
    shape=(FRAMES, *SIZE, 1),
    classes=len(DIRECTIONS),
    counts=COUNTS,
    licence="MIT",
    home=fashion_mnist.INFO.home,
    get=("it is made of Fashion-MNIST; get that with one of the following", *fashion_mnist.INFO.get),
    description="Clips of 8 frames, 24x24, grey: a picture of clothes that moves. The class is the direction.",
)


def locate(section: DataSection) -> Location | None:
    """Where Fashion-MNIST lies on this machine, without reading its samples."""
    return fashion_mnist.locate(_pictures(section))


def open_set(section: DataSection) -> DataSet:
    """The set; ``uint8 [N, 8, H, W, 1]``, H and W 24 unless ``[data] size`` says more.

    Raises:
        UsageError: ``section`` has a setting that this set does not know, or a frame too small to move in.
        EdgecnnError: Fashion-MNIST cannot be had, or is damaged.
    """
    only_settings(section, INFO, "path", "size")
    size = section.size or SIZE
    if min(size) < SIZE[0]:
        raise UsageError(
            f"data.size = {list(size)}: the pictures of {INFO.name} need a frame of {SIZE[0]}x{SIZE[1]} to move in. "
            "Choose that or more."
        )
    pictures = fashion_mnist.open_set(_pictures(section))
    info = dataclasses.replace(INFO, shape=(FRAMES, *size, 1))
    return DataSet(info, tuple(DIRECTIONS), pictures.source, functools.partial(_read, pictures, size))


def _pictures(section: DataSection) -> DataSection:
    return DataSection(set=fashion_mnist.INFO.name, path=section.path)


def _read(pictures: DataSet, size: tuple[int, int], split: SplitName) -> tuple[Samples, dict[str, str]]:
    """The clips of one split, and the digests of the pictures that they are made of."""
    before = set(pictures.sha256)
    images = pictures.split(split).x[: COUNTS[split]]
    generator = np.random.default_rng([SEED, *split.encode()])
    digests = {name: digest for name, digest in pictures.sha256.items() if name not in before}
    return clips(halved(images), size, generator), digests


def halved(images: np.ndarray) -> np.ndarray:
    """Pictures at half their size, each pixel the rounded mean of a 2x2 block.

    Args:
        images: uint8 ``[N, 2h, 2w, 1]``.

    Returns:
        uint8 ``[N, h, w, 1]``.
    """
    count, height, width, channels = images.shape
    blocks = images.reshape(count, height // 2, 2, width // 2, 2, channels).astype(np.uint16)
    small: np.ndarray = ((blocks.sum(axis=(2, 4)) + 2) // 4).astype(np.uint8)
    return small


def clips(pictures: np.ndarray, size: tuple[int, int], generator: np.random.Generator) -> Samples:
    """One clip of each picture: equally many of each direction, speed and first position at random.

    Args:
        pictures: uint8 ``[N, h, w, 1]``.
        size: Height and width of a frame; at least those of a picture.
        generator: Where all that is random comes from.

    Returns:
        Clips uint8 ``[N, FRAMES, H, W, 1]`` on a black ground, and their directions.
    """
    count, height, width = pictures.shape[:3]
    steps = np.array(list(DIRECTIONS.values()))                                         # [8, 2]
    classes = generator.permutation(np.arange(count) % len(steps))
    speeds = generator.choice(SPEEDS, count)
    first = np.stack([generator.integers(0, side, count) for side in size], axis=1)     # [N, 2]
    path = first[:, None] + (steps[classes] * speeds[:, None])[:, None] * np.arange(FRAMES)[:, None]    # [N, F, 2]
    ground = np.zeros((count, *size, 1), np.uint8)
    ground[:, :height, :width] = pictures
    # Pixel (r, c) of a frame shows the one of the ground that lies as far back as the picture has come.
    rows = (np.arange(size[0]) - path[..., :1]) % size[0]                               # [N, F, H]
    columns = (np.arange(size[1]) - path[..., 1:]) % size[1]                            # [N, F, W]
    x = ground[np.arange(count)[:, None, None, None], rows[..., :, None], columns[..., None, :]]
    return Samples(x, classes.astype(np.int64))
