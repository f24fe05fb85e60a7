"""Which mask belongs to which image, and which pairs are for training.

Understood are ``image/`` beside ``label/`` (each also under its plural or as ``img/``, ``mask/``), at the top or below
a single folder, or such a pair of folders in ``train/`` and in ``test/`` (or ``validation/``, ``valid/``, ``val/``).
Names are compared without their suffix and ordered by number, so that 10 comes after 9.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from edgecnn.data._image_layout import TEST_NAMES, TRAIN_NAMES
from edgecnn.data._source import Parts, Source
from edgecnn.errors import EdgecnnError

IMAGE_NAMES = ("image", "images", "img", "imgs")
MASK_NAMES = ("label", "labels", "mask", "masks")
FOLDS = 5
_EXPECTED = "Expected image/*.png and label/*.png (or images/ and masks/) with equal names."


@dataclass(frozen=True)
class Pair:
    """An image and its mask: keys for ``Source.read``."""

    image: str
    mask: str


@dataclass(frozen=True)
class Layout:
    """What a tree of images and masks means.

    Attributes:
        train: The pairs to learn from, by number.
        test: The pairs held out, by number.
        folds: Into how many parts the set is divided; None where it brings its own test split.
        notes: What was decided on the way, for people.
    """

    train: list[Pair]
    test: list[Pair]
    folds: int | None = None
    notes: list[str] = field(default_factory=list)


def arrange(source: Source, folds: int | None, fold: int | None) -> Layout:
    """Pair the files by name and divide the pairs.

    Args:
        source: The folder or zip.
        folds: Into how many parts of neighbouring numbers a set without a test folder is divided; None for ``FOLDS``.
        fold: Which of them is held out, from 0; None for the last.

    Raises:
        EdgecnnError: The folders are not there, an image has no mask or a mask no image, or there are too few.
    """
    tops = _tops(source)
    if not tops:
        raise EdgecnnError(f"{source.path}: no folder of images beside one of masks. {_EXPECTED}")
    by_role: dict[str, list[Parts]] = {"": [], "train": [], "test": []}
    for top in tops:
        name = top[-1].lower() if top else ""
        by_role["train" if name in TRAIN_NAMES else "test" if name in TEST_NAMES else ""].append(top)
    if by_role["train"] and by_role["test"]:
        for name, given in (("fold", fold), ("folds", folds)):
            if given is not None:
                raise EdgecnnError(f"{source.path}: has its own test split, so data.{name} has no meaning. Remove it.")
        return Layout(_pairs(source, by_role["train"][0]), _pairs(source, by_role["test"][0]))
    chosen = (by_role["train"] or by_role[""] or by_role["test"])[0]
    pairs, folds = _pairs(source, chosen), folds or FOLDS
    if len(pairs) < folds:
        raise EdgecnnError(
            f"{source.path}: {len(pairs)} images are too few to divide into {folds} parts, one of them for the test. "
            "Add images, or lower data.folds."
        )
    parts = [part.tolist() for part in np.array_split(np.arange(len(pairs)), folds)]
    held = parts[folds - 1 if fold is None else fold]
    return Layout(
        [pair for number, pair in enumerate(pairs) if number not in held],
        [pairs[number] for number in held],
        folds,
        [f"held out: {pairs[held[0]].image} to {pairs[held[-1]].image}, {len(held)} of {len(pairs)}"],
    )


def _tops(source: Source) -> list[Parts]:
    """Every folder that has both a folder of images and one of masks in it, the outermost first."""
    found: dict[Parts, set[str]] = {}
    for parts in source.folders:
        name = parts[-1].lower()
        if name in IMAGE_NAMES + MASK_NAMES:
            found.setdefault(parts[:-1], set()).add("image" if name in IMAGE_NAMES else "mask")
    return sorted((top for top, kinds in found.items() if len(kinds) == 2), key=lambda top: (len(top), top))


def _pairs(source: Source, top: Parts) -> list[Pair]:
    images, masks = (_named(source, top, names) for names in (IMAGE_NAMES, MASK_NAMES))
    if not images:
        raise EdgecnnError(f"{source.path}: no images in {'/'.join(top) or 'it'}. {_EXPECTED}")
    for kind, other, have, lack in (("image", "mask", images, masks), ("mask", "image", masks, images)):
        alone = sorted(have.keys() - lack.keys(), key=_by_number)
        if alone:
            more = f", and {len(alone) - 1} more such" if len(alone) > 1 else ""
            raise EdgecnnError(
                f"{source.where(have[alone[0]])}: this {kind} has no {other} of the same name{more}. "
                f"Add the {other}, or remove the {kind}."
            )
    return [Pair(images[name], masks[name]) for name in sorted(images, key=_by_number)]


def _named(source: Source, top: Parts, names: tuple[str, ...]) -> dict[str, str]:
    """Name without suffix, below the folder of that kind, to key."""
    found: dict[str, str] = {}
    depth = len(top)
    for parts, key in source.files.items():
        if len(parts) > depth + 1 and parts[:depth] == top and parts[depth].lower() in names:
            name = "/".join((*parts[depth + 1 : -1], parts[-1].rpartition(".")[0]))
            if name in found:
                raise EdgecnnError(
                    f"{source.where(key)}: has the same name as {found[name]}, so what belongs to it is not clear. "
                    "Rename or remove one."
                )
            found[name] = key
    return found


def _by_number(name: str) -> list[tuple[int, str]]:
    """``image10`` after ``image9``: runs of digits compare as numbers."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]
