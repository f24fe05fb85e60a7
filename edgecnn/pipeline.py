"""The main path over a run: train, quantize, export, measure. Each stage reads and completes the run folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgecnn.contract import Contract
from edgecnn.data import DataSet, open_dataset
from edgecnn.data.split import stratified_subset
from edgecnn.errors import EdgecnnError, MissingDependencyError
from edgecnn.files import write_bytes, write_text
from edgecnn.results import Results
from edgecnn.runs import CONTRACT, FLOAT_TFLITE, INT8_ONNX, INT8_TFLITE, KERAS, ONNX, Run
from edgecnn.runtimes import installed
from edgecnn.training.train import Watcher

C_ARRAY = "c_array"
"""Folder of a run that holds the C array."""

CHECKED_SAMPLES = 1000
"""Test samples on which an exported file is compared with its source."""


class Display(Protocol):
    """How a stage tells what it is doing."""

    def say(self, text: str) -> None:
        """A remark."""

    def warn(self, text: str) -> None:
        """Something that the user should know."""

    def training(self) -> AbstractContextManager[Watcher]:
        """Follow a training."""

    def counting(self, description: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Count work done, up to ``total``."""

    def following(self) -> AbstractContextManager[Any]:
        """A ``rich``-like progress for work that describes its own steps."""


def train_stage(run: Run, display: Display, resume: bool = False) -> None:
    """Train, then evaluate the float model on the whole test split."""
    from edgecnn.evaluate import evaluate_predictions
    from edgecnn.training.train import predict_classes, train

    info = run.info
    recipe = info.recipe
    if resume and KERAS in info.artefacts:
        display.say(f"{run.path} is trained to its end already.")
    else:
        display.say(f"Training {info.model} on {recipe.data.set}, at most {recipe.train.epochs} epochs, in {run.path}")
        with display.training() as watcher:
            model = train(run, watcher, resume)
        dataset = open_dataset(recipe.data)
        predicted = predict_classes(model, recipe, dataset.test.x)
        evaluation = evaluate_predictions(dataset.test.y, predicted, dataset.labels)
        run.record(
            evaluation={"float": evaluation.model_dump(mode="json")},
            data={"sha256": dict(dataset.sha256), "test_samples": len(dataset.test)},
        )


def quantize_stage(run: Run, display: Display) -> dict[str, Any]:
    """Convert to float and int8 TFLite with the contract inside, and compare both on the whole test split.

    Returns:
        The figures as they stand in ``run.json`` under ``quantization``.

    Raises:
        EdgecnnError: The model cannot be made int8 throughout. A drop above the budget is no error here.
    """
    from edgecnn.quantize import calibration_samples, compare, convert, load_keras_model, with_contract
    from edgecnn.training.train import training_splits

    info = run.info
    recipe = info.recipe
    source = run.require(KERAS, f"edgecnn train {info.model}")
    dataset = open_dataset(recipe.data)
    # The validation samples chose the best epoch; the ranges come from what was learned from.
    learned = training_splits(dataset, recipe).train
    samples = calibration_samples(learned, recipe.quantize.calibration, recipe.train.seed)
    display.say(f"Quantizing to int8, calibrated on {len(samples)} training samples")
    converted = convert(load_keras_model(source), recipe.preprocess.apply(samples.x))
    contracts = []
    for name, data in ((FLOAT_TFLITE, converted.float_tflite), (INT8_TFLITE, converted.int8_tflite)):
        whole, contract = with_contract(data, info.model, dataset.labels, recipe.preprocess, recipe.data.set)
        write_bytes(run.file(name), whole)
        contracts.append(contract)
    write_text(run.file(CONTRACT), contracts[1].to_json())
    with display.counting("float and int8 on the test split", 2 * len(dataset.test)) as advance:
        comparison = compare(
            run.file(FLOAT_TFLITE), run.file(INT8_TFLITE), (contracts[0], contracts[1]), dataset.test, advance
        )
    figures = comparison_figures(comparison) | {
        "scheme": recipe.quantize.scheme,
        "calibration_samples": len(samples),
        "size_bytes": run.file(INT8_TFLITE).stat().st_size,
        "float_size_bytes": run.file(FLOAT_TFLITE).stat().st_size,
        "max_drop": recipe.budget.max_drop,
        "wanted_accuracy": recipe.budget.accuracy,
    }
    run.record(FLOAT_TFLITE, INT8_TFLITE, CONTRACT, quantization=figures)
    return figures


def comparison_figures(comparison: Any) -> dict[str, Any]:
    """A ``quantize.Comparison`` as flat figures."""
    return {
        "float_accuracy": comparison.float_accuracy.value,
        "float_accuracy_low": comparison.float_accuracy.low,
        "float_accuracy_high": comparison.float_accuracy.high,
        "accuracy": comparison.int8_accuracy.value,
        "accuracy_low": comparison.int8_accuracy.low,
        "accuracy_high": comparison.int8_accuracy.high,
        "drop": comparison.drop.value,
        "drop_low": comparison.drop.low,
        "drop_high": comparison.drop.high,
        "agreement_with_float": comparison.agreement,
        "samples": comparison.samples,
    }


