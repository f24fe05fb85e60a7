"""Runtimes by name. One file each, one line in ``RUNTIMES``; a runtime is imported when it is first used."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from pathlib import Path
from typing import cast

from edgecnn.errors import EdgecnnError, MissingDependencyError, unknown_name
from edgecnn.mcu.targets import load_target, target_names
from edgecnn.mcu.toolchain import MissingToolError, find_tool
from edgecnn.runtimes.base import (
    TFLITE_RUNTIME_SOURCE,
    Profiler,
    RuntimeModule,
    RuntimeSpec,
    Session,
    litert_source,
)

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
    "tflite-runtime": RuntimeSpec(
        "edgecnn.runtimes.tflite_runtime", ".tflite", "LiteRT's older wheel, with XNNPACK", "tflite_runtime", "",
        get=TFLITE_RUNTIME_SOURCE,
    ),
    "tflm": RuntimeSpec(
        "edgecnn.runtimes.tflm", ".tflite", "TensorFlow Lite Micro", "tflite_micro", "mcu", integer_only=True
    ),
    "c": RuntimeSpec(
        "edgecnn.runtimes.c", ".tflite", "compiled to C, for this machine", "firmware_export", "", integer_only=True,
        programs=("gcc", "clang", "cc"),
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
    """Whether what a runtime needs is there; nothing is imported to find out."""
    spec = runtime_spec(name)
    packaged = any(importlib.util.find_spec(package) is not None for package in (spec.package, *spec.alternatives))
    return packaged and (not spec.programs or any(shutil.which(program) for program in spec.programs))


def is_board(name: str) -> bool:
    """Whether a name is that of an emulated board, which has a table of its own (``edgecnn.mcu.targets``).

    Boards are no runtimes: there is no session of them, and what they tell is instructions, not time.
    """
    return name in target_names() and load_target(name).emulator is not None


def missing(name: str, step: str) -> EdgecnnError:
    """The error for a runtime that is not installed.

    Args:
        name: In ``RUNTIMES``.
        step: What needs it, as a noun phrase.
    """
    spec = runtime_spec(name)
    if spec.programs:
        try:
            find_tool(spec.programs, step)
        except MissingToolError as error:
            return error
    if spec.extra:
        return MissingDependencyError(spec.package, spec.extra, step)
    return MissingDependencyError(spec.package, None, step, spec.get or litert_source())


def load_session(name: str, path: Path, threads: int = 1) -> Session:
    """Load a model file on a runtime; see ``RuntimeModule.load``."""
    return runtime_module(name).load(path, threads, runtime_spec(name).variant)


__all__ = [
    "RUNTIMES",
    "Profiler",
    "RuntimeModule",
    "RuntimeSpec",
    "Session",
    "installed",
    "is_board",
    "load_session",
    "missing",
    "runtime_module",
    "runtime_spec",
]
