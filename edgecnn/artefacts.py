"""Model files and what is known about them: those of a run, or a plain file that edgecnn never trained."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ValidationError

from edgecnn.contract import Contract, TensorContract, parse_contract
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.predict import check_classes
from edgecnn.preprocess import ImagePreprocess, Preprocess
from edgecnn.runs import CONTRACT, FLOAT_TFLITE, INFO, INT8_ONNX, INT8_TFLITE, KERAS, ONNX, Run, find_run
from edgecnn.runtimes import RUNTIMES, load_session
from edgecnn.runtimes.base import check_model_file
from edgecnn.tflite_file import contract_of

Kind = Literal["tflite", "onnx", "keras"]

KINDS: dict[str, Kind] = {".tflite": "tflite", ".onnx": "onnx", ".keras": "keras"}

IN_A_RUN = (KERAS, FLOAT_TFLITE, INT8_TFLITE, ONNX, INT8_ONNX)
"""Model files of a run, in the order in which they are made and shown."""

CONVENTIONS: tuple[tuple[float, float, ImagePreprocess, str], ...] = (
    # lowest and highest value that the quantized input can hold, what was done to a pixel, in words
    (0.0, 255.0, ImagePreprocess(scale=1.0, offset=0.0), "raw pixels, 0 to 255"),
    (0.0, 1.0, ImagePreprocess(scale=1 / 255, offset=0.0), "pixels divided by 255, 0 to 1"),
    (-1.0, 1.0, ImagePreprocess(scale=1 / 127.5, offset=-1.0), "pixels scaled to -1 to 1"),
    (-128.0, 127.0, ImagePreprocess(scale=1.0, offset=-128.0), "pixels minus 128, -128 to 127"),
)
"""The usual ways to feed pixels to a network, told apart by the range of its quantized input."""

_TOLERANCE = 0.02    # of the range: calibration seldom meets both ends exactly


@dataclass(frozen=True)
class Artefact:
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
    artefacts: tuple[Artefact, ...]


def resolve(reference: str) -> Target:
    """A run (its folder, or a model's name for its latest one) with all its model files, or a single model file.

    A file that lies in a run is known with what the run tells about it.

    Raises:
        UsageError: There is no such run, or the file is of no known kind.
        EdgecnnError: The run has no model file yet, or a file in it is damaged.
    """
    path = Path(reference)
    if path.is_file() or path.suffix.lower() in KINDS:
        return _resolve_file(path)
    run = find_run(reference)
    artefacts = tuple(_in_run(run, run.file(name)) for name in IN_A_RUN if run.file(name).is_file())
    if not artefacts:
        raise EdgecnnError(
            f"{run.path} has no model file yet. Finish its training with: edgecnn train {run.path} --resume"
        )
    return Target(run.info.model, run, artefacts)


def _resolve_file(path: Path) -> Target:
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise UsageError(f"{path}: not a model file that is known here. Supported: {', '.join(KINDS)}, or a run.")
    check_model_file(path, f".{kind}")
    if (path.parent / INFO).is_file() and path.name in IN_A_RUN:
        run = Run(path.parent)
        return Target(run.info.model, run, (_in_run(run, path),))
    return Target(path.stem, None, (Artefact(path, kind, _own_contract(path, kind), None),))


def _own_contract(path: Path, kind: Kind) -> Contract | None:
    """What a file says about itself; only Keras files have no place for a contract."""
    if kind == "tflite":
        return contract_of(path)
    if kind == "onnx":
        from edgecnn.runtimes.onnx_runtime import load

        return load(path, 1, "").contract
    return None


def _in_run(run: Run, path: Path) -> Artefact:
    kind = KINDS[path.suffix]
    contract = contract_of(path) if kind == "tflite" else None
    return Artefact(path, kind, contract or _from_run(run, path), run)


def _from_run(run: Run, path: Path) -> Contract:
    """The contract of a file without one of its own: the run's recipe and labels, and float or int8 ends."""
    info = run.info
    labels = info.data.get("labels")
    if not labels:
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
        labels=tuple(labels),
        preprocess=info.recipe.preprocess,
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


def parse_preprocess(text: str) -> ImagePreprocess:
    """What ``--preprocess`` takes: ``scale=1/255,offset=0``; a missing one of the two is 1 and 0.

    Raises:
        UsageError: It is something else, or a number is none.
    """
    values = {"scale": 1.0, "offset": 0.0}
    for part in text.split(","):
        key, equals, number = part.partition("=")
        match = re.fullmatch(r"\s*([-+.\deE]+)\s*(?:/\s*([-+.\deE]+))?\s*", number)
        try:
            if not equals or key.strip() not in values or match is None:
                raise ValueError
            values[key.strip()] = float(match[1]) / float(match[2] or 1)
        except (ValueError, ZeroDivisionError) as error:
            raise UsageError(
                f"--preprocess {text}: cannot read {part.strip()!r}. Expected scale=NUMBER,offset=NUMBER "
                "(value = pixel * scale + offset), for example scale=1/255,offset=0"
            ) from error
    try:
        return ImagePreprocess(scale=values["scale"], offset=values["offset"])
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"--preprocess {text}: {first['loc'][0]}: {first['msg'].lower()}.") from error


