"""What ``edgecnn serve MODEL`` means, loaded: a ``.tflite`` file, a run, or the folder of a deployed version."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgecnn.artefacts import names_a_file, resolve
from edgecnn.contract import Contract, parse_contract
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.files import readable_os_errors, sha256_file
from edgecnn.runs import CONTRACT, FLOAT_TFLITE, INFO, INT8_TFLITE
from edgecnn.runtimes import RUNTIMES, installed, load_session, missing, runtime_spec
from edgecnn.runtimes.base import check_model_file
from edgecnn.serve.predictor import Predictor
from edgecnn.tflite_file import contract_of

_PREFERRED = (INT8_TFLITE, FLOAT_TFLITE)


@dataclass(frozen=True)
class ServedModel:
    """A model that is ready to answer.

    Attributes:
        name: By its contract.
        id: The first digits of its file's SHA-256.
        path: The file.
        runtime: Name in ``RUNTIMES``.
        predictor: With the loaded session.
    """

    name: str
    id: str
    path: Path
    runtime: str
    predictor: Predictor


def load_model(reference: str, runtime: str, threads: int, top: int) -> ServedModel:
    """Find and load a model.

    Args:
        reference: A ``.tflite`` file, a run, a model's name, or a folder that holds a ``.tflite`` file.
        runtime: In ``RUNTIMES``; one that takes ``.tflite`` files.
        threads: Of one inference.
        top: Labels in an answer, at most.

    Raises:
        UsageError: There is no such model or runtime.
        MissingDependencyError: The runtime is not installed.
        EdgecnnError: The file cannot be loaded, or has no contract.
    """
    if runtime_spec(runtime).takes != ".tflite":
        able = [name for name, spec in RUNTIMES.items() if spec.takes == ".tflite"]
        raise UsageError(f"--runtime {runtime}: serves no .tflite files. Choose one of {', '.join(able)}.")
    if not installed(runtime):
        raise missing(runtime, f"--runtime {runtime}")
    path, contract = find_model(reference)
    predictor = Predictor(load_session(runtime, path, threads), contract, top)
    return ServedModel(contract.name, sha256_file(path)[:12], path, runtime, predictor)


def find_model(reference: str) -> tuple[Path, Contract]:
    """The file that is meant, and its contract: the one in it, otherwise ``contract.json`` beside it.

    Raises:
        UsageError: There is no such model.
        EdgecnnError: It has no contract, or cannot be read.
    """
    folder = Path(reference)
    if folder.is_dir() and not (folder / INFO).is_file():
        path = _in_folder(folder)
    elif names_a_file(reference):
        path = folder
    else:
        found = {file.path.name: file.path for file in resolve(reference).artefacts if file.kind == "tflite"}
        if not found:
            raise EdgecnnError(f"{reference} has no .tflite file yet. Make one with: edgecnn quantize {reference}")
        path = next((found[name] for name in _PREFERRED if name in found), next(iter(found.values())))
    check_model_file(path, ".tflite")
    return path, _contract(path)


def _in_folder(folder: Path) -> Path:
    """The only ``.tflite`` file in a folder or in ``model/`` below it; a run's int8 file goes before others."""
    with readable_os_errors(folder, "read"):
        found = sorted(folder.glob("*.tflite")) or sorted((folder / "model").glob("*.tflite"))
    chosen = [path for path in found if path.name == INT8_TFLITE] or found
    if len(chosen) != 1:
        listed = f"several .tflite files ({', '.join(path.name for path in found)})" if found else "no .tflite file"
        raise UsageError(f"{folder}: {listed} in it. Give a file, a run, or a folder that holds one .tflite file.")
    return chosen[0]


def _contract(path: Path) -> Contract:
    contract = contract_of(path)
    beside = path.parent / CONTRACT
    if contract is None and beside.is_file():
        with readable_os_errors(beside, "read"):
            contract = parse_contract(beside.read_bytes(), str(beside))
    if contract is None:
        raise EdgecnnError(
            f"{path}: has no contract, so nothing tells its labels and what is done to a sample before it. Serve a "
            f"file that edgecnn quantize made, or put its {CONTRACT} beside it."
        )
    return contract
