"""What each operator takes in LiteRT, by its own profiler.

LiteRT's Python classes do not offer it; its C interface does (``litert/c/litert_profiler.h``), which ``libLiteRt.so``
in the wheel exports. That is called here through ctypes, in a process of its own, because an interface that has changed
ends a process. The model runs as LiteRT's ``CompiledModel`` with the same XNNPACK kernels as in the interpreter that
``bench`` times; operators are those that XNNPACK has fused, by its names, and those that it leaves to the interpreter.

The reference kernels have no profile: no option of this interface selects them.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgecnn.child_process import python_command, said_lines, signal_name
from edgecnn.errors import EdgecnnError
from edgecnn.results import LayerTime
from edgecnn.runtimes.base import layer_times, middle_mean

_OLDEST, _MAJOR = (2, 3), 2    # versions whose interface is known
_TIMEOUT_S = 600
_SAMPLES = "samples.npy"

_CPU = 1    # kLiteRtHwAcceleratorCpu
_WRITE = 1    # kLiteRtTensorBufferLockModeWrite
_TYPE_BYTES = 1024    # for a LiteRtRankedTensorType, which is only passed on; far more than it has

# A line of the profiler's table: node type, start, first, average in milliseconds, %, sum of %, memory, times, name.
_ROW = re.compile(
    r"^\s*(?P<type>\S.*?)\s+[\d.]+\s+[\d.]+\s+(?P<ms>[\d.]+)\s+[\d.]+%\s+[\d.]+%\s+[-\d.]+\s+\d+\s+(?P<name>\[.*)$"
)


def is_offered() -> bool:
    """Whether this installation has the profiler, in a version whose interface is known."""
    try:
        version = importlib.metadata.version("ai-edge-litert")
    except importlib.metadata.PackageNotFoundError:
        return False
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    return numbers >= _OLDEST and numbers[0] == _MAJOR and _library() is not None


def profile(path: Path, threads: int, samples: Sequence[np.ndarray], runs: int) -> list[LayerTime]:
    """Run a model under the profiler; see ``edgecnn.runtimes.base.Profiler``.

    Args:
        path: The ``.tflite`` file.
        threads: Threads of XNNPACK's pool.
        samples: Each of the input's shape and type.
        runs: Inferences, at least 1.

    Raises:
        EdgecnnError: The process crashed, or the profiler answered something unexpected.
    """
    with tempfile.TemporaryDirectory(prefix="edgecnn-profile-") as folder:
        np.save(Path(folder) / _SAMPLES, np.stack(samples))
        arguments = (str(path.resolve()), folder, str(threads), str(runs))
        command = python_command("from edgecnn.runtimes._litert_profile import main; main()", *arguments)
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise EdgecnnError(f"{path}: LiteRT's profiler did not end within {_TIMEOUT_S} s.") from None
    if done.returncode:
        ended = signal_name(-done.returncode) if done.returncode < 0 else f"exit code {done.returncode}"
        said = (said_lines(done.stderr) or ["it said nothing"])[-1]
        raise EdgecnnError(f"{path}: LiteRT's profiler failed ({ended}): {said}")
    return _layer_times([str(text) for text in json.loads(done.stdout)])


def main() -> None:
    """The process: model, folder, threads and runs are its arguments, the profiler's tables its answer."""
    path, folder, threads, runs = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    tables = _run(path.read_bytes(), threads, np.load(folder / _SAMPLES), runs)
    sys.stdout.write(json.dumps(tables))


def _layer_times(tables: list[str]) -> list[LayerTime]:
    """The operators of some inferences, one table each."""
    found = [_rows(table) for table in tables]
    layers = [(name, name) for name, _ in found[0]]
    if not layers or any([(name, name) for name, _ in rows] != layers for rows in found):
        raise EdgecnnError("LiteRT's profiler names no operators, or others each time; its version may be too new.")
    return layer_times(layers, middle_mean(np.array([[ms for _, ms in rows] for rows in found])))


def _rows(table: str) -> list[tuple[str, float]]:
    """Operator and milliseconds, from the part of the table that has them in the order in which they run."""
    ordered = table.partition("Run Order")[2].partition("\n\n")[0]
    matches = (_ROW.match(line) for line in ordered.splitlines())
    return [(match["type"].removeprefix("Delegate/"), float(match["ms"])) for match in matches if match]


