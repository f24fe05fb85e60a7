"""Horses or humans: the published splits, and figures that a validation split keeps together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import open_dataset
from edgecnn.data.horses_or_humans import _figures
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.recipe import DataSection

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")


def tree(root: Path, classes: tuple[str, ...] = ("horses", "humans")) -> Path:
    for split, count in (("train", 3), ("validation", 2)):
        for number, label in enumerate(classes):
            folder = root / split / label
            folder.mkdir(parents=True)
            for figure in range(count):
                for shot in range(2):
                    image = Image.new("RGBA", (30, 30), (60 * number, 20 * figure, shot, 255))    # as published
                    image.save(folder / f"{label[:-1]}{figure:02}-{shot}.png")
    return root


def test_as_published(shared: Path) -> None:
    data = open_dataset(
        DataSection(set="horses_or_humans", path=str(shared / "data" / "horses_or_humans_96.zip"), size=(8, 8))
    )
    assert data.labels == ("horses", "humans")
    assert data.train.x.shape == (1027, 8, 8, 3)
    assert data.test.x.shape == (256, 8, 8, 3)
    assert np.bincount(data.train.y).tolist() == [500, 527]
    assert np.bincount(data.test.y).tolist() == [128, 128]
    groups = data.train.groups
    assert groups is not None
    assert len(np.unique(groups)) == 67    # 50 horses, 17 people
    sizes = [np.bincount(groups[data.train.y == label])[np.unique(groups[data.train.y == label])] for label in (0, 1)]
    assert set(sizes[0].tolist()) == {10}
    assert set(sizes[1].tolist()) == {31}


def test_own_copies_of_any_size_become_96(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path / "horses_or_humans")
    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path))
    data = open_dataset(DataSection(set="horses_or_humans"))
    assert data.info.shape == (96, 96, 3)
    assert data.info.counts == {"train": 12, "test": 8}
    assert data.test.x.shape == (8, 96, 96, 3)
    assert data.train.groups is not None
    assert data.train.groups.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert open_dataset(DataSection(set="horses_or_humans", size=(10, 12))).train.x.shape == (12, 10, 12, 3)


def test_figures_are_told_apart_by_name() -> None:
    keys = ["a/horse01-0.png", "a/horse01-1.png", "a/horse1-0.png", "b/horse01-0.png", "b/man_3.jpg", "b/man_12.jpg"]
    assert _figures(keys).tolist() == [0, 0, 1, 2, 3, 3]


def test_what_is_no_such_set_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path))
    with pytest.raises(EdgecnnError, match=r"is not on this machine\. Ways to get it: train/ and validation/"):
        open_dataset(DataSection(set="horses_or_humans"))
    tree(tmp_path / "other", ("cats", "dogs"))
    with pytest.raises(EdgecnnError, match="classes cats, dogs, expected horses, humans"):
        open_dataset(DataSection(set="horses_or_humans", path=str(tmp_path / "other")))
    with pytest.raises(UsageError, match="no such setting"):
        open_dataset(DataSection(set="horses_or_humans", tile=(4, 4)))
