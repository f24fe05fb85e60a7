"""What a network must compute: by TFLite Micro where its wheel is, otherwise by the compiler's own NumPy references.

TFLite Micro runs in a process of its own, because native code that meets something unexpected ends the process that it
runs in.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecnn.child_process import python_command, said_lines, signal_name
from edgecnn.errors import EdgecnnError
from firmware_export.graph import Graph
from firmware_export.ops import OPS
from firmware_export.ops.base import constant
from firmware_export.tflite import read_model

Arrays = list[NDArray[np.generic]]

ARENA_BYTES = 64 << 20
"""A model that does not fit into it fits into no microcontroller; twice as much where every tensor is kept."""

TIMEOUT_S = 3600

REFUSED = 3
"""Exit code of the process when TFLite Micro does not take the model; a Python error ends it with 1."""

REFERENCES = "NumPy references of the compiler"

_MODEL, _INPUTS, _ANSWER = "model.tflite", "inputs.npz", "answer.npz"
_KEEP = "--keep"


@dataclass(frozen=True)
class Expected:
    """Outputs that are right.

    Attributes:
        outputs: One array ``[N, *shape]`` for each output of the network.
        source: Who computed them.
        remark: Why it was not TFLite Micro, a sentence; empty where it was.
    """

    outputs: Arrays
    source: str
    remark: str


class _NotTakenError(Exception):
    """TFLite Micro is not there or does not run this model; the message is a clause that says why."""


def expected_outputs(data: bytes, graph: Graph, inputs: Sequence[NDArray[np.generic]]) -> Expected:
    """The outputs for some samples.

    Args:
        data: The ``.tflite`` file.
        graph: What of it is executed (``Compiled.prepared``).
        inputs: One array ``[N, *shape]`` (the batch of 1 included) for each input of the network.

    Raises:
        EdgecnnError: The process failed for a reason that has nothing to do with the model.
    """
    try:
        outputs = _ask(data, inputs, keep=False)
        return Expected([outputs[str(position)] for position in range(len(graph.outputs))], tflm_name(), "")
    except _NotTakenError as error:
        remark = f"TFLite Micro could not be asked: {error}. The compiler's NumPy references stand in for it."
    samples = zip(*inputs, strict=True)
    found = [[values[index] for index in graph.outputs] for values in (evaluate(graph, sample) for sample in samples)]
    return Expected([np.stack(arrays) for arrays in zip(*found, strict=True)], REFERENCES, remark)


def expected_tensors(
    data: bytes, graph: Graph, sample: Sequence[NDArray[np.generic]]
) -> dict[int, NDArray[np.generic]]:
    """Every computed tensor for one sample, by its index in the graph.

    Args:
        data: The ``.tflite`` file.
        graph: What of it is executed (``Compiled.prepared``).
        sample: One array of the tensor's shape for each input.
    """
    try:
        answer = _ask(data, [array[np.newaxis] for array in sample], keep=True)
    except _NotTakenError:
        return evaluate(graph, sample)
    return {int(name.removeprefix("t")): array for name, array in answer.items() if name.startswith("t")}


def tflm_name() -> str:
    """``TFLite Micro`` with its wheel's version."""
    return f"TFLite Micro {importlib.metadata.version('tflite-micro')}"


def evaluate(graph: Graph, sample: Sequence[NDArray[np.generic]]) -> dict[int, NDArray[np.generic]]:
    """Every tensor for one sample, by the operators' NumPy references.

    Args:
        graph: One that the compiler takes.
        sample: One array of the tensor's shape for each input.
    """
    values: dict[int, NDArray[np.generic]] = {
        tensor.index: constant(tensor) for tensor in graph.tensors if tensor.is_constant
    }
    values.update(zip(graph.inputs, sample, strict=True))
    for node in graph.nodes:
        results = OPS[node.op].reference(graph, node, [values.get(index) for index in node.inputs])
        values.update(zip(node.outputs, results, strict=True))
    return values


