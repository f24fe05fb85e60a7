"""Where MNIST and Fashion-MNIST are looked for, in which order, and what a bad file says."""

from __future__ import annotations

import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import DataSet, _mnist_like, fashion_mnist, mnist, open_dataset
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.recipe import DataSection
from tests.support import Cli

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
PLAIN = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def arrays_of(mark: int) -> dict[str, np.ndarray]:
    """A small set whose every pixel is ``mark``, so that one can see where it was read from."""
    sets = {}
    for split, count in (("train", 20), ("test", 10)):
        sets[f"x_{split}"] = np.full((count, 28, 28), mark, np.uint8)
        sets[f"y_{split}"] = np.arange(count, dtype=np.uint8) % 10
    return sets


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_set(folder: Path, mark: int, compressed: bool = False, dotted: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for key, array in arrays_of(mark).items():
        name = PLAIN[key].replace("-idx", ".idx") if dotted else PLAIN[key]
        if compressed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (folder / name).write_bytes(idx(array))
    return folder


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No set is on this machine but where a test puts one."""
    monkeypatch.delenv("EDGECNN_DATA", raising=False)
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    unpackaged = {**vars(fashion_mnist.SPEC), "packaged": ()}
    monkeypatch.setattr(fashion_mnist, "SPEC", _mnist_like.MnistLike(**unpackaged))


def mark_of(data: DataSet) -> int:
    return int(data.test.x[0, 0, 0, 0])


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
def test_every_spelling_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, compressed: bool, dotted: bool
) -> None:
    write_set(tmp_path / "data" / name, 7, compressed, dotted)
    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path / "data"))
    data = open_dataset(DataSection(set=name))
    assert data.train.x.shape == (20, 28, 28, 1)
    assert data.test.x.shape == (10, 28, 28, 1)
    assert data.train.x.dtype == np.uint8
    assert data.train.y.dtype == np.int64
    assert data.test.y.tolist() == list(range(10))
    assert mark_of(data) == 7
    assert len(data.sha256) == 4
    assert len(data.labels) == 10


def test_the_order_of_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the last place to the first: each one added is taken before those that were there."""
    section = DataSection(set="fashion_mnist")
    assert fashion_mnist.locate(section) is None

    write_set(tmp_path / "home/.keras/datasets/fashion-mnist", 1, compressed=True)
    assert mark_of(open_dataset(section)) == 1

    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "elsewhere"))
    assert fashion_mnist.locate(section) is None
    write_set(tmp_path / "elsewhere/datasets/fashion-mnist", 2, compressed=True)
    assert mark_of(open_dataset(section)) == 2

    package = write_set(tmp_path / "usr", 3, compressed=True)
    place = _mnist_like.Location(package, "package")
    packaged = {**vars(fashion_mnist.SPEC), "packaged": (place,)}
    monkeypatch.setattr(fashion_mnist, "SPEC", _mnist_like.MnistLike(**packaged))
    assert mark_of(open_dataset(section)) == 3

    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path / "data"))
    assert mark_of(open_dataset(section)) == 3
    write_set(tmp_path / "data", 4)
    assert mark_of(open_dataset(section)) == 4
    write_set(tmp_path / "data/fashion-mnist", 5)
    assert mark_of(open_dataset(section)) == 5
    write_set(tmp_path / "data/fashion_mnist", 6)
    assert mark_of(open_dataset(section)) == 6

    write_set(tmp_path / "mine", 8)
    assert mark_of(open_dataset(DataSection(set="fashion_mnist", path=str(tmp_path / "mine")))) == 8


def test_keras_npz(tmp_path: Path) -> None:
    cache = tmp_path / "home/.keras/datasets"
    cache.mkdir(parents=True)
    np.savez(cache / "mnist.npz", **arrays_of(9))
    data = open_dataset(DataSection(set="mnist"))
    assert mark_of(data) == 9
    assert data.train.x.shape == (20, 28, 28, 1)
    assert list(data.sha256) == ["mnist.npz"]
    again = open_dataset(DataSection(set="mnist", path=str(cache / "mnist.npz")))
    assert mark_of(again) == 9


def test_an_unfinished_keras_download_is_not_taken(tmp_path: Path) -> None:
    cache = write_set(tmp_path / "home/.keras/datasets/fashion-mnist", 1, compressed=True)
    (cache / "t10k-images-idx3-ubyte.gz").unlink()
    assert fashion_mnist.locate(DataSection(set="fashion_mnist")) is None


def test_a_file_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_set(tmp_path / "data/mnist", 1)
    (folder / "t10k-labels-idx1-ubyte").unlink()
    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path / "data"))
    data = open_dataset(DataSection(set="mnist"))
    assert len(data.train) == 20
    with pytest.raises(EdgecnnError, match=r"data/mnist: t10k-labels-idx1-ubyte is missing"):
        _ = data.test


