"""MNIST and the sets made in its image: four idx files, 28x28 grey pixels, ten classes; found or downloaded one way.

Looked for, in this order: ``[data] path`` when given, and then nowhere else; ``$EDGECNN_DATA``; folders of the
operating system's packages; Keras's cache; and at last downloaded through Keras. The first place that has files is
taken as it is: a file that turns out to be corrupt is an error, never a reason to look further.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgecnn.data._places import data_root, keras_home, keras_load, not_where_expected
from edgecnn.data.base import DataSet, DataSetInfo, Location, Samples, SplitName, only_settings
from edgecnn.data.idx import parse_idx, read_file
from edgecnn.errors import EdgecnnError
from edgecnn.files import is_there, sha256_bytes, sha256_file
from edgecnn.recipe import DataSection

SIDE = 28
_PREFIX: dict[SplitName, str] = {"train": "train", "test": "t10k"}


@dataclass(frozen=True)
class MnistLike:
    """What tells one such set from another.

    Attributes:
        info: What the set is.
        labels: Class names; the index is the class.
        folders: Names of its folder below ``$EDGECNN_DATA``.
        packaged: Folders of the operating system's packages.
        keras_name: Module in ``keras.datasets``.
        keras_cache: Its folder or ``.npz`` file in Keras's cache.
        megabytes: Size of the download.
    """

    info: DataSetInfo
    labels: tuple[str, ...]
    folders: tuple[str, ...]
    packaged: tuple[Location, ...]
    keras_name: str
    keras_cache: str
    megabytes: int


# The sets share their file names; the SHA-256 of the labels, one byte each, tells one from another.
_TITLES = {
    "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13": "MNIST",    # train
    "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5": "MNIST",    # test
    "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7": "Fashion-MNIST",    # train
    "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9": "Fashion-MNIST",    # test
}


def locate(spec: MnistLike, section: DataSection) -> Location | None:
    """Where the set lies on this machine; reads no images, never fails."""
    return next(_places(spec, section), None)


def open_set(spec: MnistLike, section: DataSection) -> DataSet:
    """The set from the first place that has it, downloaded when none does.

    Raises:
        UsageError: ``section`` has a setting that this set does not know.
        EdgecnnError: It is not here and cannot be downloaded, or a file is missing, truncated or corrupt.
    """
    only_settings(section, spec.info, "path")
    place = locate(spec, section)
    if place is None and section.path is not None:
        raise EdgecnnError(
            f"{section.path}: no {spec.info.title} here. Expected a folder with {_file_list()}, raw or .gz."
        )
    if place is None:
        place = _download(spec)
    reader = _read_npz if place.path.is_file() else _read_folder
    return DataSet(spec.info, spec.labels, f"{place.how}: {place.path}", functools.partial(reader, spec, place))


def _places(spec: MnistLike, section: DataSection) -> Iterator[Location]:
    """Every place that has files of the set, in order of precedence."""
    if section.path is not None:
        path = Path(section.path).expanduser()
        if _files_in(path) or (path.suffix == ".npz" and _is_file(path)):
            yield Location(path, "[data] path")
        return
    if (root := data_root()) is not None:
        for folder in spec.folders:
            if _files_in(root / folder):
                yield Location(root / folder, "$EDGECNN_DATA")
        if _files_in(root) and _title_of(root) in (None, spec.info.title):
            yield Location(root, "$EDGECNN_DATA")
    for place in spec.packaged:
        if _files_in(place.path):
            yield place
    cached = keras_home() / "datasets" / spec.keras_cache
    # Keras fetches file by file: a folder that lacks some is a download that it will go on with.
    if _is_file(cached) or len(_files_in(cached)) == 4:
        yield Location(cached, "Keras cache")


def _is_file(path: Path) -> bool:
    return is_there(path) and path.is_file()


def _names(split: SplitName, what: str) -> list[str]:
    """The spellings in use of one file's name; ``what`` is ``images-idx3`` or ``labels-idx1``."""
    plain = f"{_PREFIX[split]}-{what}-ubyte"
    dotted = f"{_PREFIX[split]}-{what.replace('-idx', '.idx')}-ubyte"
    return [plain, f"{plain}.gz", dotted, f"{dotted}.gz"]


