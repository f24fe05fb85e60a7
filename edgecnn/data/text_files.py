"""A user's own texts: a table with a label and a text in each line, or a folder or zip with ``<class>/*.txt``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgecnn.data._image_layout import Layout, Split, arrange
from edgecnn.data._source import Source, open_source
from edgecnn.data._text_table import LABEL_COLUMNS, TEXT_COLUMNS, read_table
from edgecnn.data._texts import MOST_CHARACTERS, SPLIT_NOTES, SPLITS, as_samples, checked_split, decode, digest, divided
from edgecnn.data.base import DataSet, DataSetInfo, Location, Samples, SplitName, only_settings
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.files import is_there, readable_os_errors, sha256_bytes
from edgecnn.recipe import DataSection

TABLES = (".tsv", ".csv")
SUFFIXES = (".txt",)

INFO = DataSetInfo(
    name="text_files",
    title="Own texts",
    shape=None,
    classes=None,
    counts=None,
    licence="your own",
    home="",
    get=(
        "data.path: a .tsv or .csv file whose first line names the columns label and text",
        "data.path: a folder or zip with train/<class>/*.txt and test/<class>/*.txt, or just <class>/*.txt",
    ),
    description=(
        f"UTF-8. A .tsv has tabs between its columns and no quoting, a .csv follows RFC 4180; the label's column is "
        f"named {', '.join(LABEL_COLUMNS)}, that of the text {', '.join(TEXT_COLUMNS)}. Texts are cut behind "
        f"{MOST_CHARACTERS} characters. Unless there is a folder for the test, a fifth of each class is held out: "
        "data.split = all keeps copies of a text on one side, deduplicated drops them, random does neither."
    ),
)


def locate(section: DataSection) -> Location | None:
    """``data.path``, when it exists."""
    path = Path(section.path).expanduser() if section.path else None
    return Location(path, "file" if path.is_file() else "folder") if path is not None and is_there(path) else None


def open_set(section: DataSection) -> DataSet:
    """The texts; ``str [N]``. Everything is read now.

    Raises:
        UsageError: ``data.path`` is not given or does not exist, or ``data.split`` does not fit.
        EdgecnnError: The file or tree is not understood, or a text is not UTF-8 or empty.
    """
    only_settings(section, INFO, "path", "split")
    if not section.path:
        raise UsageError(
            "the data set text_files needs data.path: a .tsv or .csv with the columns label and text, or a folder with "
            "<class>/*.txt. For example: --set data.path=messages.tsv"
        )
    path = Path(section.path).expanduser()
    if not is_there(path):
        raise UsageError(f"{path}: no such file or folder. data.path: {'; '.join(way[11:] for way in INFO.get)}.")
    split = checked_split(INFO, section.split)
    if path.is_file() and path.suffix.lower() in TABLES:
        labels, sides, digests = _from_table(path, split)
        note = SPLIT_NOTES[split]
    elif path.is_file() and path.suffix.lower() != ".zip":
        raise UsageError(f"{path}: supported are .tsv, .csv, .zip and folders. Name it by what it is.")
    else:
        source = open_source(path, SUFFIXES, "<class>/*.txt")
        layout = arrange(source, "texts", SUFFIXES)
        if layout.divided and section.split not in (None, SPLITS[0]):
            raise UsageError(
                f"data.split = {section.split!r}: {path} has its own test texts in a folder. Remove data.split."
            )
        labels, sides, digests = _from_tree(source, layout, split)
        note = layout.note if layout.divided else SPLIT_NOTES[split]
    _check_both(path, labels, sides)
    info = dataclasses.replace(
        INFO, shape=(), classes=len(labels), counts={name: len(samples) for name, samples in sides.items()}
    )
    described = f"{section.path} ({note})" if note else section.path
    return DataSet(info, labels, described, lambda name: (sides[name], digests))


Sides = dict[SplitName, Samples]


def _from_table(path: Path, split: str) -> tuple[tuple[str, ...], Sides, dict[str, str]]:
    with readable_os_errors(path, "read"):
        data = path.read_bytes()
    table = read_table(decode(data, str(path)), str(path), tabs=path.suffix.lower() == ".tsv")
    labels = tuple(sorted(set(table.labels)))
    if len(labels) < 2:
        raise EdgecnnError(f"{path}: one class only ({labels[0]}). Needed are texts of two or more.")
    samples = as_samples(table.texts, [labels.index(label) for label in table.labels])
    return labels, divided(samples, split), {path.name: sha256_bytes(data)}


def _from_tree(source: Source, layout: Layout, split: str) -> tuple[tuple[str, ...], Sides, dict[str, str]]:
    if layout.divided:
        sides: Sides = {"train": _read(source, layout.train), "test": _read(source, layout.test)}
    else:
        keys = [*layout.train.keys, *layout.test.keys]
        order = np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)
        whole = Split(keys, np.concatenate([layout.train.y, layout.test.y])).take(order)
        sides = divided(_read(source, whole), split)
    return layout.labels, sides, digest(source, [*layout.train.keys, *layout.test.keys])


def _read(source: Source, split: Split) -> Samples:
    return as_samples(read_files(source, split.keys), split.y.tolist())


def read_files(source: Source, keys: Sequence[str]) -> list[str]:
    """The texts of some files.

    Raises:
        EdgecnnError: One is not UTF-8, or empty.
    """
    texts = []
    for key in keys:
        text = decode(source.read(key), source.where(key))
        if not text.strip():
            raise EdgecnnError(f"{source.where(key)}: the file is empty. Fill it, or remove it.")
        texts.append(text)
    return texts


def _check_both(path: Path, labels: tuple[str, ...], sides: Sides) -> None:
    for index, label in enumerate(labels):
        counts = [int(np.sum(samples.y == index)) for samples in sides.values()]
        if 0 in counts:
            raise EdgecnnError(
                f"{path}: the class {label!r} has too few different texts ({sum(counts)}) to hold a fifth of them out. "
                "Have 5 or more in each class."
            )
