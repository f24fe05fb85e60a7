"""A user's own signals of one or many channels: files ``<class>/*.csv`` in a folder or zip, or arrays in an ``.npz``.

See ``_number_table`` for the files, ``_recordings`` for the windows and ``_signal_arrays`` for the ``.npz``.
"""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgecnn.data import _signal_arrays
from edgecnn.data._image_layout import Layout, Split, arrange
from edgecnn.data._recordings import SUFFIXES, TIME_COLUMNS, cut_of, fold_of, read_recordings, windows_of
from edgecnn.data._source import Parts, Source, open_source
from edgecnn.data.base import DataSet, DataSetInfo, Location, Samples, SplitName, only_settings
from edgecnn.errors import EdgecnnError, UsageError, unknown_name
from edgecnn.files import is_there, readable_os_errors, sha256_bytes
from edgecnn.recipe import DataSection

SPLITS = ("file", "subject")
FOLDS = 5

INFO = DataSetInfo(
    name="signal_files",
    title="Own signals",
    shape=None,
    classes=None,
    counts=None,
    licence="your own",
    home="",
    get=(
        "data.path: a folder or zip with <class>/<recording>.csv, or <class>/<subject>/<recording>.csv; "
        "train/ and test/ above them are heeded",
        f"data.path: an .npz with {' and '.join(_signal_arrays.WHOLE)} (and {_signal_arrays.SUBJECT}), or with "
        f"{', '.join(_signal_arrays.DIVIDED)}",
    ),
    description=(
        "A file is a recording: CSV with a line for each instant and a column for each channel (a column named "
        f"{', '.join(name for name in TIME_COLUMNS if name)} is left out), or an array [T, C] as .npy. Windows of "
        "data.length seconds are cut every data.step seconds (by default without overlap) at data.rate, the samples a "
        "second in the files; without data.length recordings are taken whole. Held out for the test are whole "
        "recordings (data.split = 'file'), or whole subjects where each file lies in a subject's folder ('subject'): "
        f"those of part data.fold, of data.folds (by default {FOLDS} or as many as there are). An .npz holds windows "
        "that are cut already."
    ),
)


@dataclass(frozen=True)
class _Files:
    """Which recordings are on which side, and what must stay together.

    Attributes:
        splits: Files and classes of each side.
        groups: int64, of the files of each side.
        folds: How many values ``data.fold`` may have; None where the tree says what is held out.
        note: What was decided, for people.
    """

    splits: dict[SplitName, Split]
    groups: dict[SplitName, np.ndarray]
    folds: int | None
    note: str


def locate(section: DataSection) -> Location | None:
    """``data.path``, when it exists."""
    path = Path(section.path).expanduser() if section.path else None
    return Location(path, "file" if path.is_file() else "folder") if path is not None and is_there(path) else None


def open_set(section: DataSection) -> DataSet:
    """The windows; ``float32 [N, T, C]``. A split's files are read when it is asked for.

    Raises:
        UsageError: ``data.path`` is not given or does not exist, or a setting is out of range.
        EdgecnnError: The tree is not understood, or a recording is damaged, too short or has other channels.
    """
    only_settings(section, INFO, "path", "split", "fold", "folds", "rate", "length", "step")
    if not section.path:
        raise UsageError(
            "the data set signal_files needs data.path: a folder or zip with <class>/*.csv, or an .npz. "
            "For example: --set data.path=gestures.zip"
        )
    path = Path(section.path).expanduser()
    if path.suffix.lower() == ".npz" and path.is_file():
        return _open_arrays(path, section)
    cut = cut_of(section)
    source = open_source(path, SUFFIXES, "<class>/*.csv")
    layout = arrange(source, "recordings", SUFFIXES, divide=False)
    files = _divide(source, layout, section)
    first = read_recordings(source, files.splits["train"].keys[:1])[0]
    info = dataclasses.replace(
        INFO, shape=(cut.length or len(first.values), first.values.shape[1]), classes=len(layout.labels)
    )

    def read(name: SplitName) -> tuple[Samples, dict[str, str]]:
        split = files.splits[name]
        recordings = read_recordings(source, split.keys, first)
        samples = windows_of(recordings, split.y, files.groups[name], cut, len(first.values))
        return samples, source.digest(name, split.keys)

    return DataSet(info, layout.labels, f"{section.path} ({files.note})", read, folds=files.folds)


def _open_arrays(path: Path, section: DataSection) -> DataSet:
    for name in ("rate", "length", "step"):
        if getattr(section, name) is not None:
            raise UsageError(f"data.{name}: {path} holds windows that are cut already. Remove the setting.")
    with readable_os_errors(path, "read"):
        data = path.read_bytes()
    labels, sides, folds, note = _signal_arrays.read_arrays(data, str(path), section)
    info = dataclasses.replace(
        INFO,
        shape=sides["train"].x.shape[1:],
        classes=len(labels),
        counts={name: len(samples) for name, samples in sides.items()},
    )
    digests = {path.name: sha256_bytes(data)}
    return DataSet(info, labels, f"{section.path} ({note})", lambda name: (sides[name], digests), folds=folds)


