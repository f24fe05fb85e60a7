"""Model files and what is known about them: those of a run, or a plain file that edgecnn never trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgecnn.contract import Contract, TensorContract, parse_contract
from edgecnn.errors import EdgecnnError, MissingDependencyError, UsageError
from edgecnn.files import is_there
from edgecnn.runs import (
    CONTRACT,
    FLOAT_TFLITE,
    INFO,
    INT8_ONNX,
    INT8_TFLITE,
    KERAS,
    ONNX,
    OTHER_TFLITES,
    Run,
    find_run,
    has_run,
)
from edgecnn.runtimes import RUNTIMES, load_session
from edgecnn.runtimes.base import check_model_file
from edgecnn.tflite_file import contract_of
from edgecnn.zoo import zoo

Kind = Literal["tflite", "onnx", "keras"]

KINDS: dict[str, Kind] = {".tflite": "tflite", ".onnx": "onnx", ".keras": "keras"}

IN_A_RUN = (KERAS, FLOAT_TFLITE, INT8_TFLITE, *OTHER_TFLITES, ONNX, INT8_ONNX)
"""Model files of a run, in the order in which they are made and shown."""


@dataclass(frozen=True)
class ModelFile:
    """A model file.

    Attributes:
        path: The file.
        kind: Its format.
        contract: Its preprocessing contract, or None where nothing tells it.
        run: The run that it belongs to, if any.
    """

    path: Path
    kind: Kind
    contract: Contract | None
    run: Run | None

    @property
    def runtime(self) -> str:
        """The usual runtime of such a file."""
        return next(name for name, spec in RUNTIMES.items() if spec.takes == f".{self.kind}")


@dataclass(frozen=True)
class Target:
    """What a command was asked to work on.

    Attributes:
        name: Of the model: the run's model, or the file's stem.
        run: The run, or None for a plain file.
        artefacts: Its model files; at least one.
    """

    name: str
    run: Run | None
    artefacts: tuple[ModelFile, ...]


def names_a_file(reference: str) -> bool:
    """Whether a ``RUN|FILE`` argument means a file: there is one, or its suffix is that of a model file."""
    path = Path(reference)
    if is_there(path):
        return path.is_file()
    return path.suffix.lower() in KINDS


def plain_file(reference: str) -> tuple[Path, str] | None:
    """The file that a ``RUN|FILE`` argument means and the stem of what is made from it; None where it means a run.

    That is a file of the user's, or the trained model that comes with the zoo under that name.
    """
    if names_a_file(reference):
        return Path(reference), Path(reference).stem
    shipped = _shipped(reference)
    return None if shipped is None else (shipped, reference)


def resolve(reference: str) -> Target:
    """A run (its folder, or a model's name for its latest one) with all its model files, or a single model file.

    The name of a model that comes trained means that file as long as there is no run of it.

    A file that lies in a run is known with what the run tells about it.

    Raises:
        UsageError: There is no such run, or the file is of no known kind.
        EdgecnnError: The run has no model file yet, or a file in it is damaged.
    """
    path = Path(reference)
    if names_a_file(reference):
        return _resolve_file(path)
    if (shipped := _shipped(reference)) is not None:
        return Target(reference, None, (ModelFile(shipped, "tflite", _own_contract(shipped, "tflite"), None),))
    run = find_run(reference)
    artefacts = tuple(_in_run(run, run.file(name)) for name in IN_A_RUN if run.file(name).is_file())
    if not artefacts:
        raise EdgecnnError(
            f"{run.path} has no model file yet. Finish its training with: edgecnn train {run.path} --resume"
        )
    return Target(run.info.model, run, artefacts)


def _shipped(reference: str) -> Path | None:
    """The trained model that comes with the zoo under this name, where no run takes precedence."""
    model = next((model for model in zoo() if model.name == reference), None)
    if model is None or not model.shipped.is_file() or has_run(reference):
        return None
    return model.shipped


def _resolve_file(path: Path) -> Target:
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise UsageError(f"{path}: not a model file that is known here. Supported: {', '.join(KINDS)}, or a run.")
    check_model_file(path, f".{kind}")
    if (path.parent / INFO).is_file() and path.name in IN_A_RUN:
        run = Run(path.parent)
        return Target(run.info.model, run, (_in_run(run, path),))
    return Target(path.stem, None, (ModelFile(path, kind, _own_contract(path, kind), None),))


def _own_contract(path: Path, kind: Kind) -> Contract | None:
    """What a file says about itself; only Keras files have no place for a contract.

    Raises:
        MissingDependencyError: ONNX Runtime, which reads an ``.onnx``, is not installed.
        EdgecnnError: The file is damaged.
    """
    if kind == "tflite":
        return contract_of(path)
    if kind == "onnx":
        from edgecnn.runtimes.onnx_runtime import load

        return load(path, 1, "").contract
    return None


def _in_run(run: Run, path: Path) -> ModelFile:
    kind = KINDS[path.suffix]
    try:
        contract = _own_contract(path, kind)
    except MissingDependencyError:    # a run copied to a board without ONNX Runtime: the run tells as much
        contract = None
    return ModelFile(path, kind, contract or _from_run(run, path), run)


def _from_run(run: Run, path: Path) -> Contract:
    """The contract of a file without one of its own: the run's recipe and labels, and float or int8 ends."""
    info = run.info
    if info.data is None:
        raise EdgecnnError(f"{run.path / INFO} does not say the labels. Train again: edgecnn train {info.model}")
    known = _int8_contract(run)
    if path.name == INT8_ONNX and known is not None:
        return known
    if known is None:
        session = load_session("keras" if path.suffix == ".keras" else "onnxruntime", path)
        ends = session.input, session.output
    else:
        ends = _float(known.input, "input"), _float(known.output, "output")
    return Contract(
        name=info.model,
        labels=tuple(info.data.labels),
        task=info.recipe.model.task,
        preprocess=info.preprocessing,
        input=ends[0],
        output=ends[1],
        data_set=info.recipe.data.set,
    )


def _int8_contract(run: Run) -> Contract | None:
    if run.file(INT8_TFLITE).is_file() and (contract := contract_of(run.file(INT8_TFLITE))) is not None:
        return contract
    path = run.file(CONTRACT)
    return parse_contract(path.read_bytes(), str(path)) if path.is_file() else None


def _float(end: TensorContract, name: str) -> TensorContract:
    return TensorContract(name=name, shape=end.shape, dtype="float32")


def ends_of(artefact: ModelFile) -> tuple[TensorContract, TensorContract]:
    """Input and output of a model file: from its contract, or by loading it."""
    if artefact.contract is not None:
        return artefact.contract.input, artefact.contract.output
    session = load_session(artefact.runtime, artefact.path)
    return session.input, session.output