def infer_preprocess(end: TensorContract) -> tuple[Preprocess, str] | None:
    """What was done to pixels before a quantized input, where its range is that of a usual convention.

    Args:
        end: The network's input.

    Returns:
        The preprocessing and its description, or None where it cannot be told.
    """
    if end.scale is None or end.zero_point is None:
        return None
    limits = np.iinfo(end.dtype)
    low, high = ((limit - end.zero_point) * end.scale for limit in (limits.min, limits.max))
    for lowest, highest, preprocess, words in CONVENTIONS:
        allowed = _TOLERANCE * (highest - lowest)
        if abs(low - lowest) <= allowed and abs(high - highest) <= allowed:
            return preprocess, words
    return None


def infer_contract(
    path: Path, end_in: TensorContract, end_out: TensorContract, labels: tuple[str, ...]
) -> tuple[Contract, str]:
    """A contract for a file that has none: labels from the data, preprocessing from the range of its input.

    Args:
        path: The file, for its name and for messages.
        end_in: Its input.
        end_out: Its output.
        labels: Of the data set that it is to be measured on.

    Returns:
        The contract, and a sentence on what was inferred.

    Raises:
        EdgecnnError: The preprocessing cannot be told from the file.
    """
    found = infer_preprocess(end_in)
    if found is None:
        if end_in.scale is None or end_in.zero_point is None:
            why = f"its input is {end_in.dtype}"
        else:
            limits = np.iinfo(end_in.dtype)
            low, high = ((limit - end_in.zero_point) * end_in.scale for limit in (limits.min, limits.max))
            why = f"its input covers {low:.4g} to {high:.4g}, which is no usual range of pixels"
        raise EdgecnnError(
            f"{path}: nothing in the file tells how pixels become its input: {why}. Say it with "
            "--preprocess scale=1/255,offset=0 (value = pixel * scale + offset)."
        )
    preprocess, words = found
    contract = Contract(name=path.stem, labels=labels, preprocess=preprocess, input=end_in, output=end_out)
    return contract, (
        f"{path.name} has no preprocessing contract: from the range of its input, it takes {words}; "
        "its classes are taken in the order of the data set's."
    )


def ends_of(artefact: Artefact) -> tuple[TensorContract, TensorContract]:
    """Input and output of a model file: from its contract, or by loading it."""
    if artefact.contract is not None:
        return artefact.contract.input, artefact.contract.output
    session = load_session(artefact.runtime, artefact.path)
    return session.input, session.output


def settle_contract(
    artefact: Artefact, labels: tuple[str, ...], preprocess: ImagePreprocess | None = None
) -> tuple[Contract, list[str]]:
    """The contract that an artefact is measured by on a data set.

    Args:
        artefact: With or without a contract of its own.
        labels: Of the data set.
        preprocess: What the user said; it goes before everything else.

    Returns:
        The contract, and remarks that a reader of the figures needs.

    Raises:
        EdgecnnError: The data has another number of classes, or the preprocessing cannot be told.
    """
    path, remarks, contract = artefact.path, [], artefact.contract
    if contract is None:
        end_in, end_out = ends_of(artefact)
        check_classes(str(path), end_out, len(labels))
        if preprocess is None:
            contract, remark = infer_contract(path, end_in, end_out, labels)
            remarks.append(remark)
        else:
            contract = Contract(name=path.stem, labels=labels, preprocess=preprocess, input=end_in, output=end_out)
    elif preprocess is not None:
        contract = contract.model_copy(update={"preprocess": preprocess})
    if preprocess is not None:
        remarks.append(f"{path.name}: preprocessing as given: pixel * {preprocess.scale:.6g} + {preprocess.offset:g}.")
    if len(contract.labels) != len(labels):
        shown = ", ".join(labels[:5]) + (", …" if len(labels) > 5 else "")
        trained_on = f" (it was trained on {contract.data_set})" if contract.data_set else ""
        raise EdgecnnError(
            f"{path}: the model knows {len(contract.labels)} classes, the data has {len(labels)} ({shown}). "
            f"Choose the data set that it was trained on with --data{trained_on}."
        )
    if set(contract.labels) != set(labels):
        ours, theirs = next(pair for pair in zip(contract.labels, labels, strict=True) if pair[0] != pair[1])
        remarks.append(
            f"{path.name}: the model's class names are not the data's (its {ours!r} is {theirs!r} there): "
            "they are taken in the same order."
        )
    return contract, remarks


def in_data_order(predicted: np.ndarray, contract: Contract, labels: tuple[str, ...]) -> np.ndarray:
    """Classes of the model as classes of the data, where both have the same names in another order.

    Args:
        predicted: ``[N]`` indices into the contract's labels.
        contract: Of the model.
        labels: Of the data set.

    Returns:
        ``[N]`` indices into ``labels``.
    """
    if contract.labels == labels or set(contract.labels) != set(labels):
        return predicted
    order = np.array([labels.index(label) for label in contract.labels], dtype=np.int64)
    return np.take(order, predicted)