def _library() -> Path | None:
    spec = importlib.util.find_spec("ai_edge_litert")
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    paths = (Path(folder) / "libLiteRt.so" for folder in folders)
    return next((path for path in paths if path.is_file()), None)


class _LiteRT:
    """Calls of the C interface that answer a status, and whose last argument takes what they make."""

    def __init__(self, path: Path) -> None:
        self._functions = ctypes.CDLL(str(path))
        self._c = ctypes.CDLL(None)
        self._c.strdup.restype = ctypes.c_void_p

    def call(self, name: str, *arguments: object) -> None:
        status = self._functions[name](*arguments)
        if status != 0:
            raise RuntimeError(f"{name} answers {status}")

    def made(self, name: str, *arguments: object) -> ctypes.c_void_p:
        result = ctypes.c_void_p()
        self.call(name, *arguments, ctypes.byref(result))
        return result

    def add_options(self, options: ctypes.c_void_p, identifier: str, text: str) -> None:
        """Options of one part of LiteRT, as TOML; the text is freed by LiteRT."""
        payload = ctypes.c_void_p(self._c.strdup(text.encode()))
        free = ctypes.cast(self._c.free, ctypes.c_void_p)
        part = self.made("LiteRtCreateOpaqueOptions", identifier.encode(), payload, free)
        self.call("LiteRtAddOpaqueOptions", options, part)

    def text(self, name: str, *arguments: object) -> str:
        pointer = self.made(name, *arguments)
        result = ctypes.string_at(pointer.value or 0).decode(errors="replace")
        self._c.free(pointer)
        return result


def _run(data: bytes, threads: int, samples: np.ndarray, runs: int) -> list[str]:
    """One table for each inference. Nothing is freed: the process ends with it."""
    path = _library()
    if path is None:
        raise RuntimeError("libLiteRt.so is not in the installed ai_edge_litert")
    litert = _LiteRT(path)
    size, zero, one = ctypes.c_size_t, ctypes.c_size_t(0), ctypes.c_size_t(1)
    environment = litert.made("LiteRtCreateEnvironment", 0, None)
    model = litert.made("LiteRtCreateModelFromBuffer", environment, data, size(len(data)))
    options = litert.made("LiteRtCreateOptions")
    litert.call("LiteRtSetOptionsHardwareAccelerators", options, _CPU)
    litert.add_options(options, "runtime_options_string", "enable_profiling = true\n")
    litert.add_options(options, "xnnpack", f"num_threads = {threads}\n")
    compiled = litert.made("LiteRtCreateCompiledModel", environment, model, options)
    profiler = litert.made("LiteRtCompiledModelGetProfiler", compiled)
    if not profiler:
        raise RuntimeError("LiteRT made no profiler")
    signature = litert.made("LiteRtGetModelSignature", model, zero)
    ends = []
    for kind in ("Input", "Output"):
        tensor = litert.made(f"LiteRtGetSignature{kind}TensorByIndex", signature, zero)
        described = ctypes.create_string_buffer(_TYPE_BYTES)
        litert.call("LiteRtGetRankedTensorType", tensor, described)
        needed = litert.made(f"LiteRtGetCompiledModel{kind}BufferRequirements", compiled, zero, zero)
        ends.append(litert.made("LiteRtCreateManagedTensorBufferFromRequirements", environment, described, needed))
    buffer_in, buffer_out = ends
    run = (compiled, zero, one, ctypes.byref(buffer_in), one, ctypes.byref(buffer_out))
    tables = []
    for number in range(runs + 1):
        sample = np.ascontiguousarray(samples[number % len(samples)])
        memory = ctypes.c_void_p()
        litert.call("LiteRtLockTensorBuffer", buffer_in, ctypes.byref(memory), _WRITE)
        ctypes.memmove(memory, sample.ctypes.data, sample.nbytes)
        litert.call("LiteRtUnlockTensorBuffer", buffer_in)
        litert.call("LiteRtResetProfiler", profiler)
        litert.call("LiteRtStartProfiler", profiler)
        litert.call("LiteRtRunCompiledModel", *run)
        litert.call("LiteRtStopProfiler", profiler)
        tables.append(litert.text("LiteRtGetProfileSummary", profiler, compiled))
    return tables[1:]    # the first run makes what later ones use again
