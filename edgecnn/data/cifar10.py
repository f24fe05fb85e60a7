"""CIFAR-10 (Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images): 32x32 colour, ten classes.

Looked for, in this order: ``[data] path`` when given, and then nowhere else; ``$EDGECNN_DATA``; Keras's cache; and at
last downloaded through Keras. A tree of images (``train/<class>/*``, ``test/<class>/*``; a folder or a zip) is taken
beside the publisher's own files. Such trees are often recompressed as JPEG, which costs a few points of accuracy, so
the set's source then says JPEG.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgecnn.data import image_folder
from edgecnn.data._places import data_root, keras_home, keras_load, not_where_expected
from edgecnn.data._source import open_source
from edgecnn.data.base import DataSet, DataSetInfo, Location, Samples, SplitName, only_settings
from edgecnn.errors import EdgecnnError
from edgecnn.files import is_there, readable_os_errors, sha256_bytes, sha256_file
from edgecnn.recipe import DataSection

LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32
_COUNTS = {"train": 50_000, "test": 10_000}
_ARCHIVES = ("cifar10.zip", "cifar10_jpeg.zip", "cifar-10.zip")
_FOLDERS = ("cifar10", "cifar-10", "cifar-10-batches-bin")
_BINARY: dict[SplitName, tuple[str, ...]] = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
_RECORD = 1 + 3 * SIDE * SIDE    # of the binary version: the class, then the planes red, green, blue
_KERAS_FOLDERS = ("cifar-10-batches-py-target/cifar-10-batches-py", "cifar-10-batches-py")

INFO = DataSetInfo(
    name="cifar10",
    title="CIFAR-10",
    shape=(SIDE, SIDE, 3),
    classes=10,
    counts=dict(_COUNTS),
    licence="none stated",
    home="https://www.cs.toronto.edu/~kriz/cifar.html",
    get=(
        "with a network and edgecnn[train] Keras downloads it (170 MB) into ~/.keras at first use",
        "cifar-10-binary.tar.gz, unpacked to $EDGECNN_DATA/cifar10",
        "images as train/<class>/* and test/<class>/*, a folder $EDGECNN_DATA/cifar10 or a zip cifar10.zip there",
    ),
    description="Colour photographs of 32x32 pixels: six kinds of animals, four of vehicles.",
)


def locate(section: DataSection) -> Location | None:
    """Where the set lies on this machine; reads no images, never fails."""
    return next(_places(section), None)


def open_set(section: DataSection) -> DataSet:
    """The set; ``uint8 [N, 32, 32, 3]``.

    Raises:
        UsageError: ``section`` has a setting that this set does not know.
        EdgecnnError: It is not here and cannot be downloaded, or a file is missing, truncated or corrupt.
    """
    only_settings(section, INFO, "path")
    place = locate(section)
    if place is None and section.path is not None:
        raise EdgecnnError(
            f"{section.path}: no CIFAR-10 here. Expected a folder with {_BINARY['train'][0]} … and test_batch.bin, or "
            "a folder or zip with train/<class>/* and test/<class>/*."
        )
    if place is None:
        keras_load(INFO, "cifar10", 170)
        place = locate(section)
        if place is None:
            raise not_where_expected(INFO)
    if place.how == "Keras cache":
        reader = functools.partial(_read_keras, place.path)
    elif _is_binary(place.path):
        reader = functools.partial(_read_binary, place.path)
    else:
        return _open_tree(place)
    return DataSet(INFO, LABELS, f"{place.how}: {place.path}", reader)


def _places(section: DataSection) -> Iterator[Location]:
    """Every place that has the set, in order of precedence."""
    if section.path is not None:
        path = Path(section.path).expanduser()
        if is_there(path):
            yield Location(path, "[data] path")
        return
    if (root := data_root()) is not None:
        for name in (*_FOLDERS, *_ARCHIVES):
            if is_there(root / name):
                yield Location(root / name, "$EDGECNN_DATA")
    for name in _KERAS_FOLDERS:
        folder = keras_home() / "datasets" / name
        if is_there(folder / "test_batch") and is_there(folder / "data_batch_5"):
            yield Location(folder, "Keras cache")


def _is_binary(path: Path) -> bool:
    return path.is_dir() and is_there(path / _BINARY["test"][0])


def _read_binary(folder: Path, split: SplitName) -> tuple[Samples, dict[str, str]]:
    """The publisher's binary version: records of one byte of class and 3072 bytes of planes."""
    records, digests = [], {}
    for name in _BINARY[split]:
        path = folder / name
        with readable_os_errors(path, "read"):
            data = path.read_bytes()
        if not data or len(data) % _RECORD:
            raise EdgecnnError(f"{path}: {len(data)} bytes, not a multiple of {_RECORD}. Unpack the archive anew.")
        digests[name] = sha256_bytes(data)
        records.append(np.frombuffer(data, np.uint8).reshape(-1, _RECORD))
    table = np.concatenate(records)
    if table[:, 0].max() >= len(LABELS):
        raise EdgecnnError(f"{folder}: a class is {table[:, 0].max()}, expected 0 to 9. Unpack the archive again.")
    images = table[:, 1:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return Samples(np.ascontiguousarray(images), table[:, 0].astype(np.int64)), digests


def _read_keras(folder: Path, split: SplitName) -> tuple[Samples, dict[str, str]]:
    """Keras's own copy, read by Keras: the files are pickles, which nothing else here opens."""
    train, test = keras_load(INFO, "cifar10", 170)
    images, classes = train if split == "train" else test
    names = [f"data_batch_{number}" for number in range(1, 6)] if split == "train" else ["test_batch"]
    digests = {name: sha256_file(folder / name) for name in names}
    return Samples(images, classes.reshape(-1).astype(np.int64)), digests


def _open_tree(place: Location) -> DataSet:
    """A folder or zip of images, once it is known to hold this set's classes and sizes."""
    tree = image_folder.open_set(DataSection(set="image_folder", path=str(place.path)))
    if tree.labels != LABELS or tree.info.shape != INFO.shape:
        raise EdgecnnError(
            f"{place.path}: {len(tree.labels)} classes ({', '.join(tree.labels[:3])}, …) of {tree.info.shape} images; "
            f"CIFAR-10 has {', '.join(LABELS)} of {INFO.shape}. Use it as data.set = 'image_folder'."
        )
    of_jpeg = any(parts[-1].lower().endswith((".jpg", ".jpeg")) for parts in open_source(place.path).files)
    remark = ", images recompressed as JPEG" if of_jpeg else ""
    return DataSet(INFO, LABELS, f"{place.how}: {place.path}{remark}", tree.read, tree.index)
