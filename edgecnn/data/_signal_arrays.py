"""Windows in an ``.npz``: arrays by name, cut and labelled by whoever wrote it."""

from __future__ import annotations

import io
import zipfile
import zlib

import numpy as np

from edgecnn.data._recordings import as_signal, fold_of
from edgecnn.data.base import Samples, SplitName
from edgecnn.data.split import stratified_split
from edgecnn.errors import EdgecnnError, UsageError, first_line, unknown_name
from edgecnn.recipe import DataSection

WHOLE = ("x", "y")
"""All windows ``[N, T, C]`` (or ``[N, T]``) and their classes ``[N]``, numbers or names."""

DIVIDED = ("x_train", "y_train", "x_test", "y_test")
"""The same, divided by their owner."""

SUBJECT = "subject"
"""Beside ``x`` and ``y``: whose each window is, ``[N]``, numbers or names."""

SPLITS = ("sample", "subject")
TEST_SHARE = 0.2
SPLIT_SEED = 0
FOLDS = 5

Read = tuple[tuple[str, ...], dict[SplitName, Samples], int | None, str]


def read_arrays(data: bytes, where: str, section: DataSection) -> Read:
    """Both sides of an ``.npz``.

    Args:
        data: The file.
        where: Its name, for messages.
        section: ``data.split``, ``data.fold`` and ``data.folds``.

    Returns:
        Labels; training and test, ``x`` float32 ``[N, T, C]``; the number of folds where there are some; a remark.

    Raises:
        UsageError: A setting does not fit what is in the file.
        EdgecnnError: It is damaged, lacks an array, or two arrays do not fit each other.
    """
    arrays = _load(data, where)
    if set(DIVIDED) <= set(arrays):
        return _divided(arrays, where, section)
    if not set(WHOLE) <= set(arrays):
        raise EdgecnnError(
            f"{where}: holds {', '.join(sorted(arrays)) or 'nothing'}. Expected are {' and '.join(WHOLE)} (and "
            f"{SUBJECT}), or {', '.join(DIVIDED)}."
        )
    x = as_signal(arrays["x"], (2, 3), "[N, T, C] as x", where)
    labels, y = _classes(arrays["y"], len(x), "y", where)
    if section.split is not None and section.split not in SPLITS:
        raise unknown_name("data.split", section.split, SPLITS)
    if (section.split or ("subject" if SUBJECT in arrays else "sample")) == "subject":
        return _by_subject(arrays, where, section, Samples(x, y), labels)
    if section.fold is not None or section.folds is not None:
        raise UsageError(f"data.fold and data.folds need data.split = 'subject', and an array {SUBJECT} in {where}.")
    rest, held = stratified_split(y, TEST_SHARE, SPLIT_SEED)
    whole = Samples(x, y)
    note = "a fifth of each class held out: windows that overlap stand on both sides, unless there is a subject"
    return labels, {"train": whole.take(rest), "test": whole.take(held)}, None, note


def _load(data: bytes, where: str) -> dict[str, np.ndarray]:
    """The arrays by name; none of Python objects, which could do anything when read."""
    if not data.startswith(b"PK"):
        raise EdgecnnError(f"{where}: not an .npz (it starts with {data[:4]!r}). Write it with np.savez.")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, OSError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise EdgecnnError(
            f"{where}: not a readable .npz ({first_line(error)}). Write arrays of numbers and text with np.savez."
        ) from error


def _by_subject(
    arrays: dict[str, np.ndarray], where: str, section: DataSection, whole: Samples, labels: tuple[str, ...]
) -> Read:
    if SUBJECT not in arrays:
        raise EdgecnnError(f"{where}: data.split = 'subject' needs an array {SUBJECT} [N] beside x and y. Add it.")
    names, groups = _classes(arrays[SUBJECT], len(whole), SUBJECT, where)
    folds = section.folds or min(FOLDS, len(names))
    if folds > len(names):
        raise UsageError(f"data.folds = {folds}: {where} has {len(names)} subjects. Set fewer data.folds.")
    fold = fold_of(section, folds, "subjects")
    held = groups % folds == fold
    missing = np.setdiff1d(whole.y, whole.y[~held])
    if len(missing):
        raise EdgecnnError(
            f"{where}: {labels[missing[0]]!r} is only with subjects that data.fold = {fold} holds out. Choose another "
            "data.fold."
        )
    grouped = Samples(whole.x, whole.y, groups)
    sides: dict[SplitName, Samples] = {
        "train": grouped.take(np.flatnonzero(~held)),
        "test": grouped.take(np.flatnonzero(held)),
    }
    return labels, sides, folds, f"held out: fold {fold} of {folds}, subjects {', '.join(names[fold::folds][:5])}"


def _divided(arrays: dict[str, np.ndarray], where: str, section: DataSection) -> Read:
    for name in ("split", "fold", "folds"):
        if getattr(section, name) is not None:
            raise UsageError(f"data.{name}: {where} is divided already ({', '.join(DIVIDED)}). Remove the setting.")
    both = {name: as_signal(arrays[f"x_{name}"], (2, 3), f"[N, T, C] as x_{name}", where) for name in ("train", "test")}
    if both["train"].shape[1:] != both["test"].shape[1:]:
        raise EdgecnnError(
            f"{where}: x_train has windows {list(both['train'].shape[1:])}, x_test {list(both['test'].shape[1:])}. "
            "Both need one shape."
        )
    labels, y = _classes(arrays["y_train"], len(both["train"]), "y_train", where)
    test_labels, y_test = _classes(arrays["y_test"], len(both["test"]), "y_test", where, least=1)
    if not set(test_labels) <= set(labels):
        other = sorted(set(test_labels) - set(labels))[0]
        raise EdgecnnError(f"{where}: y_test has the class {other!r}, which y_train does not have.")
    y_test = np.array([labels.index(name) for name in test_labels], np.int64)[y_test]
    sides: dict[SplitName, Samples] = {"train": Samples(both["train"], y), "test": Samples(both["test"], y_test)}
    return labels, sides, None, "divided as its arrays are"


def _classes(
    array: np.ndarray, count: int, name: str, where: str, least: int = 2
) -> tuple[tuple[str, ...], np.ndarray]:
    """Distinct values as names, in their order, and the index of each window's, int64 ``[N]``."""
    if array.shape != (count,) or array.dtype.kind not in "iuU":
        raise EdgecnnError(
            f"{where}: {name} is {list(array.shape)} of {array.dtype}; expected is a whole number or a name for each "
            f"of the {count} windows."
        )
    values, index = np.unique(array, return_inverse=True)
    if len(values) < least:
        raise EdgecnnError(f"{where}: {name} holds one value only ({values[0]}). Two or more are needed.")
    return tuple(str(value) for value in values), index.astype(np.int64)
