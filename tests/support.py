"""What test modules import: types and small helpers that are no fixtures."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np


class Cli(Protocol):
    """Runs ``edgecnn`` as a user would: in a process of its own."""

    def __call__(
        self,
        *arguments: str | Path,
        code: int | None = 0,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 900,
    ) -> subprocess.CompletedProcess[str]: ...


def heed_ctrl_c() -> None:
    """In a child before it begins: tests that run in the background may have been started with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def child_environment(folder: Path) -> dict[str, str]:
    """The environment of an ``edgecnn`` process: runs in ``folder/runs``, no colour, 80 columns."""
    settings = {"EDGECNN_RUNS": str(folder / "runs"), "NO_COLOR": "1", "COLUMNS": "80", "PYTHONUTF8": "1"}
    return {**os.environ, **settings}


def write_idx_set(folder: Path, count: int) -> None:
    """Four raw idx files under MNIST's names: random 28x28 images, the ten classes in turn."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for split, number in (("train", count), ("t10k", count // 4)):
        images = generator.integers(0, 256, (number, 28, 28), dtype=np.uint8)
        header = struct.pack(">IIII", 0x803, number, 28, 28)
        (folder / f"{split}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        labels = (np.arange(number) % 10).astype(np.uint8)
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, number) + labels.tobytes())
