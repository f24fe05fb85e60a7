"""What every data set gives: raw samples, labels, where they came from, and what was read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from edgecnn.errors import UsageError
from edgecnn.recipe import DataSection

SplitName = Literal["train", "test"]


@dataclass(frozen=True)
class Samples:
    """Raw samples and their classes, in the order of the source.

    Attributes:
        x: ``[N, ...]``: what a sensor would give, before any preprocessing. ``uint8 [N, H, W, C]`` for images,
            ``uint8 [N, frames, H, W, C]`` for clips, ``int16 [N, T, 1]`` for audio, ``float32 [N, T, C]`` for signals,
            ``str [N]`` for texts.
        y: ``int64``, indices into the data set's labels: ``[N]``, for segmentation ``[N, H, W]``.
        groups: ``int64 [N]``, or None: samples of one group (a recording, a person) never stand on both sides of a
            split, because they resemble each other more than what the device will meet.
    """

    x: np.ndarray
    y: np.ndarray
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def strata(self) -> np.ndarray:
        """``int64 [N]``: what a stratified choice keeps in proportion: the classes, and nothing for masks."""
        return self.y if self.y.ndim == 1 else np.zeros(len(self.y), np.int64)

    def take(self, indices: np.ndarray) -> Samples:
        """The samples at ``indices``, in that order."""
        groups = None if self.groups is None else self.groups[indices]
        return Samples(self.x[indices], self.y[indices], groups)


@dataclass(frozen=True)
class DataSetInfo:
    """What is known of a data set before anything is read.

    Attributes:
        name: Key in ``DATASETS`` and in ``[data] set``.
        title: One line.
        shape: Shape of one raw sample, or None where it depends on the files.
        classes: Number of classes, or None where it depends on the files.
        counts: Samples per split, or None where it depends on the files.
        licence: Licence as its publisher states it.
        home: Where the set is described.
        get: The ways to get it, one sentence or command each, the simplest first.
        description: A sentence or two on what the samples are.
    """

    name: str
    title: str
    shape: tuple[int, ...] | None
    classes: int | None
    counts: dict[str, int] | None
    licence: str
    home: str
    get: tuple[str, ...]
    description: str = ""


@dataclass
class DataSet:
    """An opened data set. Each split is read when it is first asked for, then kept.

    Attributes:
        info: What the set is.
        labels: Class names; the index is the class.
        source: Where it was found, for people.
        read: Reads one split; called once per split.
        index: Gives a split's classes and digests without its samples, for sets where samples are costly to decode.
        sha256: What was read, file name to hexadecimal digest; filled as splits are read.
        folds: How many values ``data.fold`` may have, from 0; each holds other samples out for the test. Given as soon
            as the set is open, with ``data.fold`` or without, which means fold 0; where the set knows ``data.folds``
            and it is given, that number. None where the set, as ``data.split`` divides it, has one split only: there
            are no folds for ``edgecnn crossval`` then.
        rate: Samples a second of its recordings, Hz; None for other samples.
    """

    info: DataSetInfo
    labels: tuple[str, ...]
    source: str
    read: Callable[[SplitName], tuple[Samples, dict[str, str]]]
    index: Callable[[SplitName], tuple[np.ndarray, dict[str, str]]] | None = None
    sha256: dict[str, str] = field(default_factory=dict)
    folds: int | None = None
    rate: int | None = None
    _splits: dict[str, Samples] = field(default_factory=dict, repr=False)

    def split(self, name: SplitName) -> Samples:
        """The samples of one split. ``test`` is never trained on, calibrated on or tuned on.

        Raises:
            EdgecnnError: A file is missing, truncated or corrupt.
        """
        if name not in self._splits:
            samples, digests = self.read(name)
            self._splits[name] = samples
            self.sha256.update(digests)
        return self._splits[name]

    def classes(self, name: SplitName) -> np.ndarray:
        """The classes of one split, ``int64 [N]``, without decoding its samples where the set can tell them apart.

        Raises:
            EdgecnnError: A file is missing, truncated or corrupt.
        """
        if name in self._splits or self.index is None:
            return self.split(name).y
        classes, digests = self.index(name)
        self.sha256.update(digests)
        return classes

    @property
    def train(self) -> Samples:
        """The training split, validation samples included."""
        return self.split("train")

    @property
    def test(self) -> Samples:
        """The test split."""
        return self.split("test")


@dataclass(frozen=True)
class Location:
    """Where a data set was found on this machine.

    Attributes:
        path: Folder or file.
        how: In words, such as ``Debian package dataset-fashion-mnist``.
    """

    path: Path
    how: str


SETTINGS = ("path", "size", "channels", "tile", "split", "fold", "folds", "rate", "length", "step")
"""What only some data sets know."""


def only_settings(section: DataSection, info: DataSetInfo, *known: str) -> None:
    """Refuse settings that a data set would otherwise ignore without a word.

    Args:
        section: What the recipe says.
        info: Of the set.
        known: Those of ``SETTINGS`` that the set knows.

    Raises:
        UsageError: Another one is set.
    """
    for name in SETTINGS:
        if name not in known and getattr(section, name) is not None:
            has = f"It has {', '.join(known)}." if known else "It has none."
            raise UsageError(
                f"data.{name} = {getattr(section, name)!r}: the data set {info.name} has no such setting. {has} "
                "Remove it, or choose another data.set."
            )
