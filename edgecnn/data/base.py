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
        x: ``uint8``, ``[N, H, W, C]`` for images: what a sensor would give, before any preprocessing.
        y: ``int64``, ``[N]``: indices into the data set's labels.
    """

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.y)

    def take(self, indices: np.ndarray) -> Samples:
        """The samples at ``indices``, in that order."""
        return Samples(self.x[indices], self.y[indices])


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
    """

    info: DataSetInfo
    labels: tuple[str, ...]
    source: str
    read: Callable[[SplitName], tuple[Samples, dict[str, str]]]
    index: Callable[[SplitName], tuple[np.ndarray, dict[str, str]]] | None = None
    sha256: dict[str, str] = field(default_factory=dict)
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


def refuse_settings(section: DataSection, info: DataSetInfo, *names: str) -> None:
    """Refuse settings that a data set would otherwise ignore without a word.

    Raises:
        UsageError: One of ``names`` is set in ``section``.
    """
    for name in names:
        if getattr(section, name) is not None:
            raise UsageError(
                f"data.{name} = {getattr(section, name)!r}: the data set {info.name} has no such setting "
                f"(an image_folder has). Remove it, or choose another data.set."
            )