def test_a_corrupt_file_is_no_reason_to_look_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tmp_path / "home/.keras/datasets/fashion-mnist", 1, compressed=True)
    folder = write_set(tmp_path / "data/fashion_mnist", 2)
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-5])
    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path / "data"))
    with pytest.raises(EdgecnnError) as caught:
        _ = open_dataset(DataSection(set="fashion_mnist")).train
    assert str(path) in str(caught.value)
    assert "truncated" in str(caught.value)
    assert "apt install dataset-fashion-mnist" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "array", "message"),
    [
        ("x_train", np.zeros((20, 28, 27), np.uint8), r"\[20, 28, 27\], expected uint8 \[N, 28, 28\]"),
        ("x_train", np.zeros((0, 28, 28), np.uint8), r"\[0, 28, 28\], expected"),
        ("x_train", np.zeros((20, 784), np.uint8), r"\[20, 784\], expected"),
        ("y_train", np.zeros(19, np.uint8), r"\[19\] for 20 images"),
        ("y_train", np.full(20, 10, np.uint8), "a train label is 10, expected 0 to 9"),
    ],
)
def test_files_that_do_not_fit_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, array: np.ndarray, message: str
) -> None:
    folder = write_set(tmp_path / "data/mnist", 1)
    (folder / PLAIN[key]).write_bytes(idx(array))
    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path / "data"))
    with pytest.raises(EdgecnnError, match=message):
        _ = open_dataset(DataSection(set="mnist")).train


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04" + bytes(40)])
def test_a_corrupt_npz_says_how_to_get_it_again(tmp_path: Path, content: bytes) -> None:
    cache = tmp_path / "home/.keras/datasets/mnist.npz"
    cache.parent.mkdir(parents=True)
    cache.write_bytes(content)
    with pytest.raises(EdgecnnError, match=r"mnist\.npz: cannot be read as \.npz.*Remove .*mnist\.npz and run again"):
        _ = open_dataset(DataSection(set="mnist")).test


def test_an_npz_that_lacks_an_array(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=arrays_of(1)["x_train"])
    with pytest.raises(EdgecnnError, match="no array x_train or y_train"):
        _ = open_dataset(DataSection(set="mnist", path=str(path))).train


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="the Debian package dataset-fashion-mnist is not installed")
class TestRealFashionMnist:
    """The published files, from the Debian package."""

    @staticmethod
    def open(path: Path) -> DataSet:
        return open_dataset(DataSection(set="fashion_mnist", path=str(path)))

    def test_counts_and_digests(self) -> None:
        data = self.open(DEBIAN)
        assert data.train.x.shape == (60_000, 28, 28, 1)
        assert np.bincount(data.train.y).tolist() == [6000] * 10
        assert np.bincount(data.test.y).tolist() == [1000] * 10
        # Mean pixels of the published training and test images.
        assert data.train.x.mean() == pytest.approx(72.94, abs=0.01)
        assert data.sha256["t10k-labels-idx1-ubyte.gz"].startswith("8d3605d196f4be44")
        assert data.labels[data.train.y[0]] == "Ankle boot"

    def test_it_is_found_without_a_setting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()
        monkeypatch.delenv("EDGECNN_DATA", raising=False)
        place = fashion_mnist.locate(DataSection(set="fashion_mnist"))
        assert place is not None
        assert place.how == "Debian package dataset-fashion-mnist"

    def test_it_is_never_taken_for_mnist(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for split in _mnist_like._PREFIX:
            with pytest.raises(EdgecnnError, match="these are the files of Fashion-MNIST, not of MNIST"):
                open_dataset(DataSection(set="mnist", path=str(DEBIAN))).split(split)
        monkeypatch.setenv("EDGECNN_DATA", str(DEBIAN))
        assert mnist.locate(DataSection(set="mnist")) is None
        assert fashion_mnist.locate(DataSection(set="fashion_mnist")) is not None


def test_a_place_that_cannot_be_looked_at_is_passed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECNN_DATA", "x" * 5000)
    assert mnist.locate(DataSection(set="mnist")) is None


def test_settings_that_would_be_ignored_are_refused() -> None:
    with pytest.raises(UsageError, match=r"data\.size"):
        open_dataset(DataSection(set="mnist", size=(96, 96)))


def test_a_path_without_the_files_says_which_are_expected(tmp_path: Path) -> None:
    with pytest.raises(EdgecnnError, match="Expected a folder with train-images-idx3-ubyte"):
        open_dataset(DataSection(set="mnist", path=str(tmp_path)))


@pytest.mark.slow
def test_a_download_that_fails_names_every_way(tmp_path: Path) -> None:
    """Keras's own download, with a proxy that refuses: the machine's network does not matter."""
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    code = """
from edgecnn.data import open_dataset
from edgecnn.recipe import DataSection
from tests.support import Cli
try:
    open_dataset(DataSection(set="mnist"))
except Exception as error:
    print(type(error).__name__, error)
"""
    refused = "http://127.0.0.1:9"
    nowhere = str(tmp_path / "nowhere")
    places = {"KERAS_HOME": str(tmp_path / "keras"), "EDGECNN_DATA": nowhere}
    env = {**os.environ, **places, "https_proxy": refused, "no_proxy": ""}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.startswith("EdgecnnError ")
    assert "could not download it" in done.stdout
    assert f"EDGECNN_DATA={nowhere}: no such folder" in done.stdout
    for way in mnist.INFO.get:
        assert way in done.stdout
    assert done.stderr == ""
    assert not list((tmp_path / "keras").rglob("*.npz"))


@pytest.mark.slow
@pytest.mark.parametrize(("option", "said"), [((), True), (("--quiet",), False)])
def test_a_download_is_announced_before_it_begins(
    cli: Cli, tmp_path: Path, option: tuple[str, ...], said: bool
) -> None:
    """With a proxy that refuses: the machine's network does not matter."""
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    refused = {"https_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    env = {"KERAS_HOME": str(tmp_path / "keras"), "EDGECNN_DATA": "", **refused}
    done = cli("train", "digits_tiny", "--set", "data.set=mnist", *option, code=1, env=env)
    first = done.stderr.splitlines()[0]
    assert (first == f"Downloading MNIST (11 MB) into {tmp_path / 'keras/datasets'}") is said
    assert "could not download it" in done.stderr
