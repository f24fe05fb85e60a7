"""A user's own recordings: which trees are understood, how clips are brought to one form, and what a bad one says."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import DataSet, open_dataset
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.recipe import DataSection
from tests.edgecnn.data.wav_files import tone, wav

Files = dict[str, bytes]
Make = Callable[[Path, Files], Path]


def make_folder(root: Path, files: Files) -> Path:
    for name, data in files.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return root


def make_zip(root: Path, files: Files) -> Path:
    path = root.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.fixture(params=[make_folder, make_zip], ids=["folder", "zip"])
def make(request: pytest.FixtureRequest) -> Make:
    maker: Make = request.param
    return maker


def open_path(path: Path, **settings: object) -> DataSet:
    return open_dataset(DataSection.model_validate({"set": "audio_folder", "path": str(path), **settings}))


def constant(value: int, seconds: float = 0.1, rate: int = 8000) -> bytes:
    """A recording of one value, in the units of 16 bits."""
    return wav(np.full(round(seconds * rate), value / 32767), rate)


def files_of(*folders: str, count: int = 5) -> Files:
    """``count`` recordings of different values below each folder."""
    return {
        f"{folder}/{number}.wav": constant(100 * place + number)
        for place, folder in enumerate(folders)
        for number in range(count)
    }


def spoken(speakers: str = "abcdef", words: tuple[str, ...] = ("go", "stop")) -> Files:
    """Two takes of each word by each speaker; the value tells the speaker."""
    return {
        f"{word}/{name}_{take}.wav": constant(10 * index + 1)
        for word in words
        for index, name in enumerate(speakers)
        for take in range(2)
    }


def test_train_and_test_folders(tmp_path: Path, make: Make) -> None:
    files = files_of("train/stop", "train/go") | files_of("test/go", "test/stop", count=2) | {"train/go/a.txt": b"no"}
    data = open_path(make(tmp_path / "words", files))
    assert data.labels == ("go", "stop")
    assert data.info.shape == (800, 1)
    assert data.info.counts == {"train": 10, "test": 4}
    assert data.train.x.shape == (10, 800, 1)
    assert data.train.x.dtype == np.int16
    assert data.train.x[:, 400, 0].tolist() == [100, 101, 102, 103, 104, 0, 1, 2, 3, 4]    # stop was written first
    assert data.train.y.tolist() == [0] * 5 + [1] * 5
    assert data.train.groups is None
    assert data.classes("test").tolist() == [0, 0, 1, 1]
    assert data.folds is None


def test_a_fifth_of_each_class_is_held_out(tmp_path: Path, make: Make) -> None:
    path = make(tmp_path / "words", files_of("a", "b", count=10))
    data = open_path(path)
    assert [np.bincount(split.y).tolist() for split in (data.train, data.test)] == [[8, 8], [2, 2]]
    seen = sorted(int(value) for split in (data.train, data.test) for value in split.x[:, 0, 0])
    assert seen == [*range(10), *range(100, 110)]
    assert "a fifth of each class held out" in data.source
    assert data.sha256


def test_whole_speakers_are_held_out(tmp_path: Path, make: Make) -> None:
    path = make(tmp_path / "words", spoken())
    tested: list[int] = []
    for fold in range(5):
        data = open_path(path, split="speaker", fold=fold)
        assert data.folds == 5
        held, learned = set(data.test.x[:, 0, 0].tolist()), set(data.train.x[:, 0, 0].tolist())
        assert not held & learned
        assert held | learned == {1, 11, 21, 31, 41, 51}
        tested += held
        # The groups are the speakers, so that validation holds back whole ones too.
        assert data.train.groups is not None
        voices = data.train.x[:, 0, 0]
        assert all(len(set(voices[data.train.groups == group].tolist())) == 1 for group in data.train.groups)
        assert np.bincount(data.test.y).tolist() == [len(data.test) // 2] * 2
    assert sorted(tested) == [1, 11, 21, 31, 41, 51]
    assert open_path(path, split="speaker", fold=5, folds=6).info.counts == {"train": 20, "test": 4}
    assert "fold 0 of 5, a, f" in open_path(path, split="speaker").source


def test_clips_are_cut_and_padded_around_their_middle(tmp_path: Path, make: Make) -> None:
    rising = np.arange(1, 1601) / 32767
    files = {f"{word}/{number}.wav": wav(rising) for word in "ab" for number in range(5)}
    path = make(tmp_path / "words", files)
    cut = open_path(path, length=0.1).train.x[0, :, 0]
    assert np.array_equal(cut, np.arange(401, 1201))
    padded = open_path(path, length=0.3).train.x[0, :, 0]
    assert np.array_equal(padded, np.concatenate([np.zeros(400), np.arange(1, 1601), np.zeros(400)]))


def test_another_rate_is_resampled_when_asked(tmp_path: Path, make: Make) -> None:
    files = {f"{word}/{n}.wav": wav(tone(rate), rate) for word in "ab" for n, rate in enumerate([8000] * 5 + [44100])}
    data = open_path(make(tmp_path / "words", files), rate=8000, length=0.2)
    clips = [*data.train.x[:, :, 0].astype(float), *data.test.x[:, :, 0].astype(float)]
    assert all(np.abs(clip - clips[0])[100:-100].max() < 60 for clip in clips)
    assert np.abs(clips[0]).max() > 16000
    assert "resampled to 8000 Hz" in data.source


def fine(count: int = 5) -> Files:
    return files_of("go", "stop", count=count)


# files; settings; words of the message
BAD: list[tuple[Files, dict[str, object], list[str]]] = [
    (fine() | {"go/x.wav": wav(tone(16000, 0.1), 16000)}, {}, ["x.wav", "16000 Hz", "8000 Hz", "--set data.rate=8000"]),
    (fine() | {"go/x.wav": constant(1, 0.35)}, {}, ["0.10 to 0.35 seconds", "--set data.length=0.4"]),
    (fine() | {"empty/": b""}, {}, ["the folder empty holds no recordings"]),
    (fine() | {"go/x.wav": b"RIFX"}, {}, ["x.wav", "not a WAV file"]),
    (fine() | {"go/x.wav": b""}, {}, ["x.wav", "is empty"]),
    (fine() | {"go/x.wav": wav(tag=6, bits=8)}, {}, ["x.wav", "compressed (A-law)"]),
    (fine() | {"go/x.wav": wav(claims=9999)}, {}, ["x.wav", "truncated"]),
    ({"go/a.png": b"x"}, {}, ["no recordings in it", "train/<class>/*.wav"]),
    (files_of("go"), {}, ["one class only (go)", "<class>/*.wav"]),
    (files_of("train/a", "train/b", "train/c", "test/a", "test/c"), {}, ["'b' is in train/ but not in test/"]),
    (fine(), {"split": "speaker"}, ["0.wav", "no speaker in the name", "<speaker>_<anything>.wav"]),
    (spoken("a"), {"split": "speaker"}, ["1 speaker (a)"]),
    (spoken("ab"), {"split": "speaker", "folds": 3}, ["2 speakers", "data.folds = 3"]),
    (spoken() | {"hm/a_0.wav": constant(1)}, {"split": "speaker"}, ["data.fold = 0", "'hm'"]),
]


@pytest.mark.parametrize(("files", "settings", "said"), BAD, ids=["; ".join(words) for _, _, words in BAD])
def test_what_cannot_be_used_is_told(
    tmp_path: Path, make: Make, files: Files, settings: dict[str, object], said: list[str]
) -> None:
    with pytest.raises(EdgecnnError) as error:
        open_path(make(tmp_path / "words", files), **settings)
    assert not isinstance(error.value, UsageError)
    assert "words" in str(error.value)
    for words in said:
        assert words in str(error.value)


USAGE: list[tuple[dict[str, object], list[str]]] = [
    ({"split": "person"}, ["unknown data.split 'person'", "file, speaker"]),
    ({"fold": 1}, ["data.split = 'speaker'"]),
    ({"split": "speaker", "fold": 6}, ["data.fold = 6", "0 to 4"]),
    ({"rate": 10}, ["data.rate = 10", "768000"]),
    ({"length": 61.0}, ["data.length = 61", "60 seconds"]),
    ({"size": (4, 4)}, ["no such setting", "path, split, fold, folds, rate, length"]),
]


@pytest.mark.parametrize(("settings", "said"), USAGE, ids=[str(settings) for settings, _ in USAGE])
def test_settings_that_cannot_be_meant(tmp_path: Path, settings: dict[str, object], said: list[str]) -> None:
    path = make_folder(tmp_path / "words", spoken())
    with pytest.raises(UsageError) as error:
        open_path(path, **settings)
    for words in said:
        assert words in str(error.value)


def test_a_tree_that_is_divided_is_not_divided_again(tmp_path: Path) -> None:
    path = make_folder(tmp_path / "words", files_of("train/a", "train/b", "test/a", "test/b"))
    with pytest.raises(UsageError, match="has a folder for the test already"):
        open_path(path, split="speaker")


def test_a_path_is_needed() -> None:
    with pytest.raises(UsageError, match=r"needs data\.path"):
        open_dataset(DataSection(set="audio_folder"))
