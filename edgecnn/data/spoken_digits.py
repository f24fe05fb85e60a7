"""Free Spoken Digit Dataset (Zohar Jackson and others, 2016): the digits 0 to 9 said in English, 8 kHz, six speakers.

Looked for, in this order: ``[data] path`` when given, and then nowhere else; ``$EDGECNN_DATA``. A folder or a zip of
the repository, or of its folder ``recordings``; the files are told by their names, wherever they lie in it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgecnn.data._clips import Form, check_form, describe_form, read_clips
from edgecnn.data._places import data_root
from edgecnn.data._source import Source, open_source
from edgecnn.data.base import DataSet, DataSetInfo, Location, Samples, SplitName, only_settings
from edgecnn.errors import EdgecnnError, UsageError, unknown_name
from edgecnn.files import is_there
from edgecnn.recipe import DataSection

LABELS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPLITS = ("takes", "speaker")
RATE = 8000
SECONDS = 1.0
TEST_TAKES = 5
_NAME = re.compile(r"([0-9])_([A-Za-z]+)_([0-9]+)\.wav", re.IGNORECASE)
_PLACES = (
    "free_spoken_digits.zip",
    "free_spoken_digits",
    "spoken_digits.zip",
    "spoken_digits",
    "free-spoken-digit-dataset",
    "free-spoken-digit-dataset-master.zip",
    "free-spoken-digit-dataset-master",
)

INFO = DataSetInfo(
    name="spoken_digits",
    title="Free Spoken Digit Dataset",
    shape=(round(RATE * SECONDS), 1),
    classes=10,
    counts={"train": 2700, "test": 300},
    licence="CC BY-SA 4.0",
    home="https://github.com/Jakobovski/free-spoken-digit-dataset",
    get=(
        "git -C $EDGECNN_DATA clone https://github.com/Jakobovski/free-spoken-digit-dataset",
        "the repository's zip as $EDGECNN_DATA/free_spoken_digits.zip",
        "data.path: a folder or zip with <digit>_<speaker>_<take>.wav anywhere in it",
    ),
    description=(
        "Ten digits in English, 50 times each by six speakers, 8 kHz, each clip in the middle of one second. "
        "data.split = 'takes' is the publisher's: takes 0 to 4 are the test, so it knows every voice. With 'speaker' "
        "data.fold says whose voice is held out, 0 to 5: what a stranger will meet. data.length and data.rate change "
        "the clips."
    ),
)


@dataclasses.dataclass(frozen=True)
class _Recordings:
    """Files by name; the arrays are ``int64 [N]``."""

    keys: list[str]
    digits: np.ndarray
    speakers: np.ndarray
    takes: np.ndarray
    names: tuple[str, ...]


def locate(section: DataSection) -> Location | None:
    """Where the set lies on this machine; reads no recording, never fails."""
    return next(_places(section), None)


def _places(section: DataSection) -> Iterator[Location]:
    """Every place that has the set, in order of precedence."""
    if section.path is not None:
        path = Path(section.path).expanduser()
        if is_there(path):
            yield Location(path, "[data] path")
    elif (root := data_root()) is not None:
        for name in _PLACES:
            if is_there(root / name):
                yield Location(root / name, "$EDGECNN_DATA")


def open_set(section: DataSection) -> DataSet:
    """The set; ``int16 [N, 8000, 1]``, or of ``data.rate`` times ``data.length``.

    Raises:
        UsageError: A setting is not one of this set's, or out of range.
        EdgecnnError: The set is not here; there is no recording in the path, or one cannot be read.
    """
    only_settings(section, INFO, "path", "split", "fold", "rate", "length")
    check_form(section)
    split = section.split or SPLITS[0]
    if split not in SPLITS:
        raise unknown_name("data.split", split, SPLITS)
    if section.fold is not None and split != "speaker":
        raise UsageError("data.fold needs data.split = 'speaker': add --set data.split=speaker")
    place = locate(section)
    if place is None:
        where = f"{section.path}: no such file or folder" if section.path else f"{INFO.title} is not on this machine"
        raise EdgecnnError(f"{where}. Ways to get it: {'; '.join(INFO.get)}.")
    source = open_source(place.path, (".wav",), "<digit>_<speaker>_<take>.wav")
    found = _list(source)
    rate = section.rate or RATE
    form = Form(rate, max(1, round((section.length or SECONDS) * rate)))
    held = found.takes < TEST_TAKES
    remarks = describe_form(section, form)
    if split == "speaker":
        fold = section.fold or 0
        if fold >= len(found.names):
            raise UsageError(f"data.fold = {fold}: there are {len(found.names)} speakers, 0 to {len(found.names) - 1}.")
        held = found.speakers == fold
        remarks.insert(0, f"held out: {found.names[fold]}")
    chosen: dict[SplitName, np.ndarray] = {"train": np.flatnonzero(~held), "test": np.flatnonzero(held)}
    for name, indices in chosen.items():
        if len(np.unique(found.digits[indices])) < len(LABELS):
            raise EdgecnnError(
                f"{place.path}: the {name} split ({split}) lacks a digit: the set is not whole. Get it again: "
                f"{INFO.get[0]}."
            )
    info = dataclasses.replace(
        INFO, shape=(form.samples, 1), counts={name: len(indices) for name, indices in chosen.items()}
    )

    def index(name: SplitName) -> tuple[np.ndarray, dict[str, str]]:
        keys = [found.keys[index] for index in chosen[name]]
        return found.digits[chosen[name]], source.digest(name, keys)

    def read(name: SplitName) -> tuple[Samples, dict[str, str]]:
        y, digests = index(name)
        # Among strangers validation means strangers too. The publisher's split shares speakers, and so does its own.
        groups = found.speakers[chosen[name]] if split == "speaker" else None
        return Samples(read_clips(source, [found.keys[index] for index in chosen[name]], form), y, groups), digests

    where = f"{place.how}: {place.path}" + (f" ({'; '.join(remarks)})" if remarks else "")
    folds = len(found.names) if split == "speaker" else None
    return DataSet(info, LABELS, where, read, index, folds=folds, rate=rate)


def _list(source: Source) -> _Recordings:
    """The recordings by what their names say, in the order of digit, speaker and take."""
    found = []
    for parts, key in source.files.items():
        if match := _NAME.fullmatch(parts[-1]):
            found.append((int(match[1]), match[2].lower(), int(match[3]), key))
    if not found:
        raise EdgecnnError(
            f"{source.path}: no recording named <digit>_<speaker>_<take>.wav, such as 7_jackson_32.wav, in it. "
            "Recordings in a folder for each class are data.set = 'audio_folder'."
        )
    found.sort()
    names = tuple(sorted({speaker for _, speaker, _, _ in found}))
    digits, speakers, takes = (
        np.array(column, np.int64)
        for column in (
            [digit for digit, _, _, _ in found],
            [names.index(speaker) for _, speaker, _, _ in found],
            [take for _, _, take, _ in found],
        )
    )
    return _Recordings([key for *_, key in found], digits, speakers, takes, names)
