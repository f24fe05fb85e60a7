"""What stands in ``results.json`` beside the figures: the model, its memory plan, its training, its quantization."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from edgecnn.artefacts import ModelFile, Target
from edgecnn.bench.plan import tflite_precision
from edgecnn.errors import EdgecnnError
from edgecnn.memory_plan import MemoryPlan
from edgecnn.results import Entry, HistoryRecord, LayerNoise, ModelRecord, QuantizationRecord
from edgecnn.tflite_file import read_graph


def model_record(target: Target) -> ModelRecord:
    """The task, and parameters and multiply-accumulates, from the first file that tells them."""
    from edgecnn.summary import summarize

    task = next((one.contract.task for one in target.artefacts if one.contract is not None), "classification")
    for artefact in target.artefacts:
        if artefact.kind == "tflite":
            summary = summarize(read_graph(artefact.path))
            return ModelRecord(name=target.name, task=task, parameters=summary.parameters, macs=summary.macs)
    training = target.run.info.training if target.run is not None else None
    return ModelRecord(name=target.name, task=task, parameters=training.parameters if training is not None else None)


def memory_plan(artefacts: Sequence[ModelFile], notes: list[str]) -> MemoryPlan | None:
    """Where the integer model keeps what it computes once it is compiled to C; a note where it cannot be compiled."""
    from edgecnn.export.c_source import plan_of

    for artefact in artefacts:
        if artefact.kind == "tflite" and _computes_in_integers(artefact):
            try:
                return plan_of(artefact.path)
            except EdgecnnError as error:
                notes.append(f"No memory plan: {error}")
    return None


def compilable(artefacts: Sequence[ModelFile]) -> list[ModelFile]:
    """The files that are compiled to C: int8 and int16 throughout."""
    return [one for one in artefacts if one.kind == "tflite" and tflite_precision(one.path) in ("int8", "int16")]


def history(target: Target) -> HistoryRecord | None:
    """The learning curve that training left in ``run.json``."""
    training = target.run.info.training if target.run is not None else None
    return training.history if training is not None else None


def quantization_record(target: Target, entries: Sequence[Entry], notes: list[str]) -> QuantizationRecord | None:
    """The short form of the run's ``quantization.json``, where the file that it is about was measured.

    Args:
        target: The model.
        entries: What was measured.
        notes: Gets a line where the document cannot be read.
    """
    from edgecnn.quantization.records import Analysis
    from edgecnn.report.quantization import JSON_NAME

    if target.run is None or not (path := target.run.file(JSON_NAME)).is_file():
        return None
    try:
        analysis = Analysis.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        notes.append(f"{path.name} in the run cannot be read. Make it again: edgecnn quantize RUN --analyze")
        return None
    # The document does not hold a digest: the name must do, and the file must not have changed since.
    measured = target.run.file(analysis.quantized_file)
    if analysis.quantized_file not in {entry.artefact for entry in entries}:
        return None
    if measured.stat().st_mtime > path.stat().st_mtime:
        notes.append(f"{path.name} is older than {analysis.quantized_file}, so left out. Make it again with --analyze.")
        return None
    return QuantizationRecord(
        quantized_file=analysis.quantized_file,
        samples=analysis.samples,
        output_sqnr_db=analysis.output_sqnr_db,
        drop=analysis.accuracy.drop if analysis.accuracy is not None else None,
        layers=[
            LayerNoise(name=one.name, op=one.op, sqnr_db=one.sqnr_db, own_db=one.own_sqnr_db, clipped=one.clipped)
            for one in analysis.layers
        ],
        advice=analysis.advice,
    )


def _computes_in_integers(artefact: ModelFile) -> bool:
    """int8 or int16×8: what the compiler takes."""
    graph = read_graph(artefact.path)
    return any(tensor.dtype in ("int8", "int16") and not tensor.is_constant for tensor in graph.tensors)
