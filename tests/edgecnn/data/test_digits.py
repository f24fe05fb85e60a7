"""scikit-learn's digits, read for real."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import digits, open_dataset
from edgecnn.errors import EdgecnnError, MissingDependencyError, UsageError
from edgecnn.recipe import DataSection

SECTION = DataSection(set="digits")
pytest.importorskip("sklearn", reason="scikit-learn is not installed")


def test_counts_shapes_and_range() -> None:
    data = open_dataset(SECTION)
    assert data.train.x.shape == (1438, 8, 8, 1)
    assert data.test.x.shape == (359, 8, 8, 1)
    assert {name: len(data.split(name)) for name in ("train", "test")} == digits.INFO.counts
    assert data.train.x.dtype == np.uint8
    assert data.train.x.max() == 16
    # The counts of each digit that the publisher states for its 1797 test samples.
    both = np.bincount(data.train.y) + np.bincount(data.test.y)
    assert both.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.all(np.abs(np.bincount(data.test.y) - both * 359 / 1797) < 1)
    assert len(data.sha256["digits.csv.gz"]) == 64


def test_the_same_samples_as_load_digits_each_exactly_once() -> None:
    from sklearn.datasets import load_digits

    table = load_digits()
    data = open_dataset(SECTION)
    ours = np.concatenate([data.train.x, data.test.x]).reshape(-1, 64)
    ours = np.column_stack([ours, np.concatenate([data.train.y, data.test.y])])
    theirs = np.column_stack([table.data, table.target]).astype(np.int64)
    assert np.array_equal(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)])


def test_scikit_learn_is_not_imported() -> None:
    code = """
import sys
from edgecnn.data import open_dataset
from edgecnn.recipe import DataSection
data = open_dataset(DataSection(set="digits"))
assert len(data.test) == 359
assert "sklearn" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_scikit_learn_that_keeps_its_file_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usual = open_dataset(SECTION)
    monkeypatch.setattr(digits, "_package", lambda: tmp_path)
    other = open_dataset(SECTION)
    assert np.array_equal(other.test.x, usual.test.x)
    assert np.array_equal(other.test.y, usual.test.y)
    assert list(other.sha256) == ["sklearn.datasets.load_digits"]


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08", b"1,2,3\n", b"x" * 100])
def test_a_damaged_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "datasets/data/digits.csv.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    monkeypatch.setattr(digits, "_package", lambda: tmp_path)
    with pytest.raises(EdgecnnError, match=r"digits\.csv\.gz.*Install scikit-learn again"):
        _ = open_dataset(SECTION).train


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "_package", lambda: None)
    assert digits.locate(SECTION) is None
    with pytest.raises(MissingDependencyError, match=r"edgecnn\[train\]"):
        open_dataset(SECTION)


@pytest.mark.parametrize("setting", [{"path": "x"}, {"size": (8, 8)}, {"channels": 1}])
def test_settings_that_would_be_ignored_are_refused(setting: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="no such setting"):
        open_dataset(DataSection.model_validate({"set": "digits", **setting}))