def _has_unset_border(graph: Graph) -> bool:
    """Whether TFLite Micro computes with memory that nobody set: it is right only where the border is empty."""
    for node in graph.nodes:
        if node.op == "SPACE_TO_BATCH_ND":
            paddings = graph.tensors[node.inputs[2]]
            if not paddings.is_constant or constant(paddings).any():
                return True
    return False


def _ask(data: bytes, inputs: Sequence[NDArray[np.generic]], keep: bool) -> dict[str, NDArray[np.generic]]:
    """What the process answers: outputs by position, and with ``keep`` tensors of the last sample by ``t<index>``."""
    if importlib.util.find_spec("tflite_micro") is None:
        raise _NotTakenError("the package tflite-micro is not installed (pip install 'edgecnn[mcu]')")
    if _has_unset_border(read_model(data, "the model")):
        raise _NotTakenError("it leaves the border that SPACE_TO_BATCH_ND adds unset (its issue 1646)")
    with tempfile.TemporaryDirectory(prefix="edgecnn-oracle-") as temporary:
        folder = Path(temporary)
        (folder / _MODEL).write_bytes(data)
        _save(folder / _INPUTS, {str(position): array for position, array in enumerate(inputs)})
        arguments = (str(folder), *([_KEEP] if keep else []))
        command = python_command("from edgecnn.mcu.oracle import main; main()", *arguments)
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise _NotTakenError(f"it did not end within {TIMEOUT_S} s") from None
        said = said_lines(done.stderr) or ["no reason given"]
        if done.returncode < 0:
            raise _NotTakenError(f"it crashed on this model ({signal_name(-done.returncode)})")
        if done.returncode == REFUSED:    # TFLite Micro writes the reason first, then what follows from it
            raise _NotTakenError(f"it refuses this model, saying: {said[0].rstrip('.')}")
        if done.returncode:
            raise EdgecnnError(f"the process that runs TFLite Micro failed: {said[-1]}")
        with np.load(folder / _ANSWER) as answer:
            return dict(answer)


def _save(path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    stream = io.BytesIO()
    np.savez(stream, **arrays)    # type: ignore[arg-type]
    path.write_bytes(stream.getvalue())


def main() -> None:
    """The process: its folder has the model and the inputs, and gets the answer."""
    folder, keep = Path(sys.argv[1]), _KEEP in sys.argv
    with np.load(folder / _INPUTS) as stored:
        inputs = [stored[str(position)] for position in range(len(stored.files))]
    data = (folder / _MODEL).read_bytes()
    try:
        answer = _run_tflm(data, inputs, keep)
    except RuntimeError as error:    # TFLite Micro has written its reason to standard error by now
        sys.stderr.write(f"{error}\n")
        sys.exit(REFUSED)
    _save(folder / _ANSWER, answer)


def _run_tflm(data: bytes, inputs: Sequence[NDArray[np.generic]], keep: bool) -> dict[str, NDArray[np.generic]]:
    from tflite_micro.python.tflite_micro import runtime

    graph = read_model(data)
    modes = runtime.InterpreterConfig
    interpreter = runtime.Interpreter.from_bytes(
        data,
        arena_size=ARENA_BYTES * (2 if keep else 1),
        intrepreter_config=modes.kPreserveAllTensors if keep else modes.kAllocationRecording,    # its spelling
    )
    found: list[Arrays] = [[] for _ in graph.outputs]
    for sample in zip(*inputs, strict=True):
        for position, array in enumerate(sample):
            interpreter.set_input(array, position)
        interpreter.invoke()
        for position, arrays in enumerate(found):
            arrays.append(np.array(interpreter.get_output(position)))
    answer = {str(position): np.stack(arrays) for position, arrays in enumerate(found)}
    if keep:
        computed = {index for node in graph.nodes for index in node.outputs}
        for index in sorted(computed):
            answer[f"t{index}"] = np.array(interpreter.GetTensor(index, 0)["tensor_data"])
    return answer
