"""One model over many runtimes: latency, memory and accuracy on the same samples, each in a fresh process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Protocol

import numpy as np

from edgecnn.artefacts import ModelFile, Target, ends_of
from edgecnn.bench.child import Answer, Request
from edgecnn.bench.device import Condition, condition, describe, usable_cores
from edgecnn.bench.parent import run_worker
from edgecnn.bench.plan import Row, nothing_fits, plan_rows, with_onnx
from edgecnn.bench.temporary import save_array, temporary_folder
from edgecnn.errors import EdgecnnError
from edgecnn.evaluate import evaluate_outputs
from edgecnn.evaluation_data import EvaluationData, default_section, load_test_data
from edgecnn.files import sha256_file
from edgecnn.memory_plan import MemoryPlan
from edgecnn.preprocess import ImagePreprocess
from edgecnn.recipe import DataSection
from edgecnn.results import DataRecord, Entry, HistoryRecord, ModelRecord, Results
from edgecnn.settle import in_data_order
from edgecnn.tasks import decide
from edgecnn.tflite_file import read_graph

BUSY = 0.5
"""Load average per core above which a note says that the machine was busy."""

NOISY = 1.5
"""p95 / p50 above which a note says that the latency scattered."""

_LATENCY_SAMPLES = 256    # enough to choose from when no accuracy is wanted


class Progress(Protocol):
    """The part of ``rich.progress.Progress`` that is used; tasks have a field ``note``."""

    def add_task(self, description: str, *, total: float | None, note: str) -> Any:
        """A new line; returns its id."""

    def update(self, task_id: Any, *, completed: float, note: str) -> None:
        """How far it is."""


@dataclass(frozen=True)
class _Measured:
    row: Row
    answer: Answer
    outputs: np.ndarray | None


def bench(
    target: Target,
    runtimes: Sequence[str],
    *,
    section: DataSection | None,
    runs: int = 200,
    warmup: int = 20,
    threads: int = 1,
    limit: int | None = None,
    progress: Progress | None = None,
    accuracy: bool = True,
    preprocess: ImagePreprocess | None = None,
    failed: Callable[[str], None] | None = None,
) -> Results:
    """Measure a model's files on every runtime that takes them.

    Args:
        target: The model.
        runtimes: Names in ``RUNTIMES``; rows come in this order.
        section: The data; its test split gives the inputs and the accuracy. None: what the run or the contract names;
            where neither does, latency on random inputs alone.
        runs: Counted inferences.
        warmup: Inferences before them.
        threads: Threads of one inference.
        limit: Test samples for the accuracy, stratified; None for all.
        progress: Shown while it works.
        accuracy: Measure accuracy too.
        preprocess: For files without a contract, or instead of it.
        failed: Told of each measurement that could not be made beside those that were; without it, the first one
            raises.

    Raises:
        UsageError: A runtime is unknown, or none takes any of the files.
        EdgecnnError: The data does not fit the model, or no measurement could be made.
    """
    before = condition()
    notes: list[str] = []
    with temporary_folder() as folder:
        artefacts, problems = with_onnx(target, runtimes, folder, notes)
        if problems and failed is None:
            raise EdgecnnError(problems[0])
        test = _test_data(artefacts[0], section, limit if accuracy else limit or _LATENCY_SAMPLES, notes)
        rows = plan_rows(artefacts, runtimes, test, preprocess, notes)
        if not rows:
            raise EdgecnnError(" ".join(problems)) if problems else nothing_fits(target, runtimes)
        judged = accuracy and not any(row.contract is not None and row.contract.task == "filter" for row in rows)
        if accuracy and not judged:
            notes.append("A filter with fixed weights has no accuracy: there is nothing that it could be right about.")
        memory = _memory_plan(artefacts, notes)
        samples = None
        if test is not None:
            samples = folder / "samples.npy"
            save_array(samples, test.samples.x)
        measured: list[_Measured] = []
        for row in rows:
            request = Request(
                runtime=row.runtime,
                path=row.artefact.path.resolve(),
                threads=threads,
                runs=runs,
                warmup=warmup,
                cores=usable_cores(),
                contract=row.contract,
                samples=samples,
                outputs=folder / "outputs.npy" if judged and samples is not None else None,
            )
            try:
                measured.append(_measure(row, request, len(test.samples) if test and judged else 0, progress))
            except EdgecnnError as error:
                if failed is None:
                    raise
                problems.append(str(error))
        if not measured:
            raise EdgecnnError(f"{target.name}: no measurement could be made. {' '.join(problems)}")
        entries = _entries(measured, test, threads, warmup)
    after = condition()
    for problem in problems:
        assert failed is not None    # without it, the first one raised
        failed(problem)
    notes += [f"Not measured: {problem}" for problem in problems]
    notes += _data_notes(test, accuracy) + _noise_notes(entries, before) + _memory_notes(measured)
    return Results(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        model=_model_record(target),
        data=_data_record(test, judged) if test is not None and accuracy else None,
        device=describe(before, after),
        entries=entries,
        history=_history(target),
        memory=memory,
        notes=list(dict.fromkeys(notes)),
    )


def _test_data(
    artefact: ModelFile, section: DataSection | None, limit: int | None, notes: list[str]
) -> EvaluationData | None:
    """The data that was asked for, or the model's own; a plain file may come without any, as on a bare device."""
    asked = section is not None
    section = section or default_section(artefact)
    if section is None:
        return None
    try:
        known = None if artefact.contract is None else artefact.contract.preprocess
        return load_test_data(section, ends_of(artefact)[0], limit, known)
    except EdgecnnError as error:
        if asked or artefact.run is not None:
            raise
        notes.append(f"The model's data set {section.set} cannot be had here: {error}")
        return None


