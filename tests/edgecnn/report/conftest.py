"""A results document measured here and now: a softmax regression on scikit-learn's digits, in NumPy, in a second."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable

import numpy as np
import pytest

from edgecnn.files import sha256_bytes
from edgecnn.results import ClassRecord, DataRecord, DeviceRecord, Entry, HistoryRecord, ModelRecord, Results
from edgecnn.statistics import confusion_matrix, per_class, wilson

EPOCHS = 15
Predict = Callable[[np.ndarray], np.ndarray]


def softmax(scores: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def train(x: np.ndarray, y: np.ndarray, held_x: np.ndarray, held_y: np.ndarray) -> tuple[np.ndarray, HistoryRecord]:
    """Weights ``[65, 10]`` by full-batch gradient descent, and what was seen on the way."""
    weights = np.zeros((x.shape[1], 10))
    values: dict[str, list[float]] = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}
    for _ in range(EPOCHS):
        for prefix, inputs, truth in (("", x, y), ("val_", held_x, held_y)):
            chances = softmax(inputs @ weights)
            values[f"{prefix}loss"].append(float(-np.log(chances[np.arange(len(truth)), truth]).mean()))
            values[f"{prefix}accuracy"].append(float((chances.argmax(axis=1) == truth).mean()))
        for _ in range(3):
            weights -= 1.5 * x.T @ (softmax(x @ weights) - np.eye(10)[y]) / len(x)
    best = 1 + int(np.argmin(values["val_loss"]))
    return weights, HistoryRecord(epochs=list(range(1, EPOCHS + 1)), values=values, best_epoch=best)


def measure(
    names: tuple[str, str, str],
    weights: np.ndarray,
    predict: Predict,
    x: np.ndarray,
    y: np.ndarray,
    reference: np.ndarray,
    runs: int,
) -> Entry:
    """One entry: every figure measured with ``predict``, which maps inputs ``[N, 65]`` to classes ``[N]``."""
    runtime, artefact, precision = names
    latencies = []
    for index in range(runs):
        sample = x[index % len(x)][None]
        start = time.perf_counter_ns()
        predict(sample)
        latencies.append((time.perf_counter_ns() - start) / 1e6)
    predicted = predict(x)
    matrix = confusion_matrix(y, predicted, 10)
    accuracy = wilson(int(np.trace(matrix)), len(y))
    records = [ClassRecord(**vars(figures)) for figures in per_class(matrix, tuple("0123456789"))]
    counted = latencies[10:]
    p50, p90, p95, p99 = (float(value) for value in np.percentile(counted, (50, 90, 95, 99)))
    return Entry(
        runtime=runtime,
        runtime_version=np.__version__,
        artefact=artefact,
        sha256=sha256_bytes(weights.tobytes()),
        size_bytes=weights.nbytes,
        precision=precision,    # type: ignore[arg-type]
        threads=1,
        init_ms=latencies[0],
        first_ms=latencies[0],
        mean_ms=float(np.mean(counted)),
        std_ms=float(np.std(counted)),
        min_ms=min(counted),
        p50_ms=p50,
        p90_ms=p90,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=max(counted),
        num_warmup=10,
        num_runs=len(counted),
        latencies_ms=counted,
        throughput_per_s=1000 * len(counted) / sum(counted),
        peak_rss_bytes=61_400_000,
        samples=len(y),
        accuracy=accuracy.value,
        accuracy_low=accuracy.low,
        accuracy_high=accuracy.high,
        agreement_with_float=float((predicted == reference).mean()),
        confusion_matrix=matrix.tolist(),
        macro_f1=float(np.mean([record.f1 for record in records if record.f1 is not None])),
        per_class=records,
    )


@pytest.fixture(scope="session")
def digits_results() -> Results:
    """Six entries, ten classes, fifteen epochs.

    The entries carry the names of the runtimes and files that a run has, so that widths are those of life; what was
    measured under them is NumPy.
    """
    datasets = pytest.importorskip("sklearn.datasets")
    images, classes = datasets.load_digits(return_X_y=True)
    x, y = np.hstack([images / 16, np.ones((len(images), 1))]), classes.astype(np.int64)
    order = np.random.default_rng(1).permutation(len(x))
    fit, held, test = order[:1200], order[1200:1400], order[1400:]
    weights, history = train(x[fit], y[fit], x[held], y[held])
    scale = np.abs(weights).max() / 7    # coarse on purpose: the drop from float must be something
    coarse = np.rint(weights / scale).astype(np.int8)

    def exact(inputs: np.ndarray) -> np.ndarray:
        return (inputs @ weights).argmax(axis=1)

    def single(inputs: np.ndarray) -> np.ndarray:
        return softmax(inputs.astype(np.float32) @ weights.astype(np.float32)).argmax(axis=1)

    def rounded(inputs: np.ndarray) -> np.ndarray:
        return (np.rint(inputs * 16).astype(np.int32) @ coarse.astype(np.int32)).argmax(axis=1)

    def looped(inputs: np.ndarray) -> np.ndarray:
        whole = np.rint(inputs * 16).astype(np.int32)
        scores = [[int((row * coarse[:, column]).sum()) for column in range(10)] for row in whole]
        return np.array(scores).argmax(axis=1)

    narrow, reference = weights.astype(np.float32), exact(x[test])
    plan: list[tuple[tuple[str, str, str], np.ndarray, Predict, int]] = [
        (("keras", "model.keras", "float32"), weights, exact, 60),
        (("litert", "model_float.tflite", "float32"), narrow, single, 260),
        (("litert", "model_int8.tflite", "int8"), coarse, rounded, 260),
        (("litert-ref", "model_int8.tflite", "int8"), coarse, looped, 110),
        (("onnxruntime", "model.onnx", "float32"), narrow, single, 260),
        (("onnxruntime", "model_int8.onnx", "int8"), coarse, rounded, 260),
    ]
    return Results(
        created="2026-01-31T12:00:00+00:00",
        model=ModelRecord(name="digits_softmax", parameters=weights.size, macs=weights.size),
        data=DataRecord(
            set="digits",
            samples=len(test),
            labels=list("0123456789"),
            sha256={"digits.csv.gz": sha256_bytes(images.tobytes())},
            source="scikit-learn, sklearn.datasets.load_digits",
        ),
        device=DeviceRecord(
            cpu="Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz",
            cores=os.cpu_count() or 1,
            architecture=platform.machine(),
            memory_bytes=8_340_000_000,
            system="Debian GNU/Linux 12 (bookworm)",
            python=platform.python_version(),
            governor=None,
            load_before=0.21,
            load_after=0.84,
            temperature_before_c=None,
            packages={"numpy": np.__version__},
        ),
        entries=[
            measure(names, data, predict, x[test], y[test], reference, runs) for names, data, predict, runs in plan
        ],
        history=history,
        notes=["The test split was shuffled before it was cut.", "litert-ref computes in Python loops here."],
    )
