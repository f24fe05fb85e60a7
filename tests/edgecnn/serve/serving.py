"""What tests of ``edgecnn serve`` share: models and samples that need no training, and the service as a process."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.data import open_dataset
from edgecnn.predict import run_outputs
from edgecnn.recipe import DataSection
from edgecnn.runtimes import load_session
from edgecnn.serve.predictor import Predictor
from edgecnn.tflite_file import contract_of
from tests.support import child_environment, heed_ctrl_c

MODELS = Path(__file__).resolve().parents[3] / "models"
DIGITS = MODELS / "digits_tiny" / "model_int8.tflite"


def model_file(name: str) -> Path:
    """The trained file of the zoo."""
    return MODELS / name / "model_int8.tflite"


def digits(count: int) -> np.ndarray:
    """Raw test samples of the data set that ``DIGITS`` was trained on, ``uint8 [count, 8, 8, 1]``."""
    return open_dataset(DataSection(set="digits")).test.x[:count]


def outputs_of(path: Path, raw: np.ndarray, runtime: str = "litert") -> np.ndarray:
    """What ``edgecnn evaluate`` computes for raw samples: real values ``[N, ...]``."""
    contract = contract_of(path)
    assert contract is not None
    return run_outputs(load_session(runtime, path), contract, raw)


def labels_and_scores(path: Path, raw: np.ndarray) -> list[tuple[str, float]]:
    """The class of each sample and its output, by the path of ``edgecnn evaluate``."""
    contract, outputs = contract_of(path), outputs_of(path, raw)
    assert contract is not None
    return [(contract.labels[int(row.argmax())], round(float(row.max()), 6)) for row in outputs]


def predictor_of(path: Path, runtime: str = "litert", top: int = 3) -> Predictor:
    contract = contract_of(path)
    assert contract is not None
    return Predictor(load_session(runtime, path), contract, top)


class Served:
    """A running ``edgecnn serve``."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.first: dict[str, Any] = {}    # what is served
        self._lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def line(self) -> dict[str, Any]:
        """The next line of standard output."""
        document: dict[str, Any] = json.loads(self._lines.get(timeout=120))
        return document

    def ask(self, request: Any) -> dict[str, Any]:
        """Send a line, and read the answer."""
        assert self.process.stdin is not None
        data = request if isinstance(request, bytes) else json.dumps(request).encode()
        self.process.stdin.write(data + b"\n")
        self.process.stdin.flush()
        return self.line()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=120)


@contextlib.contextmanager
def serving(folder: Path, *arguments: str | Path, env: dict[str, str] | None = None) -> Iterator[Served]:
    """``edgecnn serve ARGUMENTS --json`` in a process of its own, once it is ready; its first line is read already."""
    command = [sys.executable, "-m", "edgecnn", "serve", *map(str, arguments), "--json"]
    said = folder / "said.txt"
    with said.open("wb") as errors:
        process = subprocess.Popen(
            command, cwd=folder, env={**child_environment(folder), **(env or {})}, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=errors, preexec_fn=heed_ctrl_c,
        )    # fmt: skip
        try:
            served = Served(process)
            served.first = served.line()
            yield served
        finally:
            process.kill()
            process.wait()
    assert "Traceback" not in said.read_text(encoding="utf-8")
