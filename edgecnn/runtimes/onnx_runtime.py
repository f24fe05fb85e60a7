"""ONNX files on ONNX Runtime's CPU provider."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.contract import METADATA_NAME, Contract, TensorContract, parse_contract
from edgecnn.errors import EdgecnnError, MissingDependencyError, first_line
from edgecnn.keras_quiet import quiet_native
from edgecnn.results import LayerTime
from edgecnn.runtimes.base import check_model_file, layer_times, middle_mean, only_one, tensor_contract

_TIMED = "_kernel_time"    # what the profiler's events of nodes end in

_DTYPES = {
    "tensor(float)": "float32", "tensor(int8)": "int8", "tensor(uint8)": "uint8",
    "tensor(int16)": "int16", "tensor(int32)": "int32",
}    # fmt: skip


def start(threads: int) -> None:
    """Import ONNX Runtime; see ``RuntimeModule.start``."""
    del threads
    _onnxruntime()


def load(path: Path, threads: int, variant: str) -> OnnxSession:
    """Load an ``.onnx`` file.

    Args:
        path: The file.
        threads: Threads inside one operator.
        variant: Unused; there is one flavour.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        EdgecnnError: The file is corrupt, or has several inputs or outputs.
    """
    del variant
    onnxruntime = _onnxruntime()
    check_model_file(path, ".onnx")
    try:
        session = _opened(path, threads)
    except Exception as error:    # its classes derive from Exception alone and live in a private module
        raise EdgecnnError(
            f"{path}: onnxruntime {onnxruntime.__version__} cannot load it: {_reason(error)} Export it again."
        ) from error
    contract = contract_in(session, str(path))
    ends = [
        _end(path, only_one(path, "input", session.get_inputs()), contract.input if contract else None),
        _end(path, only_one(path, "output", session.get_outputs()), contract.output if contract else None),
    ]
    profiling = functools.partial(_opened, path, threads)
    return OnnxSession(session, ends[0], ends[1], f"onnxruntime {onnxruntime.__version__}", contract, profiling)


def _opened(path: Path, threads: int, profile: str = "") -> Any:
    """An ``InferenceSession``; with ``profile`` one that writes what its nodes take to a file whose name begins so."""
    onnxruntime = _onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4
    if profile:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    with quiet_native():
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def contract_in(session: Any, where: str) -> Contract | None:
    """The contract in a loaded file's ``metadata_props``, or None where there is none.

    Raises:
        EdgecnnError: There is one, and it cannot be read.
    """
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_NAME)
    return parse_contract(text, where) if text else None


def _onnxruntime() -> Any:
    try:
        with quiet_native():
            import onnxruntime
    except ImportError as error:
        raise MissingDependencyError("onnxruntime", "onnx", "running an .onnx file") from error
    return onnxruntime


def _end(path: Path, node: Any, known: TensorContract | None) -> TensorContract:
    dtype = _DTYPES.get(node.type, node.type)
    # The graph itself keeps scale and zero point inside its first and last nodes: only the contract tells them.
    same = known is not None and known.dtype == dtype
    scale, zero_point = (known.scale, known.zero_point) if known is not None and same else (None, None)
    return tensor_contract(path, node.name, tuple(node.shape), dtype, scale, zero_point)


def _reason(error: Exception) -> str:
    text = first_line(error)
    if "protobuf" in text.lower() or "INVALID_PROTOBUF" in text:
        return "it is not a whole ONNX file."
    return text if text.endswith(".") else text + "."


class OnnxSession:
    """An ``.onnx`` file in ONNX Runtime; see ``Session``.

    Attributes:
        contract: What the file's ``metadata_props`` hold, or None.
    """

    __slots__ = ("_name", "_outputs", "_profiling", "_run", "contract", "input", "output", "version")

    def __init__(
        self,
        session: Any,
        end_in: TensorContract,
        end_out: TensorContract,
        version: str,
        contract: Contract | None,
        profiling: Callable[[str], Any],
    ) -> None:
        self.input, self.output, self.version, self.contract = end_in, end_out, version, contract
        self._run, self._name, self._outputs = session.run, end_in.name, [end_out.name]
        self._profiling = profiling

    def run(self, sample: np.ndarray) -> np.ndarray:
        """One inference; see ``Session.run``."""
        result: np.ndarray = self._run(self._outputs, {self._name: sample})[0]
        return result

    def profile(self, samples: list[np.ndarray], runs: int) -> list[LayerTime]:
        """What each node takes, by ONNX Runtime's own profiler in a second session; see ``Profiler``.

        Nodes are those of the graph that it optimized, and times are in whole microseconds.
        """
        with tempfile.TemporaryDirectory(prefix="edgecnn-onnx-") as folder:
            session = self._profiling(str(Path(folder) / "profile"))
            for run in range(runs + 1):    # the first makes what later ones use again
                session.run(self._outputs, {self._name: samples[run % len(samples)]})
            events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        return _layer_times(events, runs)


def _layer_times(events: list[dict[str, Any]], runs: int) -> list[LayerTime]:
    """The nodes of the last runs, in the order in which they run, from the events of a profile."""
    nodes: dict[str, tuple[str, str]] = {}
    took_us: dict[str, list[int]] = {}
    for event in sorted((one for one in events if one.get("cat") == "Node"), key=lambda one: one["ts"]):
        full = event["name"]
        if full.endswith(_TIMED):
            name = full.removesuffix(_TIMED).rpartition(";")[2]    # TensorFlow's names of all that was fused into it
            nodes.setdefault(full, (name, event["args"]["op_name"]))
            took_us.setdefault(full, []).append(event["dur"])
    return layer_times(list(nodes.values()), middle_mean(np.array([took_us[full][-runs:] for full in nodes]).T) / 1e3)
