"""A user's own images with a mask each: ``image/*.png`` beside ``label/*.png``, as a folder or a zip.

See ``_mask_layout`` for the trees that are understood and ``_mask_pixels`` for how pairs become tiles.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from edgecnn.data._image_decode import Channels, is_grey, size_of
from edgecnn.data._mask_layout import FOLDS, arrange
from edgecnn.data._mask_pixels import Reading, read_pairs
from edgecnn.data._source import open_source
from edgecnn.data.base import DataSet, DataSetInfo, Location, Samples, SplitName, only_settings
from edgecnn.errors import UsageError
from edgecnn.files import is_there
from edgecnn.formats import shape_text
from edgecnn.recipe import DataSection

INFO = DataSetInfo(
    name="image_mask",
    title="Own images with masks",
    shape=None,
    classes=2,
    counts=None,
    licence="your own",
    home="",
    get=("data.path: a folder or zip with image/*.png and label/*.png (or images/ and masks/) of equal names",),
    description=(
        "A mask has its image's name and size and two values: 0 is background, the other one the object. Whole images "
        "are held out for the test: those of test/ or validation/, otherwise the last fifth by number; data.fold of "
        "data.folds holds out another part. data.tile = [H, W] cuts images into tiles, data.size = [H, W] resizes, "
        "data.channels = 1 or 3 converts."
    ),
)
LABELS = ("background", "object")
SETTINGS = ("path", "size", "channels", "tile", "fold", "folds")


def locate(section: DataSection) -> Location | None:
    """``data.path``, when it exists."""
    path = Path(section.path).expanduser() if section.path else None
    return Location(path, "zip" if path.is_file() else "folder") if path is not None and is_there(path) else None


def open_set(section: DataSection) -> DataSet:
    """The pairs; images ``uint8 [N, H, W, C]``, masks ``int64 [N, H, W]`` of 0 and 1.

    Raises:
        UsageError: ``data.path`` is not given or does not exist, or another setting cannot be meant.
        EdgecnnError: The tree is not understood, or an image or mask is not what it should be.
        MissingDependencyError: Pillow is not installed.
    """
    if not section.path:
        only_settings(section, INFO, *SETTINGS)
        raise UsageError(
            "the data set image_mask needs data.path: a folder or zip with image/*.png and label/*.png. "
            "For example: --set data.path=cells.zip"
        )
    return open_pairs(Path(section.path).expanduser(), section, INFO, LABELS)


def open_pairs(path: Path, section: DataSection, info: DataSetInfo, labels: tuple[str, str]) -> DataSet:
    """The pairs of a folder or zip, for this set and for published ones of the same form.

    Args:
        path: The folder or zip.
        section: The recipe's ``[data]``.
        info: Of the set; shape and counts are filled in.
        labels: What 0 in a mask stands for, and what its other value.
    """
    only_settings(section, info, *SETTINGS)
    for name in ("size", "tile"):
        given = getattr(section, name)
        if given is not None and min(given) < 1:
            raise UsageError(f"data.{name} = {list(given)}: height and width are 1 or more, for example [128, 128].")
    folds = section.folds or FOLDS
    if section.fold is not None and section.fold >= folds:
        raise UsageError(f"data.fold = {section.fold}: there are {folds} folds, 0 to {folds - 1} (data.folds).")
    source = open_source(path, like="image/*.png and label/*.png")
    layout = arrange(source, section.folds, section.fold)
    channels: Channels = section.channels or (1 if all(is_grey(source, pair.image) for pair in layout.train) else 3)
    size = section.size or size_of(source, layout.train[0].image)
    reading = Reading(size, section.size is not None, channels, section.tile)
    reading.check()
    splits = {"train": layout.train, "test": layout.test}
    tiles = {"train": reading.train_tiles, "test": reading.test_tiles}
    found = dataclasses.replace(
        info,
        shape=(*(section.tile or size), channels),
        counts={name: len(pairs) * len(tiles[name]) for name, pairs in splits.items()},
    )

    def read(name: SplitName) -> tuple[Samples, dict[str, str]]:
        pairs = splits[name]
        digests = source.digest(name, [key for pair in pairs for key in (pair.image, pair.mask)])
        return read_pairs(source, pairs, reading, tiles[name]), digests

    remarks = [f"{len(layout.train)} images to learn from, {len(layout.test)} held out whole", *layout.notes]
    if section.size is not None:
        remarks.append(f"resized to {shape_text(section.size)}, images bilinear, masks to the nearest pixel")
    if section.tile is not None:
        remarks.append(f"tiles of {shape_text(section.tile)}, for training overlapping by half")
    return DataSet(found, labels, f"{path} ({'; '.join(remarks)})", read, folds=layout.folds)


