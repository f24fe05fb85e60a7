"""Stored samples with the outputs that they must have: is this model, on this machine, the one that was measured?

The file is an ``.npz`` with ``version`` (1), ``samples`` (raw, ``[N, ...]``), ``outputs`` (``[N, ...]`` of the
network's own type, such as int8) and ``runtime`` (what gave them).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgecnn.contract import Contract, TensorContract
from edgecnn.errors import EdgecnnError, first_line
from edgecnn.files import readable_os_errors, require_file, write_bytes
from edgecnn.formats import shape_text
from edgecnn.predict import output_contract
from edgecnn.runtimes import runtime_spec
from edgecnn.serve.predictor import Predictor
from edgecnn.tasks import decide

VERSION = 1
REFERENCE = "litert-ref"
"""The runtime whose bytes are the same on every machine."""

_PIXELS = 0.99    # of a map that must fall for the same class: at an edge, another rounding may decide otherwise
_STEPS = 2.0    # of a filter's output, between two runtimes that round in their own ways


@dataclass(frozen=True)
class SelfTest:
    """What a self-test found.

    Attributes:
        samples: Stored ones.
        identical: Samples whose output has the same bytes.
        agreeing: Samples that are decided alike; of segmentation 99 % of the pixels, of a filter to within two steps
            of its output.
        exact: The stored outputs and these come from the reference runtime, so that all bytes must be the same.
        stored_by: Runtime that gave the stored outputs.
        failed: Numbers of the samples, from 0, that differ where they must not.
    """

    samples: int
    identical: int
    agreeing: int
    exact: bool
    stored_by: str
    failed: tuple[int, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing differs that must not."""
        return not self.failed


def own_outputs(predictor: Predictor, samples: np.ndarray) -> np.ndarray:
    """What ``write_self_test`` stores for samples.

    Args:
        predictor: The model on the runtime that is to be stored.
        samples: ``[N, ...]`` raw samples.

    Returns:
        ``[N, ...]`` of the output's own type, without the batch.

    Raises:
        EdgecnnError: The samples are not of the model.
    """
    return np.stack([predictor.run(samples[number : number + 1])[0] for number in range(len(samples))])


def write_self_test(path: Path, samples: np.ndarray, outputs: np.ndarray, runtime: str) -> None:
    """Store samples with their outputs, whole or not at all.

    Samples that a network is in two minds about make no good test: another runtime's rounding decides them otherwise
    (``decisive`` tells which).

    Args:
        path: An ``.npz`` file.
        samples: ``[N, ...]`` raw samples, at least one: numbers, or texts (``str [N]``).
        outputs: ``[N, ...]`` of the network's own type, from ``own_outputs``.
        runtime: What gave them, a name in ``RUNTIMES``.

    Raises:
        EdgecnnError: There are no samples, not one output for each, or the file cannot be written.
    """
    if not len(samples) or len(samples) != len(outputs):
        raise EdgecnnError(f"{path}: {len(samples)} samples with {len(outputs)} outputs; one for each is needed.")
    runtime_spec(runtime)
    stream = io.BytesIO()
    np.savez_compressed(
        stream, version=np.array(VERSION), samples=samples, outputs=outputs, runtime=np.array(runtime)
    )
    write_bytes(path, stream.getvalue())


def decisive(contract: Contract, outputs: np.ndarray, steps: float = 4.0) -> np.ndarray:
    """Which samples are decided by more than so many steps of the output: another rounding cannot turn those.

    Args:
        contract: Of the model.
        outputs: ``[N, ...]`` of the output's own type.
        steps: Of the output; of a float output hundredths.

    Returns:
        Booleans ``[N]``; all true where a sample is more than one decision.
    """
    if contract.task in ("segmentation", "filter"):
        return np.ones(len(outputs), bool)
    real = contract.output.dequantize(outputs).reshape(len(outputs), -1).astype(np.float64)
    if contract.task == "binary":
        margin = 2 * np.abs(real[:, 0] - 0.5)
    else:
        best = np.sort(real, axis=1)
        margin = best[:, -1] - best[:, -2] if real.shape[1] > 1 else np.full(len(real), np.inf)
    enough: np.ndarray = margin > steps * (contract.output.scale or 0.01)
    return enough


def run_self_test(predictor: Predictor, runtime: str, path: Path) -> SelfTest:
    """Hold a model against stored outputs.

    Args:
        predictor: The model as loaded here.
        runtime: That it is loaded on.
        path: What ``write_self_test`` wrote.

    Raises:
        UsageError: There is no such file.
        EdgecnnError: It is damaged, of another version, or belongs to another model.
    """
    samples, stored, stored_by = _read(path)
    contract, end = predictor.contract, output_contract(predictor.session, predictor.contract)
    if stored.dtype != np.dtype(end.dtype) or stored.shape[1:] != end.shape[1:]:
        raise EdgecnnError(
            f"{path}: holds outputs {shape_text(stored.shape[1:])} of {stored.dtype}, {contract.name} gives "
            f"{shape_text(end.shape[1:])} of {end.dtype}: it belongs to another model."
        )
    found = own_outputs(predictor, samples)
    same = (found == stored).reshape(len(found), -1).all(axis=1)
    alike = _alike(contract, end, stored, found)
    exact = runtime == stored_by == REFERENCE
    failed = np.flatnonzero(~(same if exact else alike))
    return SelfTest(len(same), int(same.sum()), int(alike.sum()), exact, stored_by, tuple(map(int, failed)))


def _alike(contract: Contract, end: TensorContract, stored: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Which samples agree, booleans ``[N]``; see ``SelfTest``."""
    before, after = (end.dequantize(outputs) for outputs in (stored, found))
    if contract.task == "filter":
        allowed = _STEPS * (end.scale or 1e-3)
        near: np.ndarray = np.abs(before - after).reshape(len(before), -1).max(axis=1) <= allowed * (1 + 1e-6)
        return near
    same = decide(contract.task, before) == decide(contract.task, after)
    alike: np.ndarray = same.reshape(len(same), -1).mean(axis=1) >= _PIXELS
    return alike


def _read(path: Path) -> tuple[np.ndarray, np.ndarray, str]:
    require_file(path)
    try:
        with readable_os_errors(path, "read"), np.load(path, allow_pickle=False) as stored:
            version, runtime = int(stored["version"]), str(stored["runtime"])
            samples, outputs = stored["samples"], stored["outputs"]
    except EdgecnnError:
        raise
    except Exception as error:    # zipfile, zlib, NumPy: whatever notices first that the bytes are wrong
        raise EdgecnnError(f"{path}: no whole self-test file: {first_line(error)}. Copy or make it again.") from error
    if version != VERSION:
        raise EdgecnnError(f"{path}: version {version}; this edgecnn reads version {VERSION}. Make it again.")
    if not samples.ndim or not len(samples) or len(samples) != len(outputs):
        raise EdgecnnError(f"{path}: has not one output for each sample. Make it again.")
    return samples, outputs, runtime
