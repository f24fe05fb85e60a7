"""A user's own images: ``train/<class>/*.png`` and the like, as a folder or a zip.

See ``_image_layout`` for the trees that are understood and ``_image_decode`` for what is done to an image.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from edgecnn.data._image_decode import Channels, decode_all, is_grey, size_of
from edgecnn.data._image_layout import Layout, arrange
from edgecnn.data._source import Source, open_source
from edgecnn.data.base import DataSet, DataSetInfo, Location, Samples, SplitName, only_settings
from edgecnn.errors import UsageError
from edgecnn.files import is_there
from edgecnn.formats import shape_text
from edgecnn.recipe import DataSection

INFO = DataSetInfo(
    name="image_folder",
    title="Own images",
    shape=None,
    classes=None,
    counts=None,
    licence="your own",
    home="",
    get=("data.path: a folder or zip with train/<class>/*.png and test/<class>/*.png, or just <class>/*.png",),
    description=(
        "PNG, JPEG, BMP, WebP, GIF, PPM or TIFF files, a folder for each class. Held out for the test is test/, "
        "validation/, valid/ or val/, otherwise a fifth of each class. data.size = [H, W] resizes (bilinear), "
        "data.channels = 1 or 3 converts. Without them all images must have one size, and are RGB unless all are grey."
    ),
)


def locate(section: DataSection) -> Location | None:
    """``data.path``, when it exists."""
    path = Path(section.path).expanduser() if section.path else None
    return Location(path, "zip" if path.is_file() else "folder") if path is not None and is_there(path) else None


def open_set(section: DataSection) -> DataSet:
    """The images; ``uint8 [N, H, W, C]``. Names are listed now, a split's images are decoded when it is asked for.

    Raises:
        UsageError: ``data.path`` is not given or does not exist, or ``data.size`` is no size.
        EdgecnnError: The tree is not understood, or an image cannot be read.
        MissingDependencyError: Pillow is not installed.
    """
    only_settings(section, INFO, "path", "size", "channels")
    if not section.path:
        raise UsageError(
            "the data set image_folder needs data.path: a folder or zip with train/<class>/*.png. "
            "For example: --set data.path=photos.zip"
        )
    if section.size is not None and min(section.size) < 1:
        raise UsageError(f"data.size = {list(section.size)}: height and width are 1 or more, for example [96, 96].")
    source = open_source(Path(section.path).expanduser())
    layout = arrange(source)
    size = section.size or size_of(source, layout.train.keys[0])
    channels = section.channels or _common_channels(source, layout)
    splits = {"train": layout.train, "test": layout.test}
    info = dataclasses.replace(
        INFO,
        shape=(*size, channels),
        classes=len(layout.labels),
        counts={name: len(split.y) for name, split in splits.items()},
    )

    def index(name: SplitName) -> tuple[np.ndarray, dict[str, str]]:
        return splits[name].y, source.digest(name, splits[name].keys)

    def read(name: SplitName) -> tuple[Samples, dict[str, str]]:
        y, digests = index(name)
        return Samples(decode_all(source, splits[name].keys, section.size, size, channels), y), digests

    return DataSet(info, layout.labels, _describe(section, layout), read, index)


def _common_channels(source: Source, layout: Layout) -> Channels:
    """1 when no image has colour, otherwise 3; the first one with colour settles it."""
    for split in (layout.train, layout.test):
        if not all(is_grey(source, key) for key in split.keys):
            return 3
    return 1


def _describe(section: DataSection, layout: Layout) -> str:
    """The path, and what was done to the images on the way."""
    remarks = [layout.note] if layout.note else []
    if section.size is not None:
        remarks.append(f"resized to {shape_text(section.size)}, bilinear")
    if section.channels is not None:
        remarks.append("converted to grey" if section.channels == 1 else "converted to RGB")
    return f"{section.path} ({'; '.join(remarks)})" if remarks else str(section.path)
