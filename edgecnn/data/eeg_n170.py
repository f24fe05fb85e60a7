"""EEG while pictures of faces and houses are shown, with a Muse headband (NeuroTechX's eeg-notebooks): N170 recordings.

Looked for, in this order: ``[data] path`` when given, and then nowhere else; ``$EDGECNN_DATA``. A folder or a zip with
``subject<number>/session<number>/*.csv`` anywhere in it.

What the files say of themselves decides which are used, see ``_fault``. Of the 19 published ones 13 are left: one is a
copy of another, the four of subject 10 have 1 to 28 markers, one is saturated. Time stamps are not used: they run
backwards where chunks of the wireless transmission meet; the rows are in order, 256 a second.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgecnn.data._number_table import read_number_table
from edgecnn.data._places import data_root
from edgecnn.data._recordings import fold_of
from edgecnn.data._source import Source, open_source
from edgecnn.data.base import DataSet, DataSetInfo, Location, Samples, SplitName, only_settings
from edgecnn.errors import EdgecnnError, UsageError, unknown_name
from edgecnn.files import is_there, sha256_bytes
from edgecnn.recipe import DataSection

CHANNELS = ("TP9", "AF7", "AF8", "TP10")
MARKER = "Marker0"
LABELS = ("marker_1", "marker_2")
"""The publisher does not say in words which of the two was a face and which a house."""

RATE = 256
BEFORE = 0.1
SECONDS = 0.9
SPLITS = ("recording", "subject")

LEAST_MARKERS = 30
"""Of either kind, in a recording that is used."""

FULL_SCALE = 999.0
"""Microvolts from which on the Muse's converter is at its end."""

MOST_SATURATED = 0.01
"""Share of the values at full scale that a recording may have."""

BLOCKS = 8
"""Successive parts of a recording that a validation split keeps whole."""

_SUBJECT = re.compile(r"subject\D?(\d+)", re.IGNORECASE)
_PLACES = ("eeg_n170.zip", "eeg_n170", "N170", "N170.zip")

INFO = DataSetInfo(
    name="eeg_n170",
    title="EEG N170",
    shape=(round(SECONDS * RATE), len(CHANNELS)),
    classes=len(LABELS),
    counts={"train": 977, "test": 197},
    licence="BSD-3-Clause",
    home="https://github.com/NeuroTechX/eeg-notebooks_v0.1",
    get=(
        "the folder data/visual/N170 of https://github.com/NeuroTechX/eeg-notebooks_v0.1 as $EDGECNN_DATA/eeg_n170",
        "a zip of it as $EDGECNN_DATA/eeg_n170.zip, or either as data.path",
    ),
    description=(
        "Four electrodes of a Muse headband, microvolts at 256 Hz, from 0.1 s before a picture was shown; data.length "
        "in seconds. data.split = 'recording' holds out recording number data.fold (0 to 11) and learns from the "
        "others of the same person; 'subject' holds out person number data.fold (0 to 3) and learns from the others. "
        "Pictures follow each other after 0.6 s, so epochs overlap and are never divided at random."
    ),
)


@dataclass(frozen=True)
class Session:
    """A recording that is used.

    Attributes:
        key: Of its file.
        subject: Number of the person.
        values: float32 ``[T, 4]``, microvolts.
        onsets: int64 ``[M]``: rows of the markers.
        y: int64 ``[M]``: 0 for marker 1, 1 for marker 2.
    """

    key: str
    subject: int
    values: np.ndarray
    onsets: np.ndarray
    y: np.ndarray


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
    """The epochs; ``float32 [N, 230, 4]``, or of ``data.length``. Groups are parts of recordings.

    All files are read now: what is in them decides which are used.

    Raises:
        UsageError: A setting is not one of this set's, or out of range.
        EdgecnnError: The set is not here, a file is damaged, or too few recordings can be used.
    """
    only_settings(section, INFO, "path", "split", "fold", "length")
    split = section.split or SPLITS[0]
    if split not in SPLITS:
        raise unknown_name("data.split", split, SPLITS)
    length = round((section.length or SECONDS) * RATE)
    if length <= round(BEFORE * RATE):
        raise UsageError(f"data.length = {section.length}: an epoch begins {BEFORE} s before the picture. Set more.")
    place = locate(section)
    if place is None:
        where = f"{section.path}: no such file or folder" if section.path else f"{INFO.title} is not on this machine"
        raise EdgecnnError(f"{where}. Ways to get it: {'; '.join(INFO.get)}.")
    source = open_source(place.path, (".csv",), "subject1/session1/*.csv")
    sessions, unused = _usable(source)
    longest = max((len(one.values) for one in sessions), default=0)
    if length > longest > 0:
        raise UsageError(f"data.length = {section.length}: the longest recording has {longest / RATE:.0f} s. Set less.")
    sides, folds, held = _divide(source, sessions, split, section)
    splits = {name: _epochs(chosen, length) for name, chosen in sides.items()}
    for name, samples in splits.items():
        if len(np.unique(samples.y)) < len(LABELS):
            raise EdgecnnError(f"{place.path}: no epochs of both markers for {name}. Set a shorter data.length.")
    info = dataclasses.replace(
        INFO,
        shape=(length, len(CHANNELS)),
        counts={name: len(samples) for name, samples in splits.items()},
    )

    def read(name: SplitName) -> tuple[Samples, dict[str, str]]:
        return splits[name], source.digest(name, [one.key for one in sides[name]])

    left_out = f", {len(unused)} files left out" if unused else ""
    return DataSet(info, LABELS, f"{place.how}: {place.path} (held out: {held}{left_out})", read, folds=folds)


