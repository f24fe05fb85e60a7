"""ISBI 2012: cell membranes in electron micrographs of a fly larva's nerve cord, with a mask for each slice.

The training volume of the challenge on the segmentation of neuronal structures: 30 consecutive slices, 50 nm apart, of
512x512 pixels of 4 nm (Cardona et al. 2010, PLoS Biology 8(10)). Neighbouring slices resemble each other, so parts
that are held out are blocks of neighbours; by default the last six slices.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgecnn.data import image_mask
from edgecnn.data._places import data_root
from edgecnn.data.base import DataSet, DataSetInfo, Location
from edgecnn.errors import EdgecnnError
from edgecnn.files import is_there
from edgecnn.recipe import DataSection

LABELS = ("membrane", "interior")
_NAMES = ("isbi_membrane", "membrane", "isbi_membrane.zip")

INFO = DataSetInfo(
    name="isbi_membrane",
    title="ISBI 2012 membranes",
    shape=(512, 512, 1),
    classes=2,
    counts={"train": 24, "test": 6},
    licence="non-commercial, cite Cardona et al. 2010",
    home="https://imagej.net/events/isbi-2012-segmentation-challenge",
    get=(
        "folders image/ and label/ with 0.png to 29.png, in $EDGECNN_DATA/isbi_membrane or in isbi_membrane.zip there",
        "data/membrane/train of github.com/zhixuhao/unet has them so",
    ),
    description=(
        "30 slices of a nerve cord, 512x512 grey, seen by an electron microscope. A mask has 0 for membrane and 255 "
        "for the inside of cells. The last six slices are held out whole."
    ),
)


def locate(section: DataSection) -> Location | None:
    """Where the set lies on this machine; reads no images, never fails."""
    return next(_places(section), None)


def open_set(section: DataSection) -> DataSet:
    """The set; images ``uint8 [N, H, W, 1]``, masks ``int64 [N, H, W]``: 0 for membrane, 1 for interior.

    Raises:
        UsageError: A setting cannot be meant.
        EdgecnnError: It is not here, or a file is missing or damaged.
    """
    place = locate(section)
    if place is None:
        where = f"{section.path}: no such file or folder" if section.path else f"{INFO.title} is not on this machine"
        raise EdgecnnError(f"{where}. Ways to get it: {'; '.join(INFO.get)}.")
    return image_mask.open_pairs(place.path, section, INFO, LABELS)


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
