"""TensorFlow Lite files on the older wheel, ``tflite-runtime``, and no other: what a 32-bit Raspberry Pi has.

``litert`` takes it too where LiteRT's own wheel is not there; this runtime measures it beside that one.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

from edgecnn.errors import MissingDependencyError
from edgecnn.runtimes.base import TFLITE_RUNTIME_SOURCE
from edgecnn.runtimes.litert import LiteRTSession, import_interpreter, load_with

_MODULE, _DISTRIBUTION = "tflite_runtime.interpreter", "tflite-runtime"


def start(threads: int) -> None:
    """Import the interpreter; see ``RuntimeModule.start``."""
    del threads
    _interpreter()


def load(path: Path, threads: int, variant: str) -> LiteRTSession:
    """Load a ``.tflite`` file.

    Args:
        path: The file.
        threads: Threads of XNNPACK's pool.
        variant: As ``edgecnn.runtimes.litert.load`` has it.

    Raises:
        MissingDependencyError: The wheel is not installed.
        EdgecnnError: It does not go with the NumPy that is installed, or as ``edgecnn.runtimes.litert.load``.
    """
    module, version = _interpreter()
    return load_with(module, version, path, threads, variant)


def _interpreter() -> tuple[Any, str]:
    module = import_interpreter(_MODULE)
    if module is None:
        raise MissingDependencyError("tflite_runtime", None, "the runtime tflite-runtime", TFLITE_RUNTIME_SOURCE)
    return module, f"{_DISTRIBUTION} {importlib.metadata.version(_DISTRIBUTION)}"
