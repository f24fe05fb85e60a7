"""An int8 ``.tflite`` in TensorFlow Lite Micro's interpreter, from the ``tflite_micro`` wheel: its reference kernels.

The wheel's native code ends the process when it meets something unexpected: measure in a process of its own, as
``bench`` does.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.child_process import said_lines
from edgecnn.contract import TensorContract
from edgecnn.errors import EdgecnnError, MissingDependencyError
from edgecnn.keras_quiet import quiet_native
from edgecnn.runtimes.base import check_model_file, only_one, tensor_contract
from edgecnn.tflite_file import read_graph
from firmware_export.graph import ABSENT, FLOAT_DTYPES, Graph, Tensor

_ARENA_BYTES = 64 << 20    # its pages are touched only as far as they are used
_TOTAL = re.compile(r"Arena allocation total (\d+) bytes")


def start(threads: int) -> None:
    """Import the interpreter; see ``RuntimeModule.start``."""
    del threads
    _tflite_micro()


def load(path: Path, threads: int, variant: str) -> TFLMSession:
    """Load a ``.tflite`` file.

    Args:
        path: The file.
        threads: Unused: it runs in one.
        variant: Unused; there is one flavour.

    Raises:
        MissingDependencyError: The wheel is not installed.
        EdgecnnError: The file is corrupt, computes in floats, has an operator that TFLite Micro lacks, or several
            inputs or outputs.
    """
    del threads, variant
    runtime, version = _tflite_micro()
    check_model_file(path, ".tflite")
    graph = read_graph(path)
    if _computes_in_floats(graph):
        raise EdgecnnError(
            f"{path}: it computes in floats; on TFLite Micro int8 and int16×8 files are measured. "
            "Quantize it: edgecnn quantize"
        )
    end_in, end_out = (
        _end(path, only_one(path, what, [graph.tensors[index] for index in found]))
        for what, found in (("input", graph.inputs), ("output", graph.outputs))
    )
    data = path.read_bytes()
    started = time.perf_counter_ns()
    try:
        interpreter, _ = _listening(lambda: runtime.Interpreter.from_bytes(data, arena_size=_ARENA_BYTES))
    except RuntimeError as error:
        raise EdgecnnError(f"{path}: {version} cannot load it: {error}") from error
    return TFLMSession(interpreter, end_in, end_out, version, (time.perf_counter_ns() - started) / 1e6)


def _computes_in_floats(graph: Graph) -> bool:
    """Whether any node does, other than those that an int8 network with float ends begins and ends with."""
    return any(
        graph.tensors[index].dtype in FLOAT_DTYPES
        for node in graph.nodes
        if node.op not in ("QUANTIZE", "DEQUANTIZE")
        for index in (*node.inputs, *node.outputs)
        if index != ABSENT
    )


def _tflite_micro() -> tuple[Any, str]:
    try:
        with quiet_native():
            from tflite_micro.python.tflite_micro import runtime
    except ImportError as error:
        raise MissingDependencyError("tflite_micro", "mcu", "running TFLite Micro") from error
    return runtime, f"tflite-micro {importlib.metadata.version('tflite-micro')}"


def _listening(work: Callable[[], Any]) -> tuple[Any, list[str]]:
    """What ``work`` returns, and the lines that native code wrote to standard error meanwhile.

    Raises:
        RuntimeError: TFLite Micro refuses; the message is the first line that it wrote, where it gives the reason.
    """
    with tempfile.TemporaryFile() as held:
        saved = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            result, failure = work(), None
        except RuntimeError as error:
            result, failure = None, error
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        held.seek(0)
        said = said_lines(held.read())
    if failure is not None:
        raise RuntimeError((said or [str(failure)])[0]) from failure
    return result, said


def _end(path: Path, tensor: Tensor) -> TensorContract:
    quant = tensor.quant if tensor.quant is not None and len(tensor.quant.scale) == 1 else None
    scale, zero_point = (quant.scale[0], quant.zero_point[0]) if quant is not None else (None, None)
    return tensor_contract(path, tensor.name, tensor.shape, tensor.dtype, scale, zero_point)


class TFLMSession:
    """A ``.tflite`` file in TFLite Micro; see ``Session``.

    Attributes:
        init_ms: Making the interpreter: its tensors are allocated and its operators prepared.
    """

    def __init__(
        self, interpreter: Any, end_in: TensorContract, end_out: TensorContract, version: str, init_ms: float
    ) -> None:
        self.input, self.output, self.version, self.init_ms = end_in, end_out, version, init_ms
        self._interpreter = interpreter
        self._set, self._invoke, self._get = interpreter.set_input, interpreter.invoke, interpreter.get_output

    @functools.cached_property
    def arena_bytes(self) -> int | None:
        """What its allocator has given out, by its own account: tensors, and its structures for them and for nodes."""
        _, said = _listening(self._interpreter.print_allocations)
        return next((int(match[1]) for line in said if (match := _TOTAL.search(line))), None)

    def run(self, sample: np.ndarray) -> np.ndarray:
        """One inference; see ``Session.run``."""
        self._set(sample, 0)
        self._invoke()
        result: np.ndarray = self._get(0)
        return result