def _checked_inputs(dataset: DataSet, contract: Contract) -> np.ndarray:
    chosen = dataset.test.take(stratified_subset(dataset.test.y, CHECKED_SAMPLES, seed=0))
    return contract.encode(chosen.x)


def onnx_stage(run: Run, display: Display, int8: bool, out: Path | None = None) -> dict[str, Any]:
    """Write ``model.onnx`` or ``model_int8.onnx``, checked against the file that it comes from.

    Args:
        run: A trained run; for int8, a quantized one.
        display: Told what is being done.
        int8: Which of the two.
        out: Folder; the run's own by default.

    Returns:
        Path and figures of the check.
    """
    from edgecnn.artefacts import resolve
    from edgecnn.export.onnx_export import finish, float_onnx, onnx_contract, onnx_from_tflite, write_checked
    from edgecnn.quantize import load_keras_model

    info = run.info
    dataset = open_dataset(info.recipe.data)
    if int8:
        source = run.require(INT8_TFLITE, f"edgecnn quantize {run.path}")
        runtime, proto = "litert", onnx_from_tflite(source)
    else:
        source = run.require(KERAS, f"edgecnn train {info.model}")
        runtime, proto = "keras", float_onnx(load_keras_model(source))
    contract = resolve(str(source)).artefacts[0].contract
    assert contract is not None    # every file of a run has one
    contract = onnx_contract(proto, contract)
    proto = finish(proto, contract, info.model)
    path = (out or run.path) / (INT8_ONNX if int8 else ONNX)
    display.say(f"Checking {path.name} against {source.name} with ONNX Runtime")
    check = write_checked(proto, path, runtime, source, _checked_inputs(dataset, contract))
    figures = {"path": str(path), "size_bytes": path.stat().st_size, **asdict(check)}
    if out is None:
        run.record(path.name, exports={path.name: figures})
    return figures


def c_array_stage(run: Run, name: str | None, out: Path | None) -> dict[str, Any]:
    """Write the C array of the int8 model for TFLite Micro.

    Args:
        run: A quantized run.
        name: C identifier; the model's name by default.
        out: Folder; ``c_array`` in the run by default.

    Returns:
        Files, operators and measured arena.
    """
    info = run.info
    source = run.require(INT8_TFLITE, f"edgecnn quantize {run.path}")
    figures = c_array_figures(source, name or info.model, out or run.file(C_ARRAY))
    if out is None:
        run.record(exports={C_ARRAY: figures})
    return figures


def c_array_figures(source: Path, name: str, out: Path) -> dict[str, Any]:
    """Write the C array of any ``.tflite`` and say what was written."""
    from edgecnn.export.c_array import write_c_array

    written = write_c_array(source, out, name)
    return {
        "files": [str(path) for path in written.files],
        "ops": list(written.ops),
        "arena_bytes": written.arena_bytes,
        "arena_note": written.arena_note,
    }


@dataclass(frozen=True)
class Measuring:
    """How ``edgecnn run`` measures.

    Attributes:
        runtimes: Names; those that are not installed are left out with a remark.
        runs: Counted runs.
        warmup: Runs before them.
        threads: Threads an inference may use.
    """

    runtimes: Sequence[str]
    runs: int
    warmup: int
    threads: int


def run_pipeline(run: Run, display: Display, measuring: Measuring, resume: bool = False) -> Results:
    """Everything, in order. Stages whose packages are missing are left out, saying what would bring them.

    Returns:
        The measurement, which is also in the run as ``results.json``, ``results.md`` and ``report.html``.

    Raises:
        EdgecnnError: A stage failed; what was made before it stays in the run.
    """
    from edgecnn.artefacts import resolve
    from edgecnn.bench.harness import bench
    from edgecnn.report import write_outputs

    train_stage(run, display, resume)
    quantize_stage(run, display)
    display.say("Exporting C array and ONNX")
    c_array_stage(run, None, None)
    try:
        onnx_stage(run, display, int8=False)
        onnx_stage(run, display, int8=True)
    except MissingDependencyError as error:
        display.warn(str(error))
    runtimes = [name for name in measuring.runtimes if installed(name)]
    if missing := [name for name in measuring.runtimes if name not in runtimes]:
        display.warn(f"not installed, so not measured: {', '.join(missing)} (edgecnn doctor says how to get them)")
    if not runtimes:
        raise EdgecnnError("none of the asked runtimes is installed. edgecnn doctor says how to get them.")
    with display.following() as progress:
        results = bench(
            resolve(str(run.path)),
            runtimes,
            section=None,
            runs=measuring.runs,
            warmup=measuring.warmup,
            threads=measuring.threads,
            limit=None,
            progress=progress,
        )
    write_outputs(results, run.path, display.warn)
    return results
