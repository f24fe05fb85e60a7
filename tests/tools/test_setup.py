"""``tools/setup.sh``: what it must not destroy, and what it takes for being there. Nothing is downloaded."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell script")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that the script reads, and an environment that it takes for ready. The system's data are not seen."""
    folder = tmp_path / "checkout"
    (folder / "tools").mkdir(parents=True)
    settings = [shutil.copy(ROOT / name, folder) for name in ("pyproject.toml", "constraints.txt")]
    script = (ROOT / "tools/setup.sh").read_text(encoding="utf-8")
    assert "/usr/share/datasets" in script
    (folder / "tools/setup.sh").write_text(
        script.replace("/usr/share/datasets", str(tmp_path / "datasets")), encoding="utf-8"
    )
    environment = folder / ".venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin/python").symlink_to(sys.executable)
    (environment / "pyvenv.cfg").write_text("")
    stamp = hashlib.sha256(b"".join(Path(path).read_bytes() for path in settings)).hexdigest()[:16]
    (environment / f".stamp-dev-{stamp}").write_text("")
    return folder


def setup(checkout: Path, extra: str = "dev", **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "VENV", "EDGECNN_DATA")}
    return subprocess.run(
        ["sh", "tools/setup.sh", extra],
        cwd=checkout,
        env={**kept, "NO_APT": "1", "KERAS_HOME": str(checkout / "keras"), **variables},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


@pytest.mark.parametrize(
    ("python", "said"), [("pyhton3.12", "there is no such program"), ("false", "edgecnn runs on Python 3.10 to 3.13")]
)
@pytest.mark.parametrize("usable", [True, False])
def test_a_python_that_is_none_costs_no_environment(checkout: Path, python: str, said: str, usable: bool) -> None:
    if not usable:
        (checkout / ".venv/bin/python").unlink()
    before = sorted((checkout / ".venv").rglob("*"))
    done = setup(checkout, PYTHON=python)
    assert done.returncode == 1
    assert f"PYTHON={python}" in done.stderr
    assert said in done.stderr
    assert sorted((checkout / ".venv").rglob("*")) == before


def test_an_environment_that_is_ready_is_left_as_it_is(checkout: Path) -> None:
    before = sorted((checkout / ".venv").rglob("*"))
    assert setup(checkout, PYTHON=sys.executable).returncode == 0
    assert sorted((checkout / ".venv").rglob("*")) == before


@pytest.mark.parametrize(
    ("folder", "names", "there"),
    [
        ("", (), False),
        ("fashion_mnist", NAMES[1:], False),
        ("fashion_mnist", NAMES, True),
        ("fashion-mnist", [f"{name}.gz" for name in NAMES], True),
        ("", [name.replace("-idx", ".idx") for name in NAMES], True),
    ],
)
def test_fashion_mnist_is_there_when_its_files_are(
    checkout: Path, tmp_path: Path, folder: str, names: list[str], there: bool
) -> None:
    data = tmp_path / "my data"
    (data / folder).mkdir(parents=True)
    for name in names:
        (data / folder / name).write_bytes(b"")
    done = setup(checkout, EDGECNN_DATA=str(data))
    assert done.returncode == 0, done.stderr
    assert ("no Fashion-MNIST here" not in done.stderr) is there


# What the script calls where all is ready, and cannot do without.
PROGRAMS = ("sh", "dirname", "tr", "cat", "sed", "tail", "grep", "id", "env", "rm", "mktemp")


@pytest.mark.parametrize(
    ("there", "extra", "said", "get"),
    [
        ((), "dev", "no C or C++ compiler here", "gcc g++ clang libclang-rt-dev cppcheck "
         "gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm gcc-riscv64-unknown-elf qemu-system-misc "
         "gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"),
        (("gcc", "g++"), "dev", "no compiler or no QEMU for a microcontroller", "clang libclang-rt-dev cppcheck "
         "gcc-arm-none-eabi"),
        (("gcc", "g++", "clang", "cppcheck", "arm-none-eabi-gcc", "qemu-system-arm", "riscv64-unknown-elf-gcc"), "dev",
         "no compiler or no QEMU for a microcontroller here", "qemu-system-misc gcc-aarch64-linux-gnu"),
        (("gcc", "g++", "clang", "cppcheck", "arm-none-eabi-gcc", "qemu-system-arm", "riscv64-unknown-elf-gcc",
          "qemu-system-riscv32", "aarch64-linux-gnu-gcc"), "dev",
         "no compiler or no QEMU for a Raspberry Pi here", "qemu-user dataset-fashion-mnist"),
        (("gcc",), "all", "no C or C++ compiler here", "g++ dataset-fashion-mnist"),
    ],
)    # fmt: skip
def test_what_is_missing_is_said_with_the_command_that_gets_it(
    checkout: Path, tmp_path: Path, there: tuple[str, ...], extra: str, said: str, get: str
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in (*PROGRAMS, *there, "apt-get"):
        real = shutil.which(name) if name in PROGRAMS else "/bin/true"
        assert real is not None
        (programs / name).symlink_to(real)
    done = setup(checkout, extra, PATH=str(programs))
    assert done.returncode == 0, done.stderr
    assert said in done.stderr
    assert f"sudo apt-get install {get}" in done.stderr
    assert ("no C or C++ compiler" in done.stderr) is ("g++" not in there)
    missed = "emulated boards" if "qemu-system-riscv32" not in there else "its processors"
    assert (missed in done.stderr) is (extra == "dev")
