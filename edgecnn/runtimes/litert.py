"""TensorFlow Lite files on LiteRT: whichever package brings the interpreter, one session."""

from __future__ import annotations

import importlib
import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.contract import TensorContract
from edgecnn.errors import EdgecnnError, MissingDependencyError, first_line
from edgecnn.keras_quiet import quiet_native
from edgecnn.results import LayerTime
from edgecnn.runtimes import _litert_profile
from edgecnn.runtimes.base import (
    TFLITE_RUNTIME_SOURCE,
    Session,
    check_model_file,
    litert_source,
    only_one,
    tensor_contract,
)

# The same interpreter under three names: LiteRT's own wheel, the older wheel that a 32-bit Raspberry Pi has, and the
# one inside TensorFlow, which costs half a gigabyte and is asked last.
_PACKAGES = (
    ("ai_edge_litert.interpreter", ("ai-edge-litert",)),
    ("tflite_runtime.interpreter", ("tflite-runtime",)),
    ("tensorflow.lite.python.interpreter", ("tensorflow", "tensorflow-cpu")),
)


def start(threads: int) -> None:
    """Import the interpreter; see ``RuntimeModule.start``."""
    del threads
    interpreter_module()


def load(path: Path, threads: int, variant: str) -> Session:
    """Load a ``.tflite`` file.

    Args:
        path: The file.
        threads: Threads of XNNPACK's pool.
        variant: Empty for the default kernels with the XNNPACK delegate, ``ref`` for the reference kernels.

    Raises:
        MissingDependencyError: No package with an interpreter is installed.
        EdgecnnError: The file is corrupt, needs an op that the runtime lacks, or has several inputs or outputs.
    """
    session = load_with(*interpreter_module(), path, threads, variant)
    if variant == "" and session.version.startswith("ai-edge-litert") and _litert_profile.is_offered():
        return ProfiledSession(session, path, threads)
    return session


def load_with(module: Any, version: str, path: Path, threads: int, variant: str) -> LiteRTSession:
    """Load a ``.tflite`` file with the interpreter of one package; see ``load``.

    Args:
        module: As ``import_interpreter`` gives it.
        version: Package and version, for messages.
        path: The file.
        threads: Threads of XNNPACK's pool.
        variant: As in ``load``.
    """
    check_model_file(path, ".tflite")
    options: dict[str, Any] = {"num_threads": threads}
    if variant == "ref":
        options["experimental_op_resolver_type"] = module.OpResolverType.BUILTIN_REF
    try:
        with quiet_native():
            interpreter = module.Interpreter(model_path=str(path), **options)
            inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
            interpreter.allocate_tensors()
            return LiteRTSession(interpreter, _end(path, only_one(path, "input", inputs)),
                                 _end(path, only_one(path, "output", outputs)), version)    # fmt: skip
    except (ValueError, RuntimeError) as error:
        raise EdgecnnError(f"{path}: {version} cannot load it: {_advice(str(error))}") from error


def interpreter_module() -> tuple[Any, str]:
    """The first interpreter module that is installed, and its package with version."""
    for module_name, distributions in _PACKAGES:
        if (module := import_interpreter(module_name)) is not None:
            return module, _version(distributions)
    raise MissingDependencyError(
        "ai_edge_litert (or tflite_runtime, or tensorflow)", None, "running a .tflite file", litert_source()
    )


def import_interpreter(module_name: str) -> Any | None:
    """A module with an ``Interpreter``, or None where it is not installed.

    Raises:
        EdgecnnError: It is installed and does not start, or does not go with the NumPy that is installed.
    """
    try:
        with quiet_native():
            module = importlib.import_module(module_name)
    except ModuleNotFoundError:
        return None
    except ImportError as error:    # there, but it does not fit: NumPy 2 under tflite-runtime, no libstdc++
        raise EdgecnnError(
            f"{module_name.partition('.')[0]} is installed but does not start: {first_line(error)}. "
            "`edgecnn doctor` says what to install."
        ) from error
    # Version 2.14 of the older wheel is imported under NumPy 2 without a word, and fails when an interpreter is made.
    if module_name.startswith("tflite_runtime") and int(np.__version__.partition(".")[0]) >= 2:
        raise EdgecnnError(
            f"tflite-runtime was built for NumPy 1, and NumPy {np.__version__} is installed. Install the older one, in "
            f"an environment of its own if other packages need the newer: {TFLITE_RUNTIME_SOURCE}"
        )
    return module


def _version(distributions: tuple[str, ...]) -> str:
    for name in distributions:
        try:
            return f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return distributions[0]


def _end(path: Path, details: dict[str, Any]) -> TensorContract:
    """An input or output as the interpreter describes it; ``shape`` has the batch at 1 where the signature says -1."""
    scales = details["quantization_parameters"]["scales"]
    zero_points = details["quantization_parameters"]["zero_points"]
    quantized = len(scales) == 1
    return tensor_contract(
        path,
        str(details["name"]),
        tuple(int(size) for size in details["shape"]),
        np.dtype(details["dtype"]).name,
        float(scales[0]) if quantized else None,
        int(zero_points[0]) if quantized else None,
    )


def _advice(message: str) -> str:
    if "custom op" in message.lower() or "select tensorflow op" in message.lower() or "flex" in message.lower():
        return "it uses an op outside TensorFlow Lite's built-in set. Convert it again with built-in ops only."
    if "flatbuffer" in message.lower() or "allocation is null" in message.lower():
        return "it is not a whole TensorFlow Lite file. Copy or convert it again."
    return first_line(ValueError(message)) + "."


class ProfiledSession:
    """A ``.tflite`` file in LiteRT's own wheel, which can tell what operators take; see ``Session``."""

    __slots__ = ("_path", "_threads", "input", "output", "run", "version")

    def __init__(self, session: LiteRTSession, path: Path, threads: int) -> None:
        self.input, self.output, self.version = session.input, session.output, session.version
        self.run = session.run
        self._path, self._threads = path, threads

    def profile(self, samples: list[np.ndarray], runs: int) -> list[LayerTime]:
        """What each operator takes, by LiteRT's own profiler in another process; see ``Profiler``.

        Operators are those of XNNPACK after it has fused them. Times are in whole microseconds.
        """
        return _litert_profile.profile(self._path, self._threads, samples, runs)


class LiteRTSession:
    """A ``.tflite`` file in an interpreter; see ``Session``."""

    __slots__ = ("_get", "_input", "_invoke", "_output", "_set", "input", "output", "version")

    def __init__(self, interpreter: Any, end_in: TensorContract, end_out: TensorContract, version: str) -> None:
        self.input, self.output, self.version = end_in, end_out, version
        # Bound once: what a run adds to the bare three calls is then below 1 % of the smallest networks. A view from
        # `tensor()` instead of `set_tensor` is no faster and may not be held over `invoke`.
        self._set, self._invoke, self._get = interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor
        self._input = only_one(Path(), "input", interpreter.get_input_details())["index"]
        self._output = only_one(Path(), "output", interpreter.get_output_details())["index"]

    def run(self, sample: np.ndarray) -> np.ndarray:
        """One inference; see ``Session.run``."""
        self._set(self._input, sample)
        self._invoke()
        result: np.ndarray = self._get(self._output)
        return result
