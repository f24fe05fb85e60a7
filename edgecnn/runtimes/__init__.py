"""Runtimes by name. One file each, one line in ``RUNTIMES``; a runtime is imported when it is first used."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import cast

from edgecnn.errors import unknown_name
from edgecnn.runtimes.base import RuntimeModule, RuntimeSpec, Session

RUNTIMES: dict[str, RuntimeSpec] = {
    "litert": RuntimeSpec(
        "edgecnn.runtimes.litert", ".tflite", "LiteRT with XNNPACK", "ai_edge_litert", ""
    ),
    "litert-ref": RuntimeSpec(
        "edgecnn.runtimes.litert", ".tflite", "LiteRT reference kernels", "ai_edge_litert", "", "ref", integer_only=True
    ),
    "onnxruntime": RuntimeSpec(
        "edgecnn.runtimes.onnx_runtime", ".onnx", "ONNX Runtime on the CPU", "onnxruntime", "onnx"
    ),
    "keras": RuntimeSpec("edgecnn.runtimes.keras", ".keras", "Keras, float", "keras", "train"),
}


def runtime_spec(name: str) -> RuntimeSpec:
    """The line of a runtime.

    Raises:
        UsageError: There is no such runtime.
    """
    if name not in RUNTIMES:
        raise unknown_name("runtime", name, RUNTIMES)
    return RUNTIMES[name]


def load_session(name: str, path: Path, threads: int = 1) -> Session:
    """Load a model file on a runtime; see ``RuntimeModule.load``."""
    spec = runtime_spec(name)
    module = cast(RuntimeModule, importlib.import_module(spec.module))
    return module.load(path, threads, spec.variant)


__all__ = ["RUNTIMES", "RuntimeSpec", "Session", "load_session", "runtime_spec"]
