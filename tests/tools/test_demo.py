"""``tools/demo.sh``: which model it trains. The ``edgecnn`` on its path only prints what it was called with."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell script")


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools/demo.sh", tmp_path / "tools")
    bin_folder = tmp_path / ".venv/bin"
    bin_folder.mkdir(parents=True)
    program(bin_folder / "python", f"exec '{sys.executable}' \"$@\"")
    program(bin_folder / "edgecnn", 'echo "edgecnn $*"')
    return tmp_path


def fashion_mnist(root: Path) -> Path:
    """Two images of each split, in the set's own format."""
    folder = root / "fashion_mnist"
    folder.mkdir(parents=True)
    for split in ("train", "t10k"):
        (folder / f"{split}-images-idx3-ubyte").write_bytes(struct.pack(">I3I", 0x803, 2, 28, 28) + bytes(2 * 784))
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, 2) + bytes([0, 9]))
    return folder


def demo(checkout: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("VENV", "EPOCHS")}
    return subprocess.run(
        ["sh", "tools/demo.sh", *arguments],
        cwd=checkout,
        env={**kept, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


def test_fashion_mnist_is_trained_where_it_is(checkout: Path) -> None:
    fashion_mnist(checkout / "data")
    done = demo(checkout, "--quiet", EDGECNN_DATA=str(checkout / "data"), EPOCHS="5")
    assert (done.returncode, done.stdout) == (0, "edgecnn run fashion_mnist_cnn --epochs 5 --quiet\n")


@pytest.mark.parametrize("missing", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_digits_are_trained_where_a_file_is_missing(checkout: Path, missing: str) -> None:
    (fashion_mnist(checkout / "data") / missing).unlink()
    done = demo(checkout, EDGECNN_DATA=str(checkout / "data"))
    assert (done.returncode, done.stdout) == (0, "edgecnn run digits_tiny\n")
    assert f"{missing} is missing" in done.stderr


def test_a_crash_while_looking_is_no_lack_of_data(checkout: Path) -> None:
    fashion_mnist(checkout / "data")
    (checkout / "numpy.py").write_text("raise RuntimeError('a broken environment')")    # `python -` looks here first
    done = demo(checkout, EDGECNN_DATA=str(checkout / "data"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "a broken environment" in done.stderr
    assert "looking for Fashion-MNIST failed with code 1" in done.stderr
