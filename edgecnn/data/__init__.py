"""Data sets by name. One file each, one line in ``DATASETS``; nothing is imported or read until it is asked for.

A data set's module has ``INFO`` (a ``DataSetInfo``), ``locate(section)`` (where it is on this machine, or None; reads
no samples) and ``open_set(section)`` (a ``DataSet``; may download).
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from edgecnn.data.base import DataSet, DataSetInfo, Location, Samples
from edgecnn.errors import UsageError, unknown_name
from edgecnn.files import is_there
from edgecnn.recipe import DataSection

DATASETS: dict[str, str] = {
    "audio_folder": "edgecnn.data.audio_folder",
    "bbc_news": "edgecnn.data.bbc_news",
    "cifar10": "edgecnn.data.cifar10",
    "digits": "edgecnn.data.digits",
    "eeg_n170": "edgecnn.data.eeg_n170",
    "fashion_mnist": "edgecnn.data.fashion_mnist",
    "horses_or_humans": "edgecnn.data.horses_or_humans",
    "image_folder": "edgecnn.data.image_folder",
    "image_mask": "edgecnn.data.image_mask",
    "isbi_membrane": "edgecnn.data.isbi_membrane",
    "mnist": "edgecnn.data.mnist",
    "moving_fashion": "edgecnn.data.moving_fashion",
    "signal_files": "edgecnn.data.signal_files",
    "sms_spam": "edgecnn.data.sms_spam",
    "spam_assassin": "edgecnn.data.spam_assassin",
    "spoken_digits": "edgecnn.data.spoken_digits",
    "text_files": "edgecnn.data.text_files",
    "watch_motion": "edgecnn.data.watch_motion",
}


class DataSetModule(Protocol):
    """What each file in this folder provides."""

    INFO: DataSetInfo

    def locate(self, section: DataSection) -> Location | None:
        """Where the set lies on this machine, without reading its samples."""

    def open_set(self, section: DataSection) -> DataSet:
        """The set, ready to read."""


def dataset_module(name: str) -> DataSetModule:
    """The module behind a data set's name.

    Raises:
        UsageError: There is no such data set.
    """
    if name not in DATASETS:
        raise unknown_name("data set", name, DATASETS, "A folder or zip with train/<class>/*.png is an image_folder.")
    return cast(DataSetModule, importlib.import_module(DATASETS[name]))


def open_dataset(section: DataSection) -> DataSet:
    """Open the data set that a recipe's ``[data]`` section names.

    Raises:
        UsageError: The name is unknown or a setting is missing.
        EdgecnnError: The set is not here and cannot be had; the message names the ways to get it.
    """
    return dataset_module(section.set).open_set(section)


def section_from_text(text: str, others: Sequence[str] = ()) -> DataSection:
    """What ``--data`` takes: a name, ``NAME:PATH``, or the path of an image folder or zip, or of a table of texts.

    Args:
        text: As typed.
        others: Names that the caller takes beside those of the sets, for messages.

    Raises:
        UsageError: It is none of these.
    """
    if text in DATASETS:
        return DataSection(set=text)
    kind, colon, path = text.partition(":")
    if colon and kind in DATASETS:
        return DataSection(set=kind, path=path)
    if is_there(Path(text)):
        is_table = Path(text).suffix.lower() in (".tsv", ".csv") and Path(text).is_file()
        return DataSection(set="text_files" if is_table else "image_folder", path=text)
    if any(sign in text for sign in "/\\."):
        raise UsageError(f"{text}: no such file or folder, and no data set of that name.")
    hint = "A folder or zip with train/<class>/*.png works too: give its path."
    if others:
        hint += f" So do models: {', '.join(others)}."
    raise unknown_name("data set", text, DATASETS, hint)


__all__ = [
    "DATASETS",
    "DataSet",
    "DataSetInfo",
    "Location",
    "Samples",
    "dataset_module",
    "open_dataset",
    "section_from_text",
]
