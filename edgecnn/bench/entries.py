"""What was measured, as entries of ``results.json``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgecnn.bench.figures import median_interval, outliers
from edgecnn.bench.interleave import Measured, Settings
from edgecnn.evaluate import evaluate_outputs
from edgecnn.evaluation_data import EvaluationData
from edgecnn.files import sha256_file
from edgecnn.results import Entry, WorstSample
from edgecnn.settle import in_data_order
from edgecnn.tasks import Task, decide

WORST = 24
"""Mistakes that are kept."""


def entries_of(measured: Sequence[Measured], test: EvaluationData | None, settings: Settings) -> list[Entry]:
    """The rows of the results; agreement is with the first float model among them.

    Args:
        measured: Rows that did not fail.
        test: Their data.
        settings: How they were measured.
    """
    outputs = [real_outputs(one, test) for one in measured]
    reference = next((index for index, one in enumerate(measured) if one.row.precision == "float32"), None)
    entries = []
    for index, one in enumerate(measured):
        entry = _latency(one, settings)
        given, contract = outputs[index], one.row.contract
        if given is not None and contract is not None and test is not None:
            found = evaluate_outputs(contract.task, test.samples.y, given, test.labels)
            compared = outputs[reference] if reference is not None and reference != index else None
            entry = entry.model_copy(
                update={
                    **found.model_dump(exclude={"correct", "per_class"}),
                    "per_class": found.per_class,
                    "agreement_with_float": None if compared is None else agreement(contract.task, given, compared),
                }
            )
        entries.append(entry)
    return entries


def real_outputs(one: Measured, test: EvaluationData | None) -> np.ndarray | None:
    """Outputs of all samples, ``[N, ...]``, classes in the order of the data; None where there are none."""
    if one.outputs is None or one.row.contract is None or test is None:
        return None
    return in_data_order(one.outputs, one.row.contract, test.labels)


def agreement(task: Task, outputs: np.ndarray, reference: np.ndarray) -> float:
    """Share of samples, or of pixels, that are decided alike."""
    return float(np.mean(decide(task, outputs) == decide(task, reference)))


def worst_samples(task: Task, truth: np.ndarray, outputs: np.ndarray, labels: Sequence[str]) -> list[WorstSample]:
    """Samples that the network gets wrong, those first of which it is surest.

    Args:
        task: What it is for. A segmentation has no wrong samples, only wrong pixels: nothing.
        truth: ``[N]`` class indices.
        outputs: ``[N, ...]`` real values.
        labels: Class names.

    Returns:
        At most ``WORST``; how sure is told by how far the score of what it says is above that of the truth.
    """
    if task not in ("classification", "binary"):
        return []
    scores = outputs.reshape(len(outputs), -1).astype(np.float64)
    if task == "binary":
        scores = np.hstack([1 - scores, scores])
    said, everyone = decide(task, outputs), np.arange(len(truth))
    margin = scores[everyone, said] - scores[everyone, truth]
    wrong = np.flatnonzero(said != truth)
    order = wrong[np.argsort(-margin[wrong], kind="stable")][:WORST]
    return [
        WorstSample(
            index=int(index),
            truth=labels[truth[index]],
            predicted=labels[said[index]],
            score=float(scores[index, said[index]]),
            truth_score=float(scores[index, truth[index]]),
        )
        for index in order
    ]


def _latency(one: Measured, settings: Settings) -> Entry:
    turns = one.turns
    latencies = turns.latencies
    middle = median_interval(turns)
    p90, p95, p99 = (float(value) for value in np.percentile(latencies, (90, 95, 99)))
    path = one.row.artefact.path
    return Entry(
        device=one.host.name,
        runtime=one.row.runtime,
        runtime_version=one.loaded[-1].runtime_version,
        artefact=path.name,
        sha256=sha256_file(path),
        size_bytes=path.stat().st_size,
        precision=one.row.precision,
        threads=settings.threads,
        init_ms=float(np.median([loaded.init_ms for loaded in one.loaded])),
        first_ms=float(np.median([loaded.first_ms for loaded in one.loaded])),
        mean_ms=float(latencies.mean()),
        std_ms=float(latencies.std()),
        min_ms=float(latencies.min()),
        p50_ms=middle.value,
        p50_low_ms=middle.low,
        p50_high_ms=middle.high,
        p90_ms=p90,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=float(latencies.max()),
        num_warmup=sum(warmed.runs for warmed in one.warmed),
        steady=all(warmed.steady for warmed in one.warmed),
        num_runs=len(latencies),
        blocks=[size for process in turns.sizes for size in process],
        processes=[len(process) for process in turns.sizes],
        latencies_ms=latencies.tolist(),
        outliers=outliers(latencies),
        pinned_core=settings.pin,
        arena_bytes=one.loaded[-1].arena_bytes,
        throughput_per_s=float(len(latencies) / latencies.sum() * 1e3),
        peak_rss_bytes=one.peak_rss_bytes,
        profile=one.profile,
        sustained=one.sustained,
    )
