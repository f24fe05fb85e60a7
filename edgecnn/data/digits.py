"""Handwritten digits of 8x8 pixels that come with scikit-learn: the set that is there without a network.

They are the 1797 test samples of UCI's "Optical Recognition of Handwritten Digits" (Alpaydin, Kaynak 1998): bitmaps
of 32x32, each pixel here the number of black ones in a 4x4 block, 0 to 16. The publisher's order follows the 13
writers; a split at random therefore shares writers between training and test, as is usual with this set.
"""

from __future__ import annotations

import functools
import gzip
import importlib.metadata
import importlib.util
import zlib
from pathlib import Path

import numpy as np

from edgecnn.data.base import DataSet, DataSetInfo, Location, Samples, SplitName, only_settings
from edgecnn.data.split import stratified_split
from edgecnn.errors import EdgecnnError, MissingDependencyError
from edgecnn.files import sha256_bytes
from edgecnn.recipe import DataSection

SIDE = 8
LARGEST = 16
TEST_SHARE = 0.2
SPLIT_SEED = 0

INFO = DataSetInfo(
    name="digits",
    title="Digits 8x8",
    shape=(SIDE, SIDE, 1),
    classes=10,
    counts={"train": 1438, "test": 359},
    licence="CC BY 4.0",
    home="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
    get=("it comes with scikit-learn: pip install 'edgecnn[train]'",),
    description="8x8 pictures of handwritten digits with pixels from 0 to 16. No network, no download.",
)


def locate(section: DataSection) -> Location | None:
    """The file inside the installed scikit-learn, which is not imported."""
    del section
    package = _package()
    if package is None:
        return None
    path = package / "datasets" / "data" / "digits.csv.gz"
    return Location(path if path.is_file() else package, f"scikit-learn {_version()}")


def open_set(section: DataSection) -> DataSet:
    """The set; ``uint8 [N, 8, 8, 1]``, 0 to 16, split 80 to 20 by class, always the same way.

    Raises:
        UsageError: ``section`` has a setting that this set does not know.
        MissingDependencyError: scikit-learn is not installed.
        EdgecnnError: Its file is damaged.
    """
    only_settings(section, INFO)
    place = locate(section)
    if place is None:
        raise MissingDependencyError("scikit-learn", "train", "the data set digits")
    return DataSet(INFO, tuple("0123456789"), f"{place.how}: {place.path}", functools.partial(_read, place.path))


def _read(path: Path, split: SplitName) -> tuple[Samples, dict[str, str]]:
    samples, digests = _read_csv(path) if path.is_file() else _ask_sklearn()
    train, test = stratified_split(samples.y, TEST_SHARE, SPLIT_SEED)
    return samples.take(train if split == "train" else test), digests


def _package() -> Path | None:
    spec = importlib.util.find_spec("sklearn")
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _version() -> str:
    try:
        return importlib.metadata.version("scikit-learn")
    except importlib.metadata.PackageNotFoundError:    # put on the path by hand
        return "of unknown version"


def _read_csv(path: Path) -> tuple[Samples, dict[str, str]]:
    """64 pixels and the class in each line. Importing scikit-learn for these 57 kB would take seconds."""
    try:
        data = path.read_bytes()
        lines = gzip.decompress(data).decode("ascii").splitlines()
        table = np.array([line.split(",") for line in lines], dtype=np.float64)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise EdgecnnError(f"{path}: cannot be read ({error}). Install scikit-learn again.") from error
    if table.ndim != 2 or table.shape[1] != SIDE * SIDE + 1:
        raise EdgecnnError(f"{path}: not {SIDE * SIDE + 1} values in each line. Install scikit-learn again.")
    return _samples(table[:, :-1], table[:, -1], str(path)), {path.name: sha256_bytes(data)}


def _ask_sklearn() -> tuple[Samples, dict[str, str]]:
    """For a scikit-learn that keeps the file elsewhere."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingDependencyError("scikit-learn", "train", "the data set digits") from error
    table = load_digits()
    samples = _samples(table.data, table.target, "sklearn.datasets.load_digits")
    return samples, {"sklearn.datasets.load_digits": sha256_bytes(samples.x.tobytes() + samples.y.tobytes())}


def _samples(pixels: np.ndarray, classes: np.ndarray, where: str) -> Samples:
    if not (pixels.size and np.isin(pixels, np.arange(LARGEST + 1)).all() and np.isin(classes, np.arange(10)).all()):
        raise EdgecnnError(
            f"{where}: pixels from 0 to {LARGEST} and classes from 0 to 9 are expected. Install scikit-learn again."
        )
    return Samples(pixels.astype(np.uint8).reshape(-1, SIDE, SIDE, 1), classes.astype(np.int64))