def _find(folder: Path, split: SplitName, what: str) -> Path | None:
    """One file of the set, in whichever spelling is there."""
    return next((path for name in _names(split, what) if _is_file(path := folder / name)), None)


def _files_in(folder: Path) -> list[Path]:
    """Which of the four files ``folder`` holds."""
    found = (_find(folder, split, what) for split in _PREFIX for what in ("images-idx3", "labels-idx1"))
    return [path for path in found if path is not None]


def _file_list() -> str:
    return ", ".join(_names(split, what)[0] for split in _PREFIX for what in ("images-idx3", "labels-idx1"))


def _title_of(folder: Path) -> str | None:
    """Which set the files in ``folder`` are, or None when they are of none known here."""
    path = _find(folder, "test", "labels-idx1")
    try:
        return _TITLES.get(sha256_bytes(parse_idx(read_file(path), str(path)).tobytes())) if path else None
    except EdgecnnError:    # reported when the set is read
        return None


def _read_folder(spec: MnistLike, place: Location, split: SplitName) -> tuple[Samples, dict[str, str]]:
    advice = _advice(spec, place)
    arrays, digests = {}, {}
    for what in ("images-idx3", "labels-idx1"):
        path = _find(place.path, split, what)
        if path is None:
            raise EdgecnnError(f"{place.path}: {_names(split, what)[0]} is missing, raw or .gz. {advice}")
        data = read_file(path)
        arrays[what] = parse_idx(data, str(path), advice)
        digests[path.name] = sha256_bytes(data)
    return _checked(spec, split, arrays["images-idx3"], arrays["labels-idx1"], str(place.path), advice), digests


def _read_npz(spec: MnistLike, place: Location, split: SplitName) -> tuple[Samples, dict[str, str]]:
    advice = _advice(spec, place)
    try:
        with np.load(place.path, allow_pickle=False) as archive:
            images, labels = archive[f"x_{split}"], archive[f"y_{split}"]
    except KeyError as error:
        raise EdgecnnError(f"{place.path}: no array x_{split} or y_{split} in it. {advice}") from error
    except Exception as error:    # zipfile, zlib, struct, NumPy: whatever notices first that the bytes are wrong
        raise EdgecnnError(f"{place.path}: cannot be read as .npz ({error}). {advice}") from error
    samples = _checked(spec, split, images, labels, str(place.path), advice)
    return samples, {place.path.name: sha256_file(place.path)}


def _advice(spec: MnistLike, place: Location) -> str:
    if place.how == "Keras cache":
        return f"Remove {place.path} and run again to download it anew."
    return f"Replace the file, or get the set otherwise: {spec.info.get[0]}."


def _checked(
    spec: MnistLike, split: SplitName, images: np.ndarray, labels: np.ndarray, where: str, advice: str
) -> Samples:
    """The arrays as samples, once they are images and labels of this set.

    Args:
        images: ``uint8 [N, 28, 28]``.
        labels: ``uint8 [N]``, class indices.
    """
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or images.dtype != np.uint8 or len(images) == 0:
        raise EdgecnnError(
            f"{where}: the {split} images are {images.dtype} {list(images.shape)}, "
            f"expected uint8 [N, {SIDE}, {SIDE}]. {advice}"
        )
    if labels.shape != (len(images),) or labels.dtype != np.uint8:
        raise EdgecnnError(
            f"{where}: the {split} labels are {labels.dtype} {list(labels.shape)} for {len(images)} images, "
            f"expected one uint8 per image. {advice}"
        )
    if labels.max() >= len(spec.labels):
        raise EdgecnnError(
            f"{where}: a {split} label is {labels.max()}, expected 0 to {len(spec.labels) - 1}. {advice}"
        )
    found = _TITLES.get(sha256_bytes(labels.tobytes()), spec.info.title)
    if found != spec.info.title:
        raise EdgecnnError(f"{where}: these are the files of {found}, not of {spec.info.title}. {advice}")
    return Samples(images[..., np.newaxis], labels.astype(np.int64))


def _download(spec: MnistLike) -> Location:
    """Let Keras download the set into its cache."""
    keras_load(spec.info, spec.keras_name, spec.megabytes)
    place = locate(spec, DataSection(set=spec.info.name))
    if place is None:
        raise not_where_expected(spec.info)
    return place
