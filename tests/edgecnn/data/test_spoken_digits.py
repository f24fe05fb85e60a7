"""Free spoken digits: how files are told by their names and divided; where the real set is here, what is in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import dataset_module, open_dataset
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.recipe import DataSection
from tests.edgecnn.data.wav_files import wav

SPEAKERS = ("ann", "bob", "cy")


def small_set(folder: Path, digits: int = 10) -> Path:
    """Six takes of each digit by three speakers, 10 ms each; the value is digit, speaker and take."""
    folder.mkdir()
    for digit in range(digits):
        for number, speaker in enumerate(SPEAKERS):
            for take in range(6):
                value = 100 * digit + 10 * number + take + 1
                (folder / f"{digit}_{speaker}_{take}.wav").write_bytes(wav(np.full(80, value / 32767)))
    (folder / "README.md").write_text("not a recording")
    return folder


def values(x: np.ndarray) -> np.ndarray:
    """What each clip's middle holds, from 0."""
    middle: np.ndarray = x[:, x.shape[1] // 2, 0].astype(int) - 1
    return middle


@pytest.fixture
def section(tmp_path: Path) -> DataSection:
    return DataSection(set="spoken_digits", path=str(small_set(tmp_path / "recordings")))


def test_first_takes_are_the_test(section: DataSection) -> None:
    data = open_dataset(section)
    assert data.info.counts == {"train": 30, "test": 150}
    assert data.train.x.shape == (30, 8000, 1)
    for split in (data.train, data.test):
        found = values(split.x)
        assert np.array_equal(found // 100, split.y)
        assert split.groups is None
    assert set(values(data.test.x) % 10) == {0, 1, 2, 3, 4}
    assert set(values(data.train.x) % 10) == {5}
    assert data.labels[7] == "seven"
    assert data.folds is None


def test_a_speaker_is_the_test(section: DataSection) -> None:
    for fold, name in enumerate(SPEAKERS):
        data = open_dataset(section.model_copy(update={"split": "speaker", "fold": fold}))
        assert data.folds == 3
        assert f"held out: {name}" in data.source
        assert set(values(data.test.x) % 100 // 10) == {fold}
        assert data.train.groups is not None
        assert np.array_equal(data.train.groups, values(data.train.x) % 100 // 10)
        assert fold not in data.train.groups


def test_rate_and_length(section: DataSection) -> None:
    data = open_dataset(section.model_copy(update={"rate": 16000, "length": 0.5}))
    assert data.info.shape == (8000, 1)
    assert data.train.x.shape == (30, 8000, 1)
    assert np.flatnonzero(np.abs(data.train.x[-1, :, 0]) > 400).tolist() == [*range(3920, 4080)]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"split": "speakers"}, "Did you mean 'speaker'"),
        ({"fold": 0}, "data.split = 'speaker'"),
        ({"split": "speaker", "fold": 3}, "0 to 2"),
        ({"folds": 3}, "no such setting"),
    ],
)
def test_settings_that_cannot_be_meant(section: DataSection, settings: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_dataset(section.model_copy(update=settings))


def test_a_set_that_is_not_whole(tmp_path: Path) -> None:
    path = small_set(tmp_path / "recordings", digits=9)
    with pytest.raises(EdgecnnError, match="lacks a digit"):
        open_dataset(DataSection(set="spoken_digits", path=str(path)))


def test_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path))
    section = DataSection(set="spoken_digits")
    assert dataset_module("spoken_digits").locate(section) is None
    with pytest.raises(EdgecnnError, match="clone https"):
        open_dataset(section)
    with pytest.raises(EdgecnnError, match="audio_folder"):
        open_dataset(section.model_copy(update={"path": str(tmp_path)}))


def test_the_real_set(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECNN_DATA", str(shared / "data"))
    data = open_dataset(DataSection(set="spoken_digits"))
    assert data.info.counts == {"train": 2700, "test": 300}
    assert np.bincount(data.classes("train")).tolist() == [270] * 10
    assert data.test.x.shape == (300, 8000, 1)
    assert np.bincount(data.test.y).tolist() == [30] * 10
    assert list(data.sha256) == ["free_spoken_digits.zip"]
    speakers = [
        open_dataset(DataSection(set="spoken_digits", split="speaker", fold=fold)).info.counts for fold in range(6)
    ]
    assert speakers == [{"train": 2500, "test": 500}] * 6
