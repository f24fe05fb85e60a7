"""Runtimes by name. One file each, one line in ``RUNTIMES``; a runtime is imported when it is first used."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import cast

from edgecnn.errors import MissingDependencyError, unknown_name
from edgecnn.runtimes.base import RuntimeModule, RuntimeSpec, Session, litert_source

_LITERT_ALSO = ("tflite_runtime", "tensorflow")

RUNTIMES: dict[str, RuntimeSpec] = {
    "litert": RuntimeSpec(
        "edgecnn.runtimes.litert", ".tflite", "LiteRT with XNNPACK", "ai_edge_litert", "",
        alternatives=_LITERT_ALSO,
    ),
    "litert-ref": RuntimeSpec(
        "edgecnn.runtimes.litert", ".tflite", "LiteRT reference kernels", "ai_edge_litert", "", "ref",
        integer_only=True, alternatives=_LITERT_ALSO,
    ),
    "onnxruntime": RuntimeSpec(
        "edgecnn.runtimes.onnx_runtime", ".onnx", "ONNX Runtime on the CPU", "onnxruntime", "onnx"
    ),
    "keras": RuntimeSpec("edgecnn.runtimes.keras", ".keras", "Keras, float", "keras", "train"),
}    # fmt: skip


def runtime_spec(name: str) -> RuntimeSpec:
    """The line of a runtime.

    Raises:
        UsageError: There is no such runtime.
    """
    if name not in RUNTIMES:
        raise unknown_name("runtime", name, RUNTIMES)
    return RUNTIMES[name]


def runtime_module(name: str) -> RuntimeModule:
    """The module behind a runtime's name.

    Raises:
        UsageError: There is no such runtime.
    """
    return cast(RuntimeModule, importlib.import_module(runtime_spec(name).module))


def installed(name: str) -> bool:
    """Whether a runtime's package is there; nothing is imported to find out."""
    spec = runtime_spec(name)
    return any(importlib.util.find_spec(package) is not None for package in (spec.package, *spec.alternatives))


def missing(name: str, step: str) -> MissingDependencyError:
    """The error for a runtime that is not installed.

    Args:
        name: In ``RUNTIMES``.
        step: What needs it, as a noun phrase.
    """
    spec = runtime_spec(name)
    if spec.extra:
        return MissingDependencyError(spec.package, spec.extra, step)
    return MissingDependencyError(spec.package, None, step, litert_source())    # LiteRT alone is of the base install


def load_session(name: str, path: Path, threads: int = 1) -> Session:
    """Load a model file on a runtime; see ``RuntimeModule.load``."""
    return runtime_module(name).load(path, threads, runtime_spec(name).variant)


__all__ = [
    "RUNTIMES",
    "RuntimeModule",
    "RuntimeSpec",
    "Session",
    "installed",
    "load_session",
    "missing",
    "runtime_module",
    "runtime_spec",
]
