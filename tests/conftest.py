"""What tests of every part may use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pytest

ROOT = Path(__file__).resolve().parents[1]


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


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder ``shared`` beside the checkout, with models and data that are not part of the project."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("there is no folder 'shared' beside the checkout")
    return folder


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Runs ``edgecnn ARGUMENTS`` in ``tmp_path``, its runs in ``tmp_path/runs``, its output captured.

    ``code`` is the exit code that is asserted; None asserts nothing. A traceback fails the test in any case:
    no user's mistake may cause one.
    """

    def run(
        *arguments: str | Path,
        code: int | None = 0,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 900,
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "edgecnn", *map(str, arguments)]
        settings = {"EDGECNN_RUNS": str(tmp_path / "runs"), "NO_COLOR": "1", "COLUMNS": "80", "PYTHONUTF8": "1"}
        done = subprocess.run(
            command,
            cwd=cwd or tmp_path,
            env={**os.environ, **settings, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
        )
        said = f"{' '.join(command[1:])}\nexit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        if "--debug" not in command:
            assert "Traceback (most recent call last)" not in done.stderr, said
        if code is not None:
            assert done.returncode == code, said
        return done

    return run
