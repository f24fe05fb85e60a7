"""A user's own signals: which trees and arrays are understood, how windows are cut, and what a bad file says."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import DataSet, open_dataset
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.recipe import DataSection

Files = dict[str, bytes]
Make = Callable[[Path, Files], Path]


def make_folder(root: Path, files: Files) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def make_zip(root: Path, files: Files) -> Path:
    path = root.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.fixture(params=[make_folder, make_zip], ids=["folder", "zip"])
def make(request: pytest.FixtureRequest) -> Make:
    maker: Make = request.param
    return maker


def open_path(path: Path, **settings: object) -> DataSet:
    return open_dataset(DataSection.model_validate({"set": "signal_files", "path": str(path), **settings}))


def ramp(start: int, rows: int = 20, header: str = "time,x,y\n", separator: str = ",") -> bytes:
    """A recording whose first channel counts up from ``start``, and whose second counts down."""
    lines = [separator.join((str(row / 10), str(start + row), str(-start - row))) for row in range(rows)]
    return (header + "\n".join(lines) + "\n").encode()


def files_of(*folders: str, count: int = 5) -> Files:
    """``count`` recordings below each folder, a thousand apart."""
    return {
        f"{folder}/{number}.csv": ramp(1000 * (place * count + number))
        for place, folder in enumerate(folders)
        for number in range(count)
    }


WINDOWS = {"rate": 10, "length": 0.8, "step": 0.4}


def test_windows_hold_what_the_files_hold(tmp_path: Path, make: Make) -> None:
    data = open_path(make(tmp_path / "set", files_of("down", "up")), **WINDOWS)
    assert data.labels == ("down", "up")
    assert data.info.shape == (8, 2)
    assert data.train.x.shape == (32, 8, 2)    # 8 recordings of 20 rows: windows at 0, 4, 8 and 12
    assert data.train.x.dtype == np.float32
    assert data.test.x.shape == (8, 8, 2)
    assert data.train.x.flags.c_contiguous
    first = data.test.x[1]    # the second window of down/0.csv
    assert first[:, 0].tolist() == list(range(4, 12))
    assert first[:, 1].tolist() == [-value for value in range(4, 12)]
    assert data.test.y.tolist() == [0] * 4 + [1] * 4
    assert len(next(iter(data.sha256.values()))) == 64


@pytest.mark.parametrize("fold", range(5))
def test_every_file_is_held_out_once_and_windows_never_divide(tmp_path: Path, fold: int) -> None:
    data = open_path(make_folder(tmp_path, files_of("down", "up")), fold=fold, **WINDOWS)
    assert data.folds == 5
    owner = {name: set((data.split(name).x[:, 0, 0] // 1000).astype(int)) for name in ("train", "test")}    # type: ignore[arg-type]
    assert owner["test"] == {fold, 5 + fold}
    assert owner["train"] == set(range(10)) - owner["test"]
    groups = data.train.groups
    assert groups is not None
    for group in np.unique(groups):
        assert len(set(data.train.x[groups == group, 0, 0] // 1000)) == 1, "a group is a recording"


def test_subjects_are_held_out_where_there_are_folders_of_them(tmp_path: Path, make: Make) -> None:
    places = [f"{label}/{who}" for label in ("sit", "walk") for who in ("anna", "ben", "cleo")]
    data = open_path(make(tmp_path / "set", files_of(*places, count=2)), fold=1, folds=3, **WINDOWS)
    assert data.folds == 3
    assert "ben" in data.source
    assert set((data.test.x[:, 0, 0] // 2000).astype(int)) == {1, 4}    # the second person of either class
    assert data.train.groups is not None
    assert set(data.train.groups.tolist()) == {0, 2}
    for person, group in enumerate((0, 2)):
        own = data.train.x[data.train.groups == group, 0, 0] // 2000
        assert set(own.astype(int)) == {2 * person, 3 + 2 * person}
    by_file = open_path(make(tmp_path / "set", files_of(*places, count=2)), split="file", folds=2, **WINDOWS)
    assert by_file.folds == 2
    assert len(by_file.train) == len(by_file.test)


@pytest.mark.parametrize("above", ["", "all/"])
def test_a_subject_is_whose_folder_it_is_however_deep_the_files_lie(tmp_path: Path, above: str) -> None:
    people = ("anna", "ben", "cleo")
    places = [f"{above}{label}/{who}/{day}" for label in ("sit", "walk") for who in people for day in ("mon", "tue")]
    data = open_path(make_folder(tmp_path, files_of(*places, count=1)), folds=3, **WINDOWS)
    assert "subjects (anna)" in data.source
    assert set((data.test.x[:, 0, 0] // 1000).astype(int)) == {0, 1, 6, 7}    # all of anna's, of either class


def test_folders_for_training_and_test_are_heeded(tmp_path: Path) -> None:
    path = make_folder(tmp_path, files_of("train/a", "train/b", "test/a", "test/b", count=1))
    data = open_path(path, **WINDOWS)
    assert set(data.test.x[:, 0, 0] // 1000) == {2, 3}
    assert data.folds is None
    with pytest.raises(UsageError, match="has a folder for the test already"):
        open_path(path, fold=1, **WINDOWS)


def test_other_ways_to_write_the_same_numbers(tmp_path: Path) -> None:
    values = np.arange(40, dtype=np.float64).reshape(20, 2)
    stream = io.BytesIO()
    np.save(stream, values)
    lines = [f"{a};{b}" for a, b in values]
    files = {
        "a/array.npy": stream.getvalue(),
        "a/bare.csv": "\n".join(line.replace(";", ",") for line in lines).encode(),
        "b/semicolons.csv": ("\ufeff\n \nfirst;second\r\n" + "\r\n".join(lines)).encode(),
        "b/tabs.tsv": ("Timestamps\tfirst\tsecond\n" + "\n".join(f"9\t{a}\t{b}" for a, b in values)).encode(),
    }
    data = open_path(make_folder(tmp_path, files), folds=2)
    assert data.info.shape == (20, 2)
    for samples in (data.train, data.test):
        assert len(samples) == 2
        assert (samples.x == values).all()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("b/4.csv", ramp(0) + b"2.0,1\n", r"4\.csv:22: 2 columns, the first line has 3"),
        ("b/4.csv", b"time,x,y\n0,1,2\n1,one,2\n", r"4\.csv:3: column 2 is 'one', expected is a number"),
        ("b/4.csv", b"0,1,2\n\n1,,2\n", r"4\.csv:3: column 2 is empty"),
        ("b/4.csv", b"0,1,x\n1,2,3\n", r"4\.csv:1: column 3 is 'x'"),
        ("b/4.csv", b"time;x;y\n0;1,5;2\n", r"4\.csv:2: column 2 is '1,5'.* Write decimals with a point"),
        ("b/4.csv", b"time,x,y\n0,nan,2\n", r"4\.csv:2: column 2 is 'nan'"),
        ("b/4.csv", b"time,x,y\n0,1_0,2\n", r"4\.csv:2: column 2 is '1_0'"),
        ("b/4.csv", b"", "an empty file"),
        ("b/4.csv", b"1" * 200_000, r"4\.csv:1: not a line of numbers \(field larger"),
        ("b/4.csv", b"time,x,y\n0,1," + b"2" * 200_000 + b"e\n", r"4\.csv:2: not a line of numbers \(field larger"),
        ("b/4.csv", b"time,x,y\n", "no numbers under it"),
        ("b/4.csv", b"time\n1\n", "only a column of time"),
        ("b/4.csv", "time,x,y\n0,1,é\n".encode("latin-1"), r"not UTF-8 text \(byte 13\)"),
        ("b/4.csv", ramp(0, header="time,y,x\n"), r"a channel 'y' where .*1\.csv has 'x'"),
        ("b/4.csv", b"x\n" + b"1\n" * 20, r"4\.csv: 1 channels, .*1\.csv has 2"),
        ("b/4.csv", ramp(0, rows=7), r"4\.csv: 7 samples, a window has 8"),
        ("b/1.npy", b"not an array", r"1\.npy: not an array of numbers"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    data = open_path(make_folder(tmp_path, files_of("a", "b") | {name: content}), **WINDOWS)
    with pytest.raises(EdgecnnError, match=message):
        _ = data.train


@pytest.mark.parametrize("array", [np.zeros((2, 3, 4)), np.array(["a"]), np.zeros((0, 2)), np.array([[0, np.inf]])])
def test_an_array_of_another_kind(tmp_path: Path, array: np.ndarray) -> None:
    stream = io.BytesIO()
    np.save(stream, array)
    data = open_path(make_folder(tmp_path, files_of("a", "b") | {"b/1.npy": stream.getvalue()}), **WINDOWS)
    with pytest.raises(EdgecnnError, match=r"1\.npy: (an array|the value at \[0, 1\])"):
        _ = data.train


@pytest.mark.parametrize(
    ("files", "settings", "message"),
    [
        ({}, {}, "no recordings in it"),
        (files_of("a"), {}, "one class only"),
        (files_of("a/anna", "b/anna"), WINDOWS, r"1 subject only \(anna\).*data\.split=file"),
        (files_of("a", "b"), {**WINDOWS, "split": "subject"}, "files right in the folders of classes"),
        (files_of("a/anna", "b/ben"), WINDOWS, "no recording of 'a' is left for training"),
        (files_of("a", "b", count=3), WINDOWS | {"fold": 4}, "no recording of 'a' is left for the test"),
        (files_of("a", "b"), {"rate": 10}, "data.rate needs data.length"),
        (files_of("a", "b"), {"length": 1.0}, "data.rate is needed"),
        (files_of("a", "b"), {"length": 0.04, "rate": 10}, "data.length is shorter than one sample"),
        (files_of("a", "b"), {**WINDOWS, "fold": 5}, "5 folds of recordings, 0 to 4"),
        (files_of("a/anna", "a/ben", "b/anna", "b/ben"), {**WINDOWS, "fold": 2}, "2 folds of subjects, 0 to 1"),
        (files_of("a", "b"), {**WINDOWS, "split": "files"}, "Did you mean 'file'"),
        (files_of("a", "b"), {"size": (8, 8)}, "no such setting"),
        (files_of("a/anna", "a/ben", "b/anna", "b/ben"), {**WINDOWS, "folds": 3}, "2 subjects .*Set fewer data.folds"),
    ],
)
def test_trees_and_settings_that_do_not_fit(
    tmp_path: Path, files: Files, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(EdgecnnError, match=message):
        open_path(make_folder(tmp_path, files), **settings)


def test_whole_recordings_need_one_length(tmp_path: Path) -> None:
    data = open_path(make_folder(tmp_path, files_of("a", "b") | {"b/0.csv": ramp(0, rows=19)}))
    assert data.train.x.shape == (8, 20, 2)
    with pytest.raises(EdgecnnError, match=r"0\.csv: 19 samples, the first recording has 20\. .*data\.length"):
        _ = data.test


def test_without_a_path() -> None:
    with pytest.raises(UsageError, match=r"needs data\.path"):
        open_dataset(DataSection(set="signal_files"))


# --- Arrays ----------------------------------------------------------------------------------------------------------

X = np.arange(20 * 6 * 2).reshape(20, 6, 2)
Y = np.array(["run", "sit"] * 10)
WHO = np.repeat(["anna", "ben", "cleo", "dan"], 5)


def npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path / "set.npz", **arrays)    # type: ignore[arg-type]
    return path / "set.npz"


def test_arrays_are_divided_by_subject(tmp_path: Path) -> None:
    data = open_path(npz(tmp_path, x=X, y=Y, subject=WHO), fold=2)
    assert (data.labels, data.folds, data.info.shape) == (("run", "sit"), 4, (6, 2))
    assert np.array_equal(data.test.x, X[10:15])
    assert data.test.y.tolist() == [0, 1, 0, 1, 0]
    assert data.train.groups is not None
    assert sorted(set(data.train.groups.tolist())) == [0, 1, 3]


def test_arrays_without_subjects_and_with_one_channel(tmp_path: Path) -> None:
    data = open_path(npz(tmp_path, x=X[..., 0], y=np.arange(20) % 2 + 7))
    assert data.labels == ("7", "8")
    assert data.train.x.shape == (16, 6, 1)
    assert np.bincount(data.test.y).tolist() == [2, 2]


def test_arrays_that_are_divided_already(tmp_path: Path) -> None:
    data = open_path(npz(tmp_path, x_train=X, y_train=Y, x_test=X[1::2] + 1, y_test=Y[1::2]))
    assert np.array_equal(data.test.x, X[1::2] + 1)
    assert data.test.y.tolist() == [1] * 10, "classes are those of the training, though the test has only one of them"


@pytest.mark.parametrize(
    ("arrays", "settings", "message"),
    [
        ({"x": X}, {}, "holds x. Expected are x and y"),
        ({"x": X, "y": Y[:-1]}, {}, "for each of the 20 windows"),
        ({"x": X, "y": np.zeros(20)}, {}, "a whole number or a name"),
        ({"x": X, "y": np.zeros(20, int)}, {}, "one value only"),
        ({"x": X[0, 0], "y": Y}, {}, r"an array \[2\]"),
        ({"x": X, "y": Y, "subject": np.repeat("anna", 20)}, {}, "subject holds one value only"),
        ({"x": X, "y": Y}, {"split": "subject"}, "needs an array subject"),
        ({"x": X, "y": Y}, {"fold": 1}, "need data.split = 'subject'"),
        ({"x": X, "y": Y, "subject": WHO}, {"folds": 5}, "has 4 subjects"),
        ({"x": X, "y": np.repeat(["run", "sit"], 10), "subject": np.repeat([1, 2], 10)}, {}, "'run' is only with subj"),
        ({"x": X, "y": Y}, {"length": 1.0}, "cut already"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :3], "y_test": Y}, {}, "Both need one shape"),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": np.repeat("fly", 20)}, {}, "class 'fly'"),
        ({"x": np.array([None, {}]), "y": Y}, {}, "not a readable .npz"),
    ],
)
def test_arrays_that_do_not_fit(
    tmp_path: Path, arrays: dict[str, np.ndarray], settings: dict[str, object], message: str
) -> None:
    with pytest.raises(EdgecnnError, match=message):
        open_path(npz(tmp_path, **arrays), **settings)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\x93NUMPY"])
def test_damaged_arrays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "set.npz"
    path.write_bytes(content)
    with pytest.raises(EdgecnnError, match=r"set\.npz: not (an|a readable) \.npz"):
        open_path(path)
