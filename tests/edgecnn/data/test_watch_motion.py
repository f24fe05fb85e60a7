"""The watch data of seglearn, read for real where that is installed; and files that are something else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.data import DataSet, open_dataset, watch_motion
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.recipe import DataSection

# Not imported to find out: it brings half of SciPy, and its last version does not know the newest scikit-learn.
installed = pytest.mark.skipif(watch_motion._package() is None, reason="seglearn is not installed")


def open_path(path: Path | None = None, **settings: object) -> DataSet:
    where = {"path": str(path)} if path else {}
    return open_dataset(DataSection.model_validate({"set": "watch_motion", **where, **settings}))


def table(people: int = 10, rows: int = 300) -> dict[str, Any]:
    """Like seglearn's: each person makes each movement once; the values are the person's number."""
    return {
        "X": [np.full((rows, 6), person, np.float64) for person in range(1, people + 1) for _ in range(7)],
        "y": np.tile(np.arange(7), people),
        "subject": np.repeat(np.arange(1, people + 1), 7),
        "X_labels": list(watch_motion.CHANNELS),
        "y_labels": list(watch_motion.LABELS),
    }


def write(folder: Path, content: object) -> Path:
    path = folder / "watch_dataset.npy"
    np.save(path, np.array(content, dtype=object), allow_pickle=True)
    return path


@installed
def test_the_published_recordings() -> None:
    data = open_path()
    assert data.info.counts == {"train": len(data.train), "test": len(data.test)}
    assert data.train.x.shape[1:] == data.info.shape == (200, 6)
    assert data.train.x.dtype == np.float32
    assert data.test.groups is not None
    assert set(data.test.groups.tolist()) == {1, 6}
    assert data.sha256 == {"watch_dataset.npy": "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"}
    # A watch at rest feels gravity, so its accelerations are about 1 long.
    assert 0.9 < float(np.median(np.linalg.norm(data.test.x[..., :3], axis=-1))) < 1.1


@installed
def test_seglearn_is_not_imported() -> None:
    code = """
import sys
from edgecnn.data import open_dataset
from edgecnn.recipe import DataSection
assert len(open_dataset(DataSection(set="watch_motion")).test) > 0
assert not {"seglearn", "sklearn", "scipy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_person_is_held_out_once(tmp_path: Path) -> None:
    path = write(tmp_path, table())
    held = []
    for fold in range(5):
        data = open_path(tmp_path, fold=fold)    # the folder will do
        assert data.folds == 5
        assert (data.train.x[:, 0, 0] == data.train.groups).all()
        assert not set(data.train.x[:, 0, 0]) & set(data.test.x[:, 0, 0])
        held += sorted(set(data.test.x[:, 0, 0]))
    assert sorted(held) == list(range(1, 11))
    windows = open_path(path, length=2.0, step=0.5)
    assert windows.info.shape == (100, 6)
    assert len(windows.test) == 2 * 7 * 9    # 300 rows: 100 of them from 0, 25, … 200 on


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("exit 1",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**table(), "X": _Evil()}, r"asks for (posix|nt)\.system"),
        ({**table(), "X_labels": list("abcdef")}, "other channels"),
        ({**table(), "y": np.full(70, 9)}, "other channels, classes or people"),
        (table(people=4), "other channels, classes or people"),
        ({"X": []}, "not seglearn's file"),
        ([1, 2], "not seglearn's file"),
    ],
)
def test_a_file_of_another_kind(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(EdgecnnError, match=message):
        _ = open_path(write(tmp_path, content)).train


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY\x01\x00", b"something else"])
def test_a_damaged_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "watch_dataset.npy").write_bytes(data)
    with pytest.raises(EdgecnnError, match=r"watch_dataset\.npy: not seglearn's file"):
        _ = open_path(tmp_path).train


def test_an_array_of_numbers(tmp_path: Path) -> None:
    np.save(tmp_path / "watch_dataset.npy", np.zeros((3, 6)))
    with pytest.raises(EdgecnnError, match="an array of float64"):
        _ = open_path(tmp_path).train


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fold": 5}, "5 folds of people, 0 to 4"),
        ({"length": 0.001}, "shorter than one sample"),
        ({"split": "subject"}, "no such setting"),
    ],
)
def test_settings_that_do_not_fit(tmp_path: Path, settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_path(write(tmp_path, table()), **settings)


def test_where_it_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(watch_motion, "_package", lambda: None)
    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path))
    with pytest.raises(EdgecnnError, match=r"not on this machine\. Ways to get it: pip install --no-deps seglearn"):
        open_path()
    with pytest.raises(EdgecnnError, match=r"no watch_dataset\.npy there"):
        open_path(tmp_path / "nowhere")
    path = write(tmp_path, table())
    place = watch_motion.locate(DataSection(set="watch_motion"))
    assert place is not None
    assert place.path == path
