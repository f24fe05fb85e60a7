"""Horses or humans (Moroney 2019): rendered figures before photographs, two classes, a test split that is shifted.

The training images show 50 horses and 17 people many times each. Pictures of one figure resemble each other, so a
validation split holds back whole figures; the file names tell them apart (``horse01-0.png``). The published validation
images show other figures before plain backgrounds: they are the test split here, and nothing is chosen on them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgecnn.data import image_folder
from edgecnn.data._image_layout import arrange
from edgecnn.data._places import data_root
from edgecnn.data._source import open_source
from edgecnn.data.base import DataSet, DataSetInfo, Location, Samples, SplitName, only_settings
from edgecnn.errors import EdgecnnError
from edgecnn.files import is_there
from edgecnn.recipe import DataSection

LABELS = ("horses", "humans")
SIZE = (96, 96)
_NAMES = ("horses_or_humans", "horse-or-human", "horses_or_humans.zip", "horses_or_humans_96.zip")

INFO = DataSetInfo(
    name="horses_or_humans",
    title="Horses or humans",
    shape=(*SIZE, 3),
    classes=2,
    counts={"train": 1027, "test": 256},
    licence="none stated; a copy says CC0",
    home="http://laurencemoroney.com/horses-or-humans-dataset",
    get=(
        "train/ and validation/ with horses/ and humans/ in each, as $EDGECNN_DATA/horses_or_humans or a zip of that "
        "name there: the author's two zips, unpacked, or github.com/jasonepaul/cnn-horse-or-human",
    ),
    description=(
        "Rendered horses and people, 300x300 colour, here brought to 96x96 (data.size for another size). The published "
        "validation images are the test split; they are shifted: other figures, plain backgrounds."
    ),
)


def locate(section: DataSection) -> Location | None:
    """Where the set lies on this machine; reads no images, never fails."""
    return next(_places(section), None)


def open_set(section: DataSection) -> DataSet:
    """The set; ``uint8 [N, H, W, C]`` with a group for each figure.

    Raises:
        UsageError: ``section`` has a setting that this set does not know.
        EdgecnnError: It is not here, is another set, or a file is damaged.
    """
    only_settings(section, INFO, "path", "size", "channels")
    place = locate(section)
    if place is None:
        where = f"{section.path}: no such file or folder" if section.path else f"{INFO.title} is not on this machine"
        raise EdgecnnError(f"{where}. Ways to get it: {'; '.join(INFO.get)}.")
    size, channels = section.size or SIZE, section.channels or 3
    tree = image_folder.open_set(
        DataSection(set="image_folder", path=str(place.path), size=size, channels=channels)
    )
    if tree.labels != LABELS:
        raise EdgecnnError(
            f"{place.path}: has the classes {', '.join(tree.labels)}, expected {', '.join(LABELS)}. "
            "Use it as data.set = 'image_folder'."
        )
    layout = arrange(open_source(place.path))
    figures = {"train": _figures(layout.train.keys), "test": _figures(layout.test.keys)}

    def read(name: SplitName) -> tuple[Samples, dict[str, str]]:
        samples, digests = tree.read(name)
        return dataclasses.replace(samples, groups=figures[name]), digests

    return DataSet(
        dataclasses.replace(INFO, shape=(*size, channels), counts=tree.info.counts),
        LABELS,
        f"{place.how}: {tree.source}",
        read,
        tree.index,
    )


def _figures(keys: list[str]) -> np.ndarray:
    """``int64 [N]``: which figure an image shows, from its name up to the last number."""
    names = [re.sub(r"[-_]\d+\.\w+$", "", key) for key in keys]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], np.int64)


def _places(section: DataSection) -> Iterator[Location]:
    if section.path is not None:
        path = Path(section.path).expanduser()
        if is_there(path):
            yield Location(path, "[data] path")
        return
    if (root := data_root()) is not None:
        for name in _NAMES:
            if is_there(root / name):
                yield Location(root / name, "$EDGECNN_DATA")
