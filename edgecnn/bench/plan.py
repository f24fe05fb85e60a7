"""What is to be measured: which artefact on which runtime, by which contract, in which arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgecnn.artefacts import ModelFile, Target, ends_of
from edgecnn.bench.temporary import writing_temporary
from edgecnn.contract import Contract
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.evaluation_data import EvaluationData
from edgecnn.preprocess import ImagePreprocess
from edgecnn.runtimes import runtime_spec
from edgecnn.settle import settle_contract
from edgecnn.tflite_file import read_graph

Precision = Literal["float32", "int8", "int16", "mixed"]


@dataclass(frozen=True)
class Row:
    """One measurement to be made."""

    runtime: str
    artefact: ModelFile
    contract: Contract | None
    precision: Precision


def with_onnx(
    target: Target, runtimes: Sequence[str], folder: Path, notes: list[str]
) -> tuple[list[ModelFile], list[str]]:
    """The target's artefacts, each ``.tflite`` without an ``.onnx`` beside it converted when one is asked for.

    Args:
        target: The model.
        runtimes: Names in ``RUNTIMES``.
        folder: Where converted files go.
        notes: Gets a line for each conversion.

    Returns:
        The artefacts, and a sentence on each file that cannot be converted, the converter being absent included.
    """
    artefacts = list(target.artefacts)
    problems: list[str] = []
    if not any(runtime_spec(name).takes == ".onnx" for name in runtimes):
        return artefacts, problems
    for artefact in without_onnx(artefacts):
        try:
            artefacts.append(_as_onnx(artefact, folder))
        except EdgecnnError as error:
            problems.append(f"onnxruntime with {artefact.path.name}: {error}")
        else:
            notes.append(f"{artefact.path.stem}.onnx was converted from {artefact.path.name} for this measurement.")
    return artefacts, problems


def without_onnx(artefacts: Sequence[ModelFile]) -> list[ModelFile]:
    """The ``.tflite`` files of which there is no ``.onnx``: ``a_float.onnx`` or ``a.onnx`` is that of ``a_float``."""
    there = {artefact.path.stem for artefact in artefacts if artefact.kind == "onnx"}
    return [
        artefact
        for artefact in artefacts
        if artefact.kind == "tflite" and not there & {artefact.path.stem, artefact.path.stem.removesuffix("_float")}
    ]


def _as_onnx(artefact: ModelFile, folder: Path) -> ModelFile:
    from edgecnn.export.onnx_export import finish, onnx_contract, onnx_from_tflite

    proto = onnx_from_tflite(artefact.path)
    contract = onnx_contract(proto, artefact.contract) if artefact.contract is not None else None
    path = folder / f"{artefact.path.stem}.onnx"
    content = finish(proto, contract, artefact.path.stem).SerializeToString()
    with writing_temporary():
        path.write_bytes(content)
    return ModelFile(path, "onnx", contract, artefact.run)


def plan_rows(
    artefacts: list[ModelFile],
    runtimes: Sequence[str],
    test: EvaluationData | None,
    preprocess: ImagePreprocess | None,
    notes: list[str],
) -> list[Row]:
    """Every pair of a runtime and an artefact that it takes, in the order of the runtimes.

    Args:
        artefacts: The model's files, with those that ``with_onnx`` added.
        runtimes: Names in ``RUNTIMES``.
        test: The data, or None.
        preprocess: What the user said.
        notes: Gets what a reader of the figures needs to know.

    Returns:
        Nothing where no runtime takes any of the files; ``nothing_fits`` is the error for it.

    Raises:
        EdgecnnError: The data does not fit the model.
    """
    precisions = _precisions(artefacts)
    contracts: dict[Path, Contract | None] = {}
    rows = []
    for name in runtimes:
        spec = runtime_spec(name)
        for artefact in artefacts:
            precision = precisions[artefact.path]
            if artefact.path.suffix.lower() != spec.takes or (spec.integer_only and precision in ("float32", "mixed")):
                continue
            if artefact.path not in contracts:
                contracts[artefact.path] = settled(artefact, artefacts, test, preprocess, notes)
            rows.append(Row(name, artefact, contracts[artefact.path], precision))
    return rows


def nothing_fits(target: Target, runtimes: Sequence[str]) -> UsageError:
    """The error for runtimes of which none takes a file of the target."""
    present = ", ".join(artefact.path.name for artefact in target.artefacts)
    takes = "; ".join(
        f"{name} takes {'int8 ' if runtime_spec(name).integer_only else ''}{runtime_spec(name).takes} files"
        for name in runtimes
    )
    return UsageError(f"{target.name} has {present}, and none of it runs on {', '.join(runtimes)} ({takes}).")


def settled(
    artefact: ModelFile,
    artefacts: Sequence[ModelFile],
    test: EvaluationData | None,
    preprocess: ImagePreprocess | None,
    notes: list[str],
) -> Contract | None:
    """The contract to measure by; one converted from a file without a contract is told by that file."""
    if test is None:
        return artefact.contract
    source = next((one for one in artefacts if one.kind == "tflite" and one.path.stem == artefact.path.stem), None)
    told_by = artefact if artefact.kind != "onnx" or artefact.contract is not None else source or artefact
    contract, remarks = settle_contract(told_by, test.labels, preprocess)
    notes += remarks
    return contract


def _precisions(artefacts: list[ModelFile]) -> dict[Path, Precision]:
    """The arithmetic of each file; a file converted here has that of the file that it came from."""
    found: dict[Path, Precision] = {}
    by_stem: dict[str, Precision] = {}
    for artefact in artefacts:
        if artefact.kind == "tflite":
            by_stem[artefact.path.stem] = found[artefact.path] = tflite_precision(artefact.path)
        elif artefact.kind == "keras":
            found[artefact.path] = "float32"
    for artefact in artefacts:
        if artefact.kind == "onnx":
            found[artefact.path] = by_stem.get(artefact.path.stem) or onnx_precision(artefact)
    return found


def tflite_precision(path: Path) -> Precision:
    """What a ``.tflite`` computes in: activations decide; int8 weights under float activations are ``mixed``."""
    graph = read_graph(path)
    kinds: set[str] = set()
    for node in graph.nodes:
        if node.op in ("QUANTIZE", "DEQUANTIZE"):
            continue
        tensors = [graph.tensors[index] for index in (*node.inputs, *node.outputs) if index >= 0]
        activations = {tensor.dtype for tensor in tensors if tensor.data is None}
        weights = {tensor.dtype for tensor in tensors if tensor.data is not None}
        if activations & {"float32", "float16"}:
            kinds.add("mixed" if weights & {"int8", "uint8"} else "float32")
        elif "int16" in activations:
            kinds.add("int16")
        elif activations & {"int8", "uint8"}:
            kinds.add("int8")
    if len(kinds) > 1:
        return "mixed"
    only = next(iter(kinds), "float32")
    return "int8" if only == "int8" else "int16" if only == "int16" else "mixed" if only == "mixed" else "float32"


def onnx_precision(artefact: ModelFile) -> Precision:
    """What an ``.onnx`` computes in: int8 where its operators quantize, by its input where they cannot be read."""
    end_in, _ = ends_of(artefact)
    if end_in.dtype in ("int8", "uint8"):
        return "int8"
    try:
        import onnx
    except ImportError:
        return "float32"
    nodes = onnx.load(artefact.path, load_external_data=False).graph.node
    quantized = any(sign in node.op_type for node in nodes for sign in ("Quantize", "QLinear", "Integer"))
    return "int8" if quantized else "float32"