def _measure(row: Row, request: Request, samples: int, progress: Progress | None) -> _Measured:
    total = request.warmup + request.runs + samples
    name = f"{row.artefact.path.name} on {row.runtime}"
    task = progress.add_task(name, total=total, note="loading") if progress is not None else None

    def done(count: int) -> None:
        if progress is not None:
            progress.update(task, completed=min(count, total), note="")

    answer = run_worker(request, done)
    done(total)
    outputs = np.load(request.outputs) if request.outputs is not None else None
    return _Measured(row, answer, outputs)


def _entries(measured: list[_Measured], test: EvaluationData | None, threads: int, warmup: int) -> list[Entry]:
    """The rows of the results; agreement is with the first float model among them."""
    outputs = [
        in_data_order(one.outputs, one.row.contract, test.labels)
        if one.outputs is not None and one.row.contract is not None and test is not None
        else None
        for one in measured
    ]
    reference = next((index for index, one in enumerate(measured) if one.row.precision == "float32"), None)
    entries = []
    for index, one in enumerate(measured):
        entry = _entry(one, threads, warmup)
        given, contract = outputs[index], one.row.contract
        if given is not None and contract is not None and test is not None:
            found = evaluate_outputs(contract.task, test.samples.y, given, test.labels)
            compared = outputs[reference] if reference is not None and reference != index else None
            same = None if compared is None else decide(contract.task, given) == decide(contract.task, compared)
            entry = entry.model_copy(
                update={
                    **found.model_dump(exclude={"correct", "per_class"}),
                    "per_class": found.per_class,
                    "agreement_with_float": None if same is None else float(np.mean(same)),
                }
            )
        entries.append(entry)
    return entries


