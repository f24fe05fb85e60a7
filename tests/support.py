"""What test modules import: types and small helpers that are no fixtures."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


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


def child_environment(folder: Path) -> dict[str, str]:
    """The environment of an ``edgecnn`` process: runs in ``folder/runs``, no colour, 80 columns."""
    settings = {"EDGECNN_RUNS": str(folder / "runs"), "NO_COLOR": "1", "COLUMNS": "80", "PYTHONUTF8": "1"}
    return {**os.environ, **settings}
