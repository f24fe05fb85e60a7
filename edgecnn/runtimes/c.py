"""An int8 ``.tflite`` compiled to C, and by this machine's compiler to code that runs here: one thread, no library."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn import __version__
from edgecnn.contract import TensorContract
from edgecnn.errors import EdgecnnError, first_line
from edgecnn.files import readable_os_errors
from edgecnn.mcu.library import NAME, End, Library, build_library
from edgecnn.mcu.targets import HOST, load_target
from edgecnn.mcu.toolchain import compiler_of
from edgecnn.results import LayerTime
from edgecnn.runtimes.base import check_model_file, layer_times, only_one, tensor_contract

_ALIGNMENT = 64    # a cache line; the arena is promised 4 bytes
_EMPTY_INTERVALS = 10_000    # enough for what the clock takes to be known to a nanosecond


def start(threads: int) -> None:
    """Find the compiler; see ``RuntimeModule.start``.

    Raises:
        MissingToolError: This machine has no C compiler.
    """
    del threads
    compiler_of(load_target(HOST))


def load(path: Path, threads: int, variant: str) -> CSession:
    """Compile a ``.tflite`` file and load the library; the same file is compiled once in a process.

    Compiling is what the machine of a developer does, once. ``CSession.init_ms`` therefore has the time of loading the
    library alone.

    Args:
        path: The file.
        threads: Unused: the code runs in one.
        variant: Unused; there is one flavour.

    Raises:
        MissingToolError: This machine has no C compiler.
        EdgecnnError: The file is corrupt, holds what the compiler does not take, such as float tensors, or has several
            inputs or outputs.
    """
    del threads, variant
    start(1)
    check_model_file(path, ".tflite")
    library, code = _built(path, _digest(path), timed=False)
    return CSession(path, library, code)


def _digest(path: Path) -> str:
    with readable_os_errors(path, "read"):
        return hashlib.sha256(path.read_bytes()).hexdigest()


@functools.lru_cache(maxsize=8)
def _built(path: Path, digest: str, timed: bool) -> tuple[Library, bytes]:
    """What was built of a file, and the bytes of its library. ``digest`` is there for the cache."""
    del digest
    with tempfile.TemporaryDirectory(prefix="edgecnn-c-") as folder:
        library = build_library(path, Path(folder), timed)
        return library, library.path.read_bytes()


def _loaded(code: bytes) -> tuple[ctypes.CDLL, float]:
    """A library of its own, and the milliseconds that loading it took. Its file is gone at once: the mapping stays."""
    with tempfile.TemporaryDirectory(prefix="edgecnn-c-") as folder:
        path = Path(folder) / "network.so"
        with readable_os_errors(path, "write"):
            path.write_bytes(code)
        started = time.perf_counter_ns()
        try:
            functions = ctypes.CDLL(str(path))
        except OSError as error:    # a folder for temporary files where nothing may be executed
            raise EdgecnnError(
                f"the compiled network cannot be loaded: {first_line(error)}. "
                "Set TMPDIR to a folder on a file system where programs may run."
            ) from error
        return functions, (time.perf_counter_ns() - started) / 1e6


def _aligned(nbytes: int) -> np.ndarray:
    memory = np.zeros(nbytes + _ALIGNMENT, np.uint8)
    skip = -memory.ctypes.data % _ALIGNMENT
    return memory[skip : skip + nbytes]


class CSession:
    """A network in C behind one bound call; see ``Session``.

    Attributes:
        arena_bytes: What its activations take, without input and output.
        init_ms: Loading the library; not compiling it.
    """

    def __init__(self, path: Path, library: Library, code: bytes) -> None:
        self.input = _contract(path, only_one(path, "input", list(library.inputs)))
        self.output = _contract(path, only_one(path, "output", list(library.outputs)))
        self.version = f"edgecnn {__version__} with {library.compiler} {' '.join(library.flags)}"
        self.arena_bytes = library.arena_bytes
        self._path = path
        self._arena = _aligned(max(library.arena_bytes, 1))
        self._in, self._out = _tensor(self.input), _tensor(self.output)
        functions, self.init_ms = _loaded(code)
        self._call = self._bound(functions)

    def _bound(self, functions: ctypes.CDLL) -> Any:
        """The call with its pointers: bound once, so that a run adds a copy of its input and nothing else.

        It answers 0: what it could refuse is a pointer that is NULL or not aligned.
        """
        pointers = [ctypes.c_void_p(memory.ctypes.data) for memory in (self._arena, self._in, self._out)]
        return functools.partial(functions[f"{NAME}_run"], *pointers)

    def run(self, sample: np.ndarray) -> np.ndarray:
        """One inference; see ``Session.run``."""
        self._in[...] = sample
        self._call()
        return self._out

    def profile(self, samples: list[np.ndarray], runs: int) -> list[LayerTime]:
        """What each layer takes, by a second library that reads the clock before and after each kernel call.

        What lies between kernels (which rows, in which order) is nobody's, and what the clock takes is subtracted.

        Args:
            samples: Each of the input's shape and type; they are gone through in turn.
            runs: Inferences, at least 1.
        """
        library, code = _built(self._path, _digest(self._path), timed=True)
        functions, _ = _loaded(code)
        timed = self._bound(functions)
        count = len(library.layers)
        ns = np.ctypeslib.as_array((ctypes.c_uint64 * count).in_dll(functions, "layer_clock_ns"))
        calls = np.ctypeslib.as_array((ctypes.c_uint32 * count).in_dll(functions, "layer_clock_calls"))
        functions.layer_clock_nothing(_EMPTY_INTERVALS)
        clock_ns = float(ns[0]) / _EMPTY_INTERVALS
        found = np.empty((runs, count))
        for run in range(runs):
            self._in[...] = samples[run % len(samples)]
            functions.layer_clock_reset()
            timed()
            functions.layer_clock_end()
            found[run] = ns - clock_ns * calls
        median_ms = np.maximum(np.median(found, axis=0), 0.0) / 1e6
        return layer_times([(layer.name, layer.op) for layer in library.layers], median_ms)


def _tensor(end: TensorContract) -> np.ndarray:
    count = int(np.prod(end.shape)) * np.dtype(end.dtype).itemsize
    return _aligned(count).view(end.dtype).reshape(end.shape)


def _contract(path: Path, end: End) -> TensorContract:
    return tensor_contract(path, end.name, end.shape, end.dtype, end.scale, end.zero_point)
