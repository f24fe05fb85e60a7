"""Recordings of several channels, a file each, and the windows that are cut from them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.data._number_table import read_number_table
from edgecnn.data._source import Source
from edgecnn.data.base import Samples
from edgecnn.errors import EdgecnnError, UsageError, first_line
from edgecnn.machine import memory_bytes
from edgecnn.recipe import DataSection

SUFFIXES = (".csv", ".tsv", ".npy")
TIME_COLUMNS = ("time", "timestamp", "timestamps", "t", "index", "")
"""Names of columns that are no channel; without regard to case. A nameless one is a row number, as pandas writes it."""


@dataclass(frozen=True)
class Recording:
    """What one file holds.

    Attributes:
        values: float32 ``[T, C]``.
        names: Of the channels; empty where the file does not say them.
        where: The file's name, for messages.
    """

    values: np.ndarray
    names: tuple[str, ...]
    where: str


@dataclass(frozen=True)
class Cut:
    """How windows lie in a recording, in samples.

    Attributes:
        length: Of a window; None takes recordings whole, which must then have one length.
        step: From the start of a window to that of the next.
    """

    length: int | None
    step: int


def cut_of(section: DataSection) -> Cut:
    """``data.length`` and ``data.step``, seconds, at ``data.rate``.

    Raises:
        UsageError: One is given without those that it needs, or is less than a sample.
    """
    if section.length is None:
        for name in ("step", "rate"):
            if getattr(section, name) is not None:
                raise UsageError(f"data.{name} needs data.length, the length of a window in seconds: set that too.")
        return Cut(None, 1)
    if section.rate is None:
        raise UsageError(
            f"data.length = {section.length}: seconds, for which data.rate is needed, the samples a second in the "
            "files. For example: --set data.rate=50"
        )
    length, step = (round(value * section.rate) for value in (section.length, section.step or section.length))
    for name, value in (("length", length), ("step", step)):
        if value < 1:
            raise UsageError(f"data.{name} is shorter than one sample at data.rate = {section.rate}. Set a longer one.")
    return Cut(length, step)


def read_recordings(source: Source, keys: Sequence[str], like: Recording | None = None) -> list[Recording]:
    """The recordings, which all have the same channels.

    Args:
        source: What holds them.
        keys: Of ``.csv``, ``.tsv`` or ``.npy`` files.
        like: One whose channels they must have; by default the first of them.

    Raises:
        EdgecnnError: A file is damaged, or has other channels.
    """
    found: list[Recording] = []
    for key in keys:
        one = read_recording(source.read(key), source.where(key))
        first = like or (found[0] if found else one)
        if one.values.shape[1] != first.values.shape[1]:
            raise EdgecnnError(
                f"{one.where}: {one.values.shape[1]} channels, {first.where} has {first.values.shape[1]}. All "
                "recordings need the same: mend the file, or remove it."
            )
        if one.names and first.names and one.names != first.names:
            name, other = next((a, b) for a, b in zip(one.names, first.names, strict=True) if a != b)
            raise EdgecnnError(
                f"{one.where}: a channel {name!r} where {first.where} has {other!r}. Bring the columns of all files "
                "into one order."
            )
        found.append(one)
    return found


def read_recording(data: bytes, where: str) -> Recording:
    """One recording.

    Args:
        data: The file.
        where: Its name; ``.npy`` at its end tells an array ``[T, C]`` or ``[T]`` from a CSV file.

    Raises:
        EdgecnnError: It is damaged, or no table of numbers.
    """
    if where.lower().endswith(".npy"):
        try:
            array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
        except (ValueError, OSError, EOFError, MemoryError) as error:
            said = first_line(error)
            raise EdgecnnError(f"{where}: not an array of numbers ({said}). Write it with np.save.") from error
        return Recording(as_signal(array, (1, 2), "[T, C]", where), (), where)
    table = read_number_table(data, where)
    channels = [place for place, name in enumerate(table.names) if name.lower() not in TIME_COLUMNS]
    if not table.names:
        return Recording(table.values.astype(np.float32), (), where)
    if not channels:
        raise EdgecnnError(f"{where}: only a column of time ({', '.join(table.names)}). Add a column for each channel.")
    values = table.values[:, channels].astype(np.float32)
    return Recording(values, tuple(table.names[place] for place in channels), where)


def as_signal(array: np.ndarray, dimensions: tuple[int, int], like: str, where: str) -> np.ndarray:
    """An array as float32, the last of its two or three dimensions the channels.

    Args:
        array: What was read.
        dimensions: How many it may have; with the first number there is one channel.
        like: Its shape, for messages.
        where: Its name, for messages.

    Raises:
        EdgecnnError: It has another shape, is empty, or holds something else than finite numbers.
    """
    if array.dtype.kind not in "fiu" or array.ndim not in dimensions or not array.size:
        raise EdgecnnError(
            f"{where}: an array {list(array.shape)} of {array.dtype}. Expected are numbers {like}, T along time and C "
            "channels."
        )
    values = array.astype(np.float32)
    if not np.isfinite(values).all():
        place = [int(index) for index in np.argwhere(~np.isfinite(values))[0]]
        raise EdgecnnError(f"{where}: the value at {place} is no finite number. Fill it in, or leave it out.")
    return values[..., np.newaxis] if array.ndim == dimensions[0] else values


def windows_of(
    recordings: Sequence[Recording], y: np.ndarray, groups: np.ndarray, cut: Cut, whole: int = 0
) -> Samples:
    """All windows of some recordings, in their order and by time; what is left over at an end is dropped.

    Args:
        recordings: ``R`` of them, with equal channels.
        y: int64 ``[R]``: their classes.
        groups: int64 ``[R]``: what must not be divided.
        cut: Length and step.
        whole: Length of recordings that are taken whole.

    Returns:
        float32 ``[N, length, C]`` with class and group of each window.

    Raises:
        EdgecnnError: A recording is shorter than a window, recordings taken whole differ in length, or all windows
            are too much for the memory.
    """
    length = cut.length or whole
    for one in recordings:
        samples = len(one.values)
        if cut.length is None and samples != length:
            raise EdgecnnError(
                f"{one.where}: {samples} samples, the first recording has {length}. To cut windows of one length, set "
                "data.length and data.rate."
            )
        if samples < length:
            raise EdgecnnError(
                f"{one.where}: {samples} samples, a window has {length}. Remove it, or set a shorter data.length."
            )
    counts = [(len(one.values) - length) // cut.step + 1 for one in recordings]
    needed, there = 4 * sum(counts) * length * recordings[0].values.shape[1], memory_bytes()
    if there is not None and needed > there:
        raise EdgecnnError(
            f"{sum(counts)} windows of {length} samples need {needed / 1e9:.1f} GB, this machine has {there / 1e9:.1f} "
            "GB. Set a longer data.step."
        )
    parts = [
        np.lib.stride_tricks.sliding_window_view(one.values, length, axis=0)[:: cut.step].transpose(0, 2, 1)
        for one in recordings
    ]
    x = np.ascontiguousarray(np.concatenate(parts))
    return Samples(x, np.repeat(y, counts).astype(np.int64), np.repeat(groups, counts).astype(np.int64))


def fold_of(section: DataSection, folds: int, what: str) -> int:
    """``data.fold``, by default 0.

    Args:
        section: The recipe's ``[data]``.
        folds: How many there are.
        what: A fold is of, in the plural, for messages.

    Raises:
        UsageError: There are not so many.
    """
    fold = section.fold or 0
    if fold >= folds:
        raise UsageError(f"data.fold = {fold}: there are {folds} folds of {what}, 0 to {folds - 1}.")
    return fold