def _usable(source: Source) -> tuple[list[Session], dict[str, str]]:
    """The recordings that are used, by subject and name; and the others, with what is wrong with them."""
    sessions: list[Session] = []
    unused: dict[str, str] = {}
    seen: set[str] = set()
    found = []
    for parts, key in source.files.items():
        if numbers := [int(match[1]) for part in parts[:-1] if (match := _SUBJECT.fullmatch(part))]:
            found.append((numbers[0], parts, key))
    if not found:
        raise EdgecnnError(
            f"{source.path}: no subject<number>/session<number>/*.csv in it. Own files are data.set = 'signal_files'."
        )
    for subject, _, key in sorted(found):
        data = source.read(key)
        digest = sha256_bytes(data)
        if digest in seen:
            unused[key] = "a copy of another"
            continue
        seen.add(digest)
        session = _session(data, source.where(key), key, subject)
        if fault := _fault(session):
            unused[key] = fault
        else:
            sessions.append(session)
    return sessions, unused


def _session(data: bytes, where: str, key: str, subject: int) -> Session:
    """One file.

    Raises:
        EdgecnnError: It is no table of numbers, or has other columns.
    """
    table = read_number_table(data, where)
    missing = [name for name in (*CHANNELS, MARKER) if name not in table.names]
    if missing:
        raise EdgecnnError(
            f"{where}: no column {missing[0]} ({', '.join(table.names) or 'no line of names'}). Expected are "
            f"{', '.join((*CHANNELS, MARKER))}. Get the file again, or remove it."
        )
    marker = table.values[:, table.names.index(MARKER)]
    onsets = np.flatnonzero(marker)
    if not np.isin(marker[onsets], (1, 2)).all():
        raise EdgecnnError(f"{where}: a marker other than 1 and 2. Get the file again, or remove it.")
    values = table.values[:, [table.names.index(name) for name in CHANNELS]].astype(np.float32)
    return Session(key, subject, values, onsets, marker[onsets].astype(np.int64) - 1)


def _fault(session: Session) -> str:
    """Why a recording is not used; empty where it is."""
    saturated = float(np.mean(np.abs(session.values) >= FULL_SCALE))
    if saturated > MOST_SATURATED:
        return f"{saturated:.1%} of the values saturated"
    fewest = int(np.bincount(session.y, minlength=len(LABELS)).min())
    if fewest < LEAST_MARKERS:
        return f"{fewest} markers of one kind, fewer than {LEAST_MARKERS}"
    return ""


Sides = dict[SplitName, list[Session]]


def _divide(source: Source, sessions: list[Session], split: str, section: DataSection) -> tuple[Sides, int, str]:
    """Who learns and who tests, the number of folds, and what is held out."""
    subjects = sorted({one.subject for one in sessions})
    if split == "subject":
        if len(subjects) < 2:
            raise EdgecnnError(
                f"{source.path}: usable recordings of {len(subjects)} subjects, data.split = 'subject' needs two. Get "
                "the whole set, or set data.split = 'recording'."
            )
        out = subjects[fold_of(section, len(subjects), "subjects")]
        return _sides(sessions, [one.subject == out for one in sessions]), len(subjects), f"subject {out}"
    count = {subject: sum(one.subject == subject for one in sessions) for subject in subjects}
    holdable = [one for one in sessions if count[one.subject] > 1]
    if not holdable:
        raise EdgecnnError(
            f"{source.path}: no subject with two usable recordings, as data.split = 'recording' needs: one to learn "
            "from, one for the test. Get the whole set, or set data.split = 'subject'."
        )
    chosen = holdable[fold_of(section, len(holdable), "recordings")]
    own = [one for one in sessions if one.subject == chosen.subject]
    return _sides(own, [one is chosen for one in own]), len(holdable), f"{chosen.key}, of subject {chosen.subject}"


def _sides(sessions: Sequence[Session], held: Sequence[bool]) -> Sides:
    return {
        "train": [one for one, out in zip(sessions, held, strict=True) if not out],
        "test": [one for one, out in zip(sessions, held, strict=True) if out],
    }


def _epochs(sessions: Sequence[Session], length: int) -> Samples:
    """All epochs of some recordings; one that begins before its recording or ends after it is left out.

    The groups are parts of recordings, not recordings: of a person with two, one is all there is to learn from.
    """
    before = round(BEFORE * RATE)
    x, y, groups = [], [], []
    for number, one in enumerate(sessions):
        whole = (one.onsets >= before) & (one.onsets - before + length <= len(one.values))
        starts = one.onsets[whole] - before
        x.append(one.values[starts[:, np.newaxis] + np.arange(length)].reshape(-1, length, len(CHANNELS)))
        y.append(one.y[whole])
        groups.append(number * BLOCKS + starts * BLOCKS // len(one.values))
    return Samples(np.concatenate(x), np.concatenate(y), np.concatenate(groups))
