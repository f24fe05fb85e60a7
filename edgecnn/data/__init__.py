"""Data sets by name. One file each, one line in ``DATASETS``; nothing is imported or read until it is asked for.

A data set's module has ``INFO`` (a ``DataSetInfo``), ``locate(section)`` (where it is on this machine, or None; reads
no samples) and ``open_set(section)`` (a ``DataSet``; may download).
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Protocol, cast

from edgecnn.data.base import DataSet, DataSetInfo, Location, Samples
from edgecnn.errors import UsageError, unknown_name
from edgecnn.files import is_there
from edgecnn.recipe import DataSection

DATASETS: dict[str, str] = {
    "cifar10": "edgecnn.data.cifar10",
    "digits": "edgecnn.data.digits",
    "fashion_mnist": "edgecnn.data.fashion_mnist",
    "image_folder": "edgecnn.data.image_folder",
    "mnist": "edgecnn.data.mnist",
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


def section_from_text(text: str) -> DataSection:
    """What ``--data`` takes: a name, ``image_folder:PATH``, or the path of an image folder or zip.

    Raises:
        UsageError: It is none of these.
    """
    if text in DATASETS:
        return DataSection(set=text)
    kind, colon, path = text.partition(":")
    if colon and kind in DATASETS:
        return DataSection(set=kind, path=path)
    if is_there(Path(text)):
        return DataSection(set="image_folder", path=text)
    if any(sign in text for sign in "/\\."):
        raise UsageError(f"{text}: no such file or folder, and no data set of that name.")
    raise unknown_name("data set", text, DATASETS, "A folder or zip with train/<class>/*.png works too: give its path.")


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