def _divide(source: Source, layout: Layout, section: DataSection) -> _Files:
    """Files into training and test, by the tree itself, by subjects or by files.

    Raises:
        UsageError: ``data.split``, ``data.fold`` or ``data.folds`` does not fit the tree.
        EdgecnnError: There is one subject only, or a class is left without training or test.
    """
    if section.split is not None and section.split not in SPLITS:
        raise unknown_name("data.split", section.split, SPLITS)
    parts = {key: parts for parts, key in source.files.items()}
    if layout.divided:
        for name in ("split", "fold", "folds"):
            if getattr(section, name) is not None:
                raise UsageError(
                    f"data.{name}: {source.path} has a folder for the test already. Leave the setting out, or give a "
                    "path with <class>/*.csv alone."
                )
        splits: dict[SplitName, Split] = {"train": layout.train, "test": layout.test}
        groups = {name: _numbers(split, layout, parts) for name, split in splits.items()}
        return _Files(splits, groups, None, layout.note or "divided as its folders are")
    subjects = _subjects(layout.train, layout, parts)
    split = section.split or ("subject" if subjects is not None else "file")
    if split == "subject":
        names, group, folds = _by_subject(source, subjects, section)
        fold = fold_of(section, folds, "subjects")
        what = f"subjects ({', '.join(names[fold::folds][:5])})"
    else:
        group, folds, what = np.arange(len(layout.train.keys)), section.folds or FOLDS, "recordings"
        fold = fold_of(section, folds, what)
    held = (group if split == "subject" else _rank_in_class(layout.train.y)) % folds == fold
    _check_classes(source, layout, held, split)
    rest, out = np.flatnonzero(~held), np.flatnonzero(held)
    return _Files(
        {"train": layout.train.take(rest), "test": layout.train.take(out)},
        {"train": group[rest], "test": group[out]},
        folds,
        f"held out: fold {fold} of {folds}, whole {what}",
    )


def _by_subject(source: Source, subjects: list[str] | None, section: DataSection) -> tuple[list[str], np.ndarray, int]:
    """The subjects' names, the number of each file's subject, and the number of folds."""
    if subjects is None:
        raise EdgecnnError(
            f"{source.path}: data.split = 'subject' needs <class>/<subject>/<recording>.csv; there are files right in "
            "the folders of classes. Leave data.split out to hold files out."
        )
    names, group = np.unique(subjects, return_inverse=True)
    folds = section.folds or min(FOLDS, len(names))
    if len(names) < 2 or folds > len(names):
        asked = f" with data.folds = {section.folds}" if section.folds and len(names) > 1 else ""
        raise EdgecnnError(
            f"{source.path}: {len(names)} subject{'s' if len(names) > 1 else ' only'} ({', '.join(names[:5])}), too "
            f"few for data.split = 'subject'{asked}. "
            + ("Set fewer data.folds." if len(names) > 1 else "To hold whole files out: --set data.split=file")
        )
    return names.tolist(), group.astype(np.int64), folds


def _rank_in_class(y: np.ndarray) -> np.ndarray:
    """int64 ``[N]``: the how-manieth of its class each file is, from 0."""
    rank = np.empty(len(y), np.int64)
    for label in np.unique(y):
        rank[y == label] = np.arange(np.sum(y == label))
    return rank


def _subjects(split: Split, layout: Layout, parts: dict[str, Parts]) -> list[str] | None:
    """The folder below that of its class in which each file lies, however deep; None where one lies in none."""
    files = [(parts[key], layout.labels[label]) for key, label in zip(split.keys, split.y, strict=True)]
    # What stands above all classes is one folder and so no class's: the first level that fits every file is theirs.
    level = next(level for level in itertools.count() if all(place[level] == label for place, label in files))
    return None if any(len(place) == level + 2 for place, _ in files) else [place[level + 1] for place, _ in files]


def _numbers(split: Split, layout: Layout, parts: dict[str, Parts]) -> np.ndarray:
    """int64 ``[N]``: each file's subject, or the file where there are no subjects."""
    subjects = _subjects(split, layout, parts)
    if subjects is None:
        return np.arange(len(split.keys))
    return np.unique(subjects, return_inverse=True)[1].astype(np.int64)


def _check_classes(source: Source, layout: Layout, held: np.ndarray, split: str) -> None:
    """Every class has to be on both sides."""
    for index, label in enumerate(layout.labels):
        own = held[layout.train.y == index]
        if own.all() or not own.any():
            side = "training" if own.all() else "the test"
            raise EdgecnnError(
                f"{source.path}: no recording of {label!r} is left for {side} ({len(own)} in all, data.split = "
                f"{split!r}). Set another data.fold or fewer data.folds, or record more."
            )
