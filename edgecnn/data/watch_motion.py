"""Motion of a wrist watch during seven exercises of the shoulder (Burns and others, 2018), as seglearn ships it.

Looked for, in this order: ``[data] path`` when given, and then nowhere else; ``$EDGECNN_DATA``; the installed Python
package seglearn, which is not imported.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import importlib.util
import io
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.data._places import data_root
from edgecnn.data._recordings import Cut, Recording, cut_of, fold_of, windows_of
from edgecnn.data.base import DataSet, DataSetInfo, Location, Samples, SplitName, only_settings
from edgecnn.errors import EdgecnnError, first_line
from edgecnn.files import is_there, readable_os_errors, sha256_bytes
from edgecnn.recipe import DataSection

CHANNELS = ("ax", "ay", "az", "wx", "wy", "wz")
"""Three axes of acceleration in units of gravity, three of angular rate in rad/s: so their ranges tell; the package
does not say the units."""

LABELS = ("PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW")
RATE = 50
SECONDS = 4.0
STEP = 1.0
FOLDS = 5
_FILE = "watch_dataset.npy"
_PLACES = (_FILE, f"watch_motion/{_FILE}", f"seglearn/{_FILE}")

INFO = DataSetInfo(
    name="watch_motion",
    title="Watch motion",
    shape=(round(RATE * SECONDS), len(CHANNELS)),
    classes=len(LABELS),
    counts={"train": 3414, "test": 983},
    licence="BSD-3-Clause",
    home="https://github.com/dmbee/seglearn",
    get=(
        "pip install --no-deps seglearn==1.2.5",
        f"{_FILE} of that package as $EDGECNN_DATA/{_FILE}, or as data.path",
    ),
    description=(
        "Accelerometer and gyroscope of a watch, 50 Hz, during seven exercises of the shoulder by ten people, with "
        "either arm. Windows overlap, so whole people are held out: data.fold of five, two in each. data.length and "
        "data.step (seconds) change the windows."
    ),
)


def locate(section: DataSection) -> Location | None:
    """Where the set lies on this machine; reads nothing of it, never fails."""
    return next(_places(section), None)


def _places(section: DataSection) -> Iterator[Location]:
    """Every place that has the set, in order of precedence."""
    if section.path is not None:
        path = Path(section.path).expanduser()
        for place in (path / _FILE, path):
            if is_there(place):
                yield Location(place, "[data] path")
        return
    if (root := data_root()) is not None:
        for name in _PLACES:
            if is_there(root / name):
                yield Location(root / name, "$EDGECNN_DATA")
    package = _package()
    if package is not None and is_there(package / "data" / _FILE):
        yield Location(package / "data" / _FILE, f"seglearn {_version()}")


def _package() -> Path | None:
    spec = importlib.util.find_spec("seglearn")
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _version() -> str:
    try:
        return importlib.metadata.version("seglearn")
    except importlib.metadata.PackageNotFoundError:    # put on the path by hand
        return "of unknown version"


def open_set(section: DataSection) -> DataSet:
    """The windows; ``float32 [N, 200, 6]``, or of ``data.length``. Groups are people.

    Raises:
        UsageError: A setting is not one of this set's, or out of range.
        EdgecnnError: The set is not here, or its file is damaged.
    """
    only_settings(section, INFO, "path", "fold", "length", "step")
    place = locate(section)
    if place is None:
        where = f"{section.path}: no {_FILE} there" if section.path else f"{INFO.title} is not on this machine"
        raise EdgecnnError(f"{where}. Ways to get it: {'; '.join(INFO.get)}.")
    fold = fold_of(section, FOLDS, "people")
    length = section.length or SECONDS
    update = {"rate": RATE, "length": length, "step": section.step or min(STEP, length)}
    cut = cut_of(section.model_copy(update=update))
    shape = (cut.length or 0, len(CHANNELS))
    info = dataclasses.replace(INFO, shape=shape, counts=INFO.counts if section == DataSection(set=INFO.name) else None)
    reader = functools.partial(_read, place.path, cut, fold)
    return DataSet(info, LABELS, f"{place.how}: {place.path} (held out: fold {fold} of {FOLDS})", reader, folds=FOLDS)


def _read(path: Path, cut: Cut, fold: int, split: SplitName) -> tuple[Samples, dict[str, str]]:
    """One side: each fold holds out every fifth person, by number."""
    with readable_os_errors(path, "read"):
        data = path.read_bytes()
    recordings, y, people = _recordings(data, path)
    held = np.unique(people, return_inverse=True)[1] % FOLDS == fold
    chosen = np.flatnonzero(held if split == "test" else ~held)
    samples = windows_of([recordings[index] for index in chosen], y[chosen], people[chosen], cut)
    return samples, {path.name: sha256_bytes(data)}


def _recordings(data: bytes, path: Path) -> tuple[list[Recording], np.ndarray, np.ndarray]:
    """The recordings with class and person of each, int64."""
    try:
        table = _unpickle(data)
        y, people = (np.asarray(table[name]).astype(np.int64) for name in ("y", "subject"))
        signals = [np.asarray(one) for one in table["X"]]
        names = tuple(map(str, table["X_labels"])), tuple(map(str, table["y_labels"]))
    except Exception as error:    # whatever notices first that the pickle is not what it should be
        raise EdgecnnError(
            f"{path}: not seglearn's file of watch motion ({first_line(error)}). Get it again: {INFO.get[0]}."
        ) from error
    right = (
        names == (CHANNELS, LABELS)
        and len(signals) == len(y) == len(people) > 0
        and all(one.ndim == 2 and one.shape[1] == len(CHANNELS) and np.isfinite(one).all() for one in signals)
        and 0 <= y.min() <= y.max() < len(LABELS)
        and len(np.unique(people)) >= FOLDS
    )
    if not right:
        raise EdgecnnError(
            f"{path}: other channels, classes or people than seglearn's file of watch motion has. Get it again: "
            f"{INFO.get[0]}. Own files are data.set = 'signal_files'."
        )
    kept = [
        Recording(one.astype(np.float32), CHANNELS, f"{path}: recording {number}") for number, one in enumerate(signals)
    ]
    return kept, y, people


class _ArraysOnly(pickle.Unpickler):
    """Reads arrays and Python's own containers; a pickle that asks for anything else could run any code."""

    _ALLOWED = (
        ("_codecs", "encode"),    # how old protocols write bytes
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module.replace("numpy.core.", "numpy._core.") if _NEW_NUMPY else module, name)


_NEW_NUMPY = int(np.__version__.split(".")[0]) >= 2


def _unpickle(data: bytes) -> dict[str, Any]:
    """The dictionary in an ``.npy`` file that holds one Python object."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    _, _, dtype = read(stream)
    if dtype != np.dtype(object):
        raise ValueError(f"an array of {dtype}")
    table = _ArraysOnly(stream, encoding="latin1").load().item()
    if not isinstance(table, dict):
        raise ValueError(f"a {type(table).__name__}")
    return table
