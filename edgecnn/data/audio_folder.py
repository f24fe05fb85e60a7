"""A user's own recordings: ``<class>/*.wav``, with or without ``train/`` and ``test/`` above, as a folder or a zip.

See ``_image_layout`` for the trees that are understood, ``_wav`` for the files and ``_resample`` for another rate.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path, PurePosixPath

import numpy as np

from edgecnn.data._clips import describe_form, form_of, read_clips
from edgecnn.data._image_layout import Layout, Split, arrange
from edgecnn.data._source import Source, open_source
from edgecnn.data.base import DataSet, DataSetInfo, Location, Samples, SplitName, only_settings
from edgecnn.errors import EdgecnnError, UsageError, unknown_name
from edgecnn.files import is_there
from edgecnn.recipe import DataSection

SUFFIXES = (".wav", ".wave")
SPLITS = ("file", "speaker")
FOLDS = 5

INFO = DataSetInfo(
    name="audio_folder",
    title="Own recordings",
    shape=None,
    classes=None,
    counts=None,
    licence="your own",
    home="",
    get=("data.path: a folder or zip with train/<class>/*.wav and test/<class>/*.wav, or just <class>/*.wav",),
    description=(
        "WAV files of 8 to 32 bits or floating point, a folder for each class; channels are mixed to one. Held out for "
        "the test is test/, validation/, valid/ or val/, otherwise a fifth of each class; with data.split = 'speaker' "
        "whole speakers, by what stands before the first _ in a file's name (data.fold says which part, of data.folds, "
        f"by default {FOLDS} or as many as there are speakers). data.rate resamples (Hz), data.length cuts or pads "
        "(seconds); without them all recordings must have one rate and one length."
    ),
)


def locate(section: DataSection) -> Location | None:
    """``data.path``, when it exists."""
    path = Path(section.path).expanduser() if section.path else None
    return Location(path, "zip" if path.is_file() else "folder") if path is not None and is_there(path) else None


def open_set(section: DataSection) -> DataSet:
    """The recordings; ``int16 [N, T, 1]``. A split's files are decoded when it is asked for.

    Raises:
        UsageError: ``data.path`` is not given or does not exist, or a setting is out of range.
        EdgecnnError: The tree is not understood, or a recording cannot be read or has another rate or length.
    """
    only_settings(section, INFO, "path", "split", "fold", "folds", "rate", "length")
    if not section.path:
        raise UsageError(
            "the data set audio_folder needs data.path: a folder or zip with <class>/*.wav. "
            "For example: --set data.path=words.zip"
        )
    split = section.split or "file"
    if split not in SPLITS:
        raise unknown_name("data.split", split, SPLITS)
    if split == "file" and (section.fold is not None or section.folds is not None):
        raise UsageError("data.fold and data.folds need data.split = 'speaker': add --set data.split=speaker")
    source = open_source(Path(section.path).expanduser(), SUFFIXES, "train/<class>/*.wav")
    layout = arrange(source, "recordings", SUFFIXES, divide=split == "file")
    if layout.divided and section.split is not None:
        raise UsageError(
            f"data.split = {split!r}: {section.path} has a folder for the test already. Leave data.split out, or give "
            "a path with <class>/*.wav alone."
        )
    speakers, folds = None, None
    if split == "speaker":
        layout, speakers, folds = _by_speaker(source, layout, section)
    splits: dict[SplitName, Split] = {"train": layout.train, "test": layout.test}
    form = form_of(section, source, [*layout.train.keys, *layout.test.keys])
    info = dataclasses.replace(
        INFO,
        shape=(form.samples, 1),
        classes=len(layout.labels),
        counts={name: len(part.y) for name, part in splits.items()},
    )

    def index(name: SplitName) -> tuple[np.ndarray, dict[str, str]]:
        return splits[name].y, source.digest(name, splits[name].keys)

    def read(name: SplitName) -> tuple[Samples, dict[str, str]]:
        y, digests = index(name)
        groups = speakers if name == "train" else None
        return Samples(read_clips(source, splits[name].keys, form), y, groups), digests

    remarks = [*([layout.note] if layout.note else []), *describe_form(section, form)]
    found = f"{section.path} ({'; '.join(remarks)})" if remarks else section.path
    return DataSet(info, layout.labels, found, read, index, folds=folds, rate=form.rate)


def _by_speaker(
    source: Source, layout: Layout, section: DataSection
) -> tuple[Layout, np.ndarray, int]:
    """Every ``folds``-th speaker held out, by name from the ``fold``-th on; who speaks in training; and ``folds``.

    Args:
        source: Holds the recordings.
        layout: All of them in its training split.
        section: ``data.fold`` and ``data.folds``.

    Raises:
        UsageError: ``data.fold`` or ``data.folds`` does not fit the number of speakers.
        EdgecnnError: A name has no speaker, there is only one, or a class is left without training.
    """
    keys, y = layout.train.keys, layout.train.y
    speakers = [_speaker(source, key) for key in keys]
    names, number = np.unique(speakers, return_inverse=True)
    folds = section.folds or min(FOLDS, len(names))
    if len(names) < 2 or folds > len(names):
        raise EdgecnnError(
            f"{source.path}: {len(names)} speaker{'s' if len(names) > 1 else ''} ({', '.join(names[:5])}), too few for "
            f"data.split = 'speaker'{f' with data.folds = {folds}' if len(names) > 1 else ''}. Names are "
            "<speaker>_<anything>.wav. Leave data.split out to hold files out."
        )
    fold = section.fold or 0
    if fold >= folds:
        raise UsageError(f"data.fold = {fold}: there are {folds} folds, 0 to {folds - 1}.")
    held = number % folds == fold
    missing = np.setdiff1d(y, y[~held])
    if len(missing):
        raise EdgecnnError(
            f"{source.path}: only speakers that data.fold = {fold} holds out say {layout.labels[missing[0]]!r}. Choose "
            "another data.fold, or add recordings by others."
        )
    said = ", ".join(names[fold::folds][:5]) + (", …" if len(names[fold::folds]) > 5 else "")
    learned = np.flatnonzero(~held)
    train, test = layout.train.take(learned), layout.train.take(np.flatnonzero(held))
    divided = Layout(layout.labels, train, test, f"held out: fold {fold} of {folds}, {said}", divided=True)
    return divided, number[learned], folds


def _speaker(source: Source, key: str) -> str:
    """What stands before the first ``_`` of a file's name."""
    name, sign, _ = PurePosixPath(key.replace("\\", "/")).name.partition("_")
    if not sign or not name:
        raise EdgecnnError(
            f"{source.where(key)}: no speaker in the name. data.split = 'speaker' needs <speaker>_<anything>.wav; "
            "leave it out to hold files out."
        )
    return name
