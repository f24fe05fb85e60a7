"""A results document measured here and now: a softmax regression on scikit-learn's digits, in NumPy, in a second."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable

import numpy as np
import pytest

from edgecnn.files import sha256_bytes
from edgecnn.results import (
    BoardEntry,
    BoardLayer,
    ClassRecord,
    DataRecord,
    DeviceRecord,
    Entry,
    HistoryRecord,
    LayerNoise,
    LayerTime,
    ModelRecord,
    QuantizationRecord,
    Results,
    Sustained,
    WorstSample,
)
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
    p50, p90, p95, p99, lower, upper = (float(value) for value in np.percentile(counted, (50, 90, 95, 99, 25, 75)))
    turns = np.array_split(np.array(counted), 5)
    generator = np.random.default_rng(0)
    drawn = [np.median(np.concatenate([turns[one] for one in generator.integers(0, 5, 5)])) for _ in range(200)]
    low, high = (float(value) for value in np.percentile(drawn, (2.5, 97.5)))
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
        p50_low_ms=min(low, p50),
        p50_high_ms=max(high, p50),
        p90_ms=p90,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=max(counted),
        num_warmup=10,
        steady=True,
        blocks=[len(turn) for turn in turns],
        processes=[2, 3],
        outliers=sum(latency > upper + 1.5 * (upper - lower) for latency in counted),
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


PI = "pi@raspberrypi.local:22"
# Of fashion_mnist_cnn with -O2, as edgecnn bench counts them: layer, operator, MACs, instructions on each board.
COUNTED = (
    ("conv_2d_1", "CONV_2D", 48_672, 415_571.0, 571_979.0),
    ("conv_2d_2", "CONV_2D", 663_552, 1_861_536.0, 2_571_958.0),
    ("conv_2d_3", "CONV_2D", 294_912, 800_428.0, 1_105_993.0),
    ("fully_connected_1", "FULLY_CONNECTED", 262_144, 703_762.0, 970_341.0),
    ("fully_connected_2", "FULLY_CONNECTED", 5_120, 17_306.0, 23_535.0),
    ("softmax_1", "SOFTMAX", 0, 608.0, 626.0),
)
BOARDS = (("cortex-m4", "Arm Cortex-M4F", 3_801_347.0, 344), ("riscv32", "RISC-V RV32IMAC", 5_246_517.0, 336))


def boards() -> list[BoardEntry]:
    """Two boards, the first of them judged."""
    quality = {"samples": 200, "accuracy": 0.905, "accuracy_low": 0.8563, "accuracy_high": 0.9384}
    return [
        BoardEntry(
            target=target, description=description, artefact="model_int8.tflite", sha256="b" * 64, precision="int8",
            compiler="gcc 12.2.1", optimization="-O2", emulator="QEMU 7.2.19", runs=3, instructions=instructions,
            instructions_per_mac=instructions / 1_274_400,
            layers=[
                BoardLayer(name=layer[0], op=layer[1], macs=layer[2], instructions=layer[3 + place])
                for layer in COUNTED
            ],
            arena_bytes=2_912, stack_bytes=stack, code_bytes=2_708, weights_bytes=366_714,
            **({} if place else quality), agreement_with_float=None if place else 0.995,
        )
        for place, (target, description, instructions, stack) in enumerate(BOARDS)
    ]  # fmt: skip


def profile() -> list[LayerTime]:
    """A product and a softmax of the size of the entries, timed."""
    x, weights = np.random.default_rng(0).random((1, 65)), np.random.default_rng(1).random((65, 10))
    steps: list[tuple[str, str, Callable[[], object]]] = [
        ("dense/MatMul", "FULLY_CONNECTED", lambda: x @ weights),
        ("softmax", "SOFTMAX", lambda: softmax(x @ weights)),
    ]
    medians = []
    for _, _, step in steps:
        spent = []
        for _ in range(50):
            start = time.perf_counter_ns()
            step()
            spent.append((time.perf_counter_ns() - start) / 1e6)
        medians.append(float(np.median(spent)))
    return [
        LayerTime(name=name, op=op, ms=ms, share=ms / sum(medians))
        for (name, op, _), ms in zip(steps, medians, strict=True)
    ]


def sustained(entry: Entry) -> Sustained:
    """The entry's runs as windows of fifty, on a machine that gets warm and slow."""
    windows = [entry.latencies_ms[start : start + 50] for start in range(0, len(entry.latencies_ms), 50)]
    spent = np.cumsum([sum(window) / 1e3 for window in windows])
    return Sustained(
        seconds=spent.tolist(),
        runs=[len(window) for window in windows],
        p50_ms=[float(np.median(window)) for window in windows],
        p95_ms=[float(np.percentile(window, 95)) for window in windows],
        temperature_c=[None, *(48.5 + 4.25 * index for index in range(len(windows) - 1))],
        frequency_mhz=[1500.0] * (len(windows) - 1) + [600.0],
    )


@pytest.fixture(scope="session")
def full_results(digits_results: Results) -> Results:
    """The same with everything that a document can hold: another machine, boards, profiles, mistakes, quantization."""
    entries = list(digits_results.entries)
    entries[2] = entries[2].model_copy(update={"profile": profile(), "arena_bytes": 15_984})
    far = {"device": PI, "steady": False, "pinned_core": 3, "sustained": sustained(entries[2])}
    noise = LayerNoise(name="dense (FULLY_CONNECTED)", op="FULLY_CONNECTED", sqnr_db=21.75, own_db=38.5, clipped=0.0123)
    return digits_results.model_copy(
        update={
            "entries": [*entries, entries[2].model_copy(update=far)],
            "devices": {
                PI: DeviceRecord(
                    cpu="Raspberry Pi 4 Model B Rev 1.4", cores=4, architecture="aarch64", memory_bytes=3_900_000_000,
                    system="Debian GNU/Linux 12 (bookworm)", python="3.11.2", governor="ondemand", load_before=0.1,
                    load_after=0.9, temperature_before_c=45.25, temperature_after_c=69.5, frequency_before_mhz=1500.0,
                    frequency_after_mhz=600.0, throttled_before=[], throttled_after=["under-voltage"],
                    packages={"ai-edge-litert": "2.1.7"},
                )
            },
            "boards": boards(),
            "worst": [
                WorstSample(index=7, truth="3", predicted="9", score=0.9876, truth_score=0.0123),
                WorstSample(index=11, truth="1", predicted="<8>", score=17.25, truth_score=-4.5),
            ],
            "quantization": QuantizationRecord(
                quantized_file="model_int8.tflite", samples=64, output_sqnr_db=19.5, drop=0.006, layers=[noise],
                advice="Nothing has to be mended.",
            ),
        }
    )  # fmt: skip
