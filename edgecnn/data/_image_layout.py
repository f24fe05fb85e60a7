"""What the places of images in a tree of folders mean: which are for training, and which class each is of.

Recordings and other files lie in such trees too: ``arrange`` is told what to call them.

Understood are ``train/<class>/…`` beside a held-out folder (``test``, ``validation``, ``valid`` or ``val``),
``train/<class>/…`` alone, and ``<class>/…`` alone; each also below a single top folder, as zip tools like to make
one. Where no held-out folder exists, a fifth of each class is held out, always the same one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgecnn.data._source import IMAGES, Parts, Source
from edgecnn.data.split import stratified_split
from edgecnn.errors import EdgecnnError

TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing", "validation", "valid", "val")    # the first that is there is the test split
TEST_SHARE = 0.2
SPLIT_SEED = 0


@dataclass(frozen=True)
class Split:
    """The images of one split.

    Attributes:
        keys: What ``Source.read`` takes, ``N`` of them, by class and then by name.
        y: ``int64 [N]``: their classes.
    """

    keys: list[str]
    y: np.ndarray

    def take(self, indices: np.ndarray) -> Split:
        """The images at ``indices``, in that order."""
        return Split([self.keys[index] for index in indices], self.y[indices])


@dataclass(frozen=True)
class Layout:
    """What a tree of images means.

    Attributes:
        labels: Class names, sorted.
        train: The training images.
        test: The held-out images.
        note: What was decided on the way, for people; empty when nothing was.
        divided: The tree itself says what is held out.
    """

    labels: tuple[str, ...]
    train: Split
    test: Split
    note: str
    divided: bool


def arrange(source: Source, what: str = "images", suffixes: tuple[str, ...] = IMAGES, divide: bool = True) -> Layout:
    """Tell splits and classes from the names of folders.

    Args:
        source: The tree.
        what: The files are, in messages.
        suffixes: Of their names, the usual one first.
        divide: Hold files out where the tree does not; otherwise its test split is then empty.

    Raises:
        EdgecnnError: There are no images, no two classes, an empty class, or a class that only one split has.
    """
    if not source.files:
        others = f" (or {', '.join(suffixes[1:])})" if suffixes[1:] else ""
        raise EdgecnnError(
            f"{source.path}: no {what} in it. Expected train/<class>/*{suffixes[0]} or <class>/*{suffixes[0]}{others}."
        )
    top = _top(source)
    below = sorted(parts[-1] for parts in source.folders if len(parts) == len(top) + 1 and parts[:-1] == top)
    trains = [name for allowed in TRAIN_NAMES for name in below if name.lower() == allowed]
    tests = [name for allowed in TEST_NAMES for name in below if name.lower() == allowed]
    if tests and not trains:
        raise EdgecnnError(f"{source.path}: has {tests[0]}/ but no train/. Expected train/<class>/*.png beside it.")
    train_top = (*top, trains[0]) if trains else top
    labels, train = _split_below(source, train_top, what, suffixes[0])
    if not tests and not divide:
        return Layout(labels, train, Split([], train.y[:0]), "", divided=False)
    if not tests:
        rest, held = stratified_split(train.y, TEST_SHARE, SPLIT_SEED)
        note = "a fifth of each class held out for the test"
        layout = Layout(labels, train.take(rest), train.take(held), note, divided=False)
        _check_both(source, layout, what)
        return layout
    test_labels, test = _split_below(source, (*top, tests[0]), what, suffixes[0])
    if test_labels != labels:
        name = sorted(set(labels) ^ set(test_labels))[0]
        has, lacks = (trains[0], tests[0]) if name in labels else (tests[0], trains[0])
        raise EdgecnnError(
            f"{source.path}: the class {name!r} is in {has}/ but not in {lacks}/. Both need the same class folders."
        )
    unused = [f"{name}/" for name in trains[1:] + tests[1:]]
    return Layout(labels, train, test, f"{', '.join(unused)} not used" if unused else "", divided=True)


def _top(source: Source) -> Parts:
    """The single folder that holds everything, and the one in it, as far as that goes."""
    top: Parts = ()
    while True:
        depth = len(top)
        inside = [parts for parts in source.files if len(parts) > depth + 1]
        names = {parts[depth] for parts in inside}
        if len(names) != 1 or not any(len(parts) > depth + 2 for parts in inside):
            return top
        name = names.pop()
        if name.lower() in TRAIN_NAMES + TEST_NAMES:
            return top
        top = (*top, name)


def _split_below(source: Source, top: Parts, what: str, suffix: str) -> tuple[tuple[str, ...], Split]:
    """Labels and files of the class folders directly below ``top``; files may lie deeper inside them."""
    depth, place = len(top), "/".join((*top, ""))
    found: dict[str, list[str]] = {
        parts[-1]: [] for parts in sorted(source.folders) if len(parts) == depth + 1 and parts[:-1] == top
    }
    for parts, key in source.files.items():
        if len(parts) > depth + 1 and parts[:depth] == top:
            found[parts[depth]].append(key)
    for label, keys in found.items():
        if not keys:
            raise EdgecnnError(f"{source.path}: the folder {place}{label} holds no {what}. Add some, or remove it.")
    if len(found) < 2:
        has = f"one class only ({next(iter(found))})" if found else "no class folders"
        raise EdgecnnError(
            f"{source.path}: {has} in {place or 'it'}. Needed are two or more folders <class>/*{suffix}."
        )
    keys = [key for label in found for key in found[label]]
    y = np.repeat(np.arange(len(found)), [len(found[label]) for label in found])
    return tuple(found), Split(keys, y.astype(np.int64))


def _check_both(source: Source, layout: Layout, what: str) -> None:
    for index, label in enumerate(layout.labels):
        counts = [int(np.sum(split.y == index)) for split in (layout.train, layout.test)]
        if 0 in counts:
            raise EdgecnnError(
                f"{source.path}: the class {label!r} has too few {what} ({sum(counts)}) to hold a fifth of them out. "
                "Have 5 or more in each class, or a folder test/<class>/."
            )