def _entry(one: _Measured, threads: int, warmup: int) -> Entry:
    latencies = np.array(one.answer.latencies_ms)
    p50, p90, p95, p99 = (float(value) for value in np.percentile(latencies, (50, 90, 95, 99)))
    path = one.row.artefact.path
    return Entry(
        runtime=one.row.runtime,
        runtime_version=one.answer.runtime_version,
        artefact=path.name,
        sha256=sha256_file(path),
        size_bytes=path.stat().st_size,
        precision=one.row.precision,
        threads=threads,
        init_ms=one.answer.init_ms,
        first_ms=one.answer.first_ms,
        mean_ms=float(latencies.mean()),
        std_ms=float(latencies.std()),
        min_ms=float(latencies.min()),
        p50_ms=p50,
        p90_ms=p90,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=float(latencies.max()),
        num_warmup=warmup,
        num_runs=len(latencies),
        latencies_ms=one.answer.latencies_ms,
        throughput_per_s=float(len(latencies) / latencies.sum() * 1e3),
        peak_rss_bytes=one.answer.peak_rss_bytes,
    )


def _data_record(test: EvaluationData, judged: bool) -> DataRecord:
    """The data; its classes only where they were asked for."""
    return test.record if judged else test.record.model_copy(update={"labels": []})


def _data_notes(test: EvaluationData | None, accuracy: bool) -> list[str]:
    if test is None:
        return ["No data: latency was measured on random inputs, accuracy was not measured. Give a set with --data."]
    if accuracy:
        return []
    return [f"Latency was measured on test samples of {test.record.set}; accuracy was not asked for (--no-accuracy)."]


def _noise_notes(entries: list[Entry], before: Condition) -> list[str]:
    notes = []
    cores = usable_cores()
    if before.load is not None and before.load > BUSY * cores:
        notes.append(
            f"The load average was {before.load} on {cores} cores when the measurement began: other work, or what ran "
            "just before, may have slowed it. Measure again on an idle machine for figures to quote."
        )
    scattered = [f"{entry.artefact} on {entry.runtime}" for entry in entries if entry.p95_ms > NOISY * entry.p50_ms]
    if scattered:
        notes.append(f"Latency scattered (p95 above {NOISY} × p50), so the figures are noisy: {', '.join(scattered)}.")
    return notes


def _memory_notes(measured: list[_Measured]) -> list[str]:
    bases = [one.answer.base_rss_bytes for one in measured if one.answer.base_rss_bytes is not None]
    if not bases:
        return []
    return [f"Peak memory is that of the whole process; about {max(bases) / 1e6:.0f} MB of it is Python with NumPy."]


def _model_record(target: Target) -> ModelRecord:
    """The task, and parameters and multiply-accumulates, from the first file that tells them."""
    from edgecnn.summary import summarize

    task = next((one.contract.task for one in target.artefacts if one.contract is not None), "classification")
    for artefact in target.artefacts:
        if artefact.kind == "tflite":
            summary = summarize(read_graph(artefact.path))
            return ModelRecord(name=target.name, task=task, parameters=summary.parameters, macs=summary.macs)
    training = target.run.info.training if target.run is not None else None
    return ModelRecord(name=target.name, task=task, parameters=training.parameters if training is not None else None)


def _memory_plan(artefacts: Sequence[ModelFile], notes: list[str]) -> MemoryPlan | None:
    """Where the integer model keeps what it computes once it is compiled to C; a note where it cannot be compiled."""
    from edgecnn.export.c_source import plan_of

    for artefact in artefacts:
        if artefact.kind == "tflite" and _computes_in_integers(artefact):
            try:
                return plan_of(artefact.path)
            except EdgecnnError as error:
                notes.append(f"No memory plan: {error}")
    return None


def _computes_in_integers(artefact: ModelFile) -> bool:
    """int8 or int16×8: what the compiler takes."""
    graph = read_graph(artefact.path)
    return any(tensor.dtype in ("int8", "int16") and not tensor.is_constant for tensor in graph.tensors)


def _history(target: Target) -> HistoryRecord | None:
    """The learning curve that training left in ``run.json``."""
    training = target.run.info.training if target.run is not None else None
    return training.history if training is not None else None
