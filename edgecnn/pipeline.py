"""The main path over a run: train, quantize, export, measure. Each stage reads and completes the run folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from edgecnn.data import DataSet
from edgecnn.data.split import stratified_subset
from edgecnn.display import Display
from edgecnn.errors import EdgecnnError, MissingDependencyError
from edgecnn.results import Results
from edgecnn.runs import (
    INT8_ONNX,
    INT8_TFLITE,
    KERAS,
    ONNX,
    CArray,
    CSource,
    OnnxExport,
    Quantization,
    Run,
    RunInfo,
    installed_versions,
)
from edgecnn.training.distributed import Cluster
from firmware_export.choice import Goal

C_ARRAY = "c_array"
"""Folder of a run that holds the C array."""

FIRMWARE = "firmware"
"""Folder of a run that holds the compiled model as C source."""

CHECKED_SAMPLES = 1000
"""Test samples on which an exported file is compared with its source."""


def train_stage(
    run: Run, dataset: DataSet, display: Display, resume: bool = False, cluster: Cluster | None = None
) -> None:
    """Train unless that is done, then evaluate the float model on the whole test split unless that is done.

    A filter is built instead, and there is nothing to evaluate.

    Args:
        run: New, or begun earlier.
        dataset: What the recipe's ``[data]`` names.
        display: Told what is being done.
        resume: The run was begun earlier.
        cluster: The processes that share the training, of which this one is the chief.
    """
    from edgecnn.evaluate import evaluate_outputs
    from edgecnn.keras_quiet import load_keras_model
    from edgecnn.training.fixed import build_fixed
    from edgecnn.training.train import predict_outputs, train

    info = run.info
    recipe = info.recipe
    if KERAS in info.artefacts:
        display.say(f"{run.path} is trained to its end already.")
    elif recipe.model.task == "filter":
        display.say(f"Building {info.model} for {recipe.data.set} in {run.path}: its weights are fixed, not trained")
        build_fixed(run, dataset)
    else:
        if resume:
            _warn_of_other_versions(info.versions, display)
        display.say(f"Training {info.model} on {recipe.data.set}, at most {recipe.train.epochs} epochs, in {run.path}")
        if cluster is not None:
            display.say(f"{len(cluster.workers)} workers share it; it begins when all of them are there")
        with display.training() as watcher:
            train(run, dataset, watcher, resume, cluster)
    info = run.info
    if info.evaluation is None and info.data is not None and recipe.model.task != "filter":
        outputs = predict_outputs(load_keras_model(run.file(KERAS), "evaluation"), info.preprocessing, dataset.test.x)
        found = evaluate_outputs(recipe.model.task, dataset.test.y, outputs, dataset.labels)
        data = info.data.model_copy(update={"sha256": dict(dataset.sha256), "test_samples": len(dataset.test)})
        run.record(evaluation=found, data=data)


def _warn_of_other_versions(before: dict[str, str], display: Display) -> None:
    """The same weights as an unbroken run need the same arithmetic."""
    now = installed_versions()
    changed = [
        f"{name} {before[name]} is now {now[name]}"
        for name in ("tensorflow", "tensorflow-cpu", "keras", "numpy")
        if name in before and name in now and before[name] != now[name]
    ]
    if changed:
        display.warn(f"the weights may differ from those of an unbroken run: {', '.join(changed)}.")


def onnx_stage(
    run: Run, dataset: DataSet, display: Display, int8: bool, out: Path | None = None, name: str | None = None
) -> tuple[Path, OnnxExport]:
    """Write ``model.onnx`` or ``model_int8.onnx``, checked against the file that it comes from.

    Args:
        run: A trained run; for int8, a quantized one.
        dataset: What the recipe's ``[data]`` names; up to ``CHECKED_SAMPLES`` test samples are the check.
        display: Told what is being done.
        int8: Which of the two.
        out: Folder; the run's own by default.
        name: Stem of the file, for an export out of the run.

    Returns:
        The file, and how it compares.
    """
    from edgecnn.artefacts import resolve
    from edgecnn.export.onnx_export import finish, float_onnx, onnx_contract, onnx_from_tflite, write_checked
    from edgecnn.keras_quiet import load_keras_model

    info = run.info
    if int8:
        source = run.require(INT8_TFLITE, f"edgecnn quantize {run.path}")
        runtime, proto = "litert", onnx_from_tflite(source)
    else:
        source = run.require(KERAS, f"edgecnn train {info.model}")
        runtime, proto = "keras", float_onnx(load_keras_model(source, "ONNX export"))
    contract = resolve(str(source)).artefacts[0].contract
    assert contract is not None    # every file of a run has one
    contract = onnx_contract(proto, contract)
    proto = finish(proto, contract, info.model)
    usual = INT8_ONNX if int8 else ONNX
    path = (out or run.path) / (f"{name}{'_int8' if int8 else ''}.onnx" if name else usual)
    display.say(f"Checking {path.name} against {source.name} with ONNX Runtime")
    chosen = dataset.test.take(stratified_subset(dataset.test.strata, CHECKED_SAMPLES, seed=0))
    check = write_checked(
        proto, path, runtime, source, contract.encode(chosen.x), quantized=int8, contract=contract
    )
    figures = OnnxExport(size_bytes=path.stat().st_size, **asdict(check))
    if path == run.file(usual):
        run.record(usual, **{"onnx_int8" if int8 else "onnx": figures})
    return path, figures


def c_array_stage(run: Run, name: str | None = None, out: Path | None = None) -> tuple[Path, CArray]:
    """Write the C array of the int8 model for TFLite Micro.

    Args:
        run: A quantized run.
        name: C identifier; the model's name by default.
        out: Folder; ``c_array`` in the run by default.

    Returns:
        The folder, and what is in it.
    """
    info = run.info
    source = run.require(INT8_TFLITE, f"edgecnn quantize {run.path}")
    folder = out or run.file(C_ARRAY)
    figures = c_array(source, name or info.model, folder)
    if folder == run.file(C_ARRAY):
        run.record(*(f"{C_ARRAY}/{file}" for file in figures.files), c_array=figures)
    return folder, figures


def c_array(source: Path, name: str, folder: Path) -> CArray:
    """Write the C array of any ``.tflite`` and say what was written."""
    from edgecnn.export.c_array import write_c_array

    written = write_c_array(source, folder, name)
    return CArray(
        files=[path.name for path in written.files],
        ops=list(written.ops),
        arena_bytes=written.arena_bytes,
        arena_note=written.arena_note,
    )


def c_source_stage(
    run: Run,
    name: str | None = None,
    out: Path | None = None,
    single_header: bool = False,
    target: str | None = None,
    goal: Goal | None = None,
) -> tuple[Path, CSource]:
    """Compile the int8 model to C source.

    Args:
        run: A quantized run.
        name: C identifier; the model's name by default.
        out: Folder; ``firmware`` in the run by default, where the files of an earlier export go.
        single_header: One file instead of several.
        target: Measure code and stack for this target.
        goal: What layers' forms are chosen for.

    Returns:
        The folder, and what is in it.
    """
    info = run.info
    source = run.require(INT8_TFLITE, f"edgecnn quantize {run.path}")
    folder = out or run.file(FIRMWARE)
    figures = c_source(source, name or info.model, folder, single_header, target, goal)
    if folder == run.file(FIRMWARE):
        recorded = info.c_source.files if info.c_source is not None else []
        earlier = [file for file in recorded if Path(file).name == file]    # in that folder, whatever run.json says
        run.record(*(f"{FIRMWARE}/{file}" for file in figures.files), c_source=figures)
        run.forget(*(f"{FIRMWARE}/{file}" for file in earlier if file not in figures.files))
    return folder, figures


def c_source(
    source: Path,
    name: str,
    folder: Path,
    single_header: bool = False,
    target: str | None = None,
    goal: Goal | None = None,
) -> CSource:
    """Write any int8 ``.tflite`` as C source and say what was written."""
    from edgecnn.export.c_source import c_source, write_c_source

    compiled = c_source(source, name, single_header, target, goal)
    written = write_c_source(compiled, folder)
    return CSource(
        files=[path.name for path in written],
        memory=compiled.memory,
        choice=compiled.choice,
        sizes=compiled.sizes,
        sizes_note=compiled.sizes_note,
    )


@dataclass(frozen=True)
class Measuring:
    """How ``edgecnn run`` measures.

    Attributes:
        runtimes: Names, all of them installed.
        runs: Counted runs.
        warmup: Runs before them.
        threads: Threads an inference may use.
    """

    runtimes: Sequence[str]
    runs: int
    warmup: int
    threads: int


@dataclass(frozen=True)
class Outcome:
    """What ``edgecnn run`` came to.

    Attributes:
        results: The measurement.
        problems: Exports that could not be made, a sentence each; they are in the results' notes too.
    """

    results: Results
    problems: tuple[str, ...]


def run_pipeline(
    run: Run, dataset: DataSet, display: Display, measuring: Measuring, resume: bool = False
) -> Outcome:
    """Everything, in order. An export that fails costs that export and is reported at the end.

    Args:
        run: New, or begun earlier.
        dataset: What the recipe's ``[data]`` names.
        display: Told what is being done.
        measuring: How to measure.
        resume: The run was begun earlier.

    Returns:
        The measurement, which is also in the run as ``results.json``, ``results.md`` and ``report.html``.

    Raises:
        EdgecnnError: Training, quantization or the measurement failed; what was made before stays in the run.
    """
    from edgecnn.artefacts import resolve
    from edgecnn.bench.harness import bench
    from edgecnn.bench.interleave import Settings
    from edgecnn.quantize_run import quantize_stage
    from edgecnn.report import write_outputs

    train_stage(run, dataset, display, resume)
    quantized = quantize_stage(run, dataset, display)
    display.say("Exporting C source, C array and ONNX")
    problems = []
    exports: tuple[tuple[str, Callable[[], object]], ...] = (
        ("C source", lambda: c_source_stage(run)),
        ("C array", lambda: c_array_stage(run)),
        ("ONNX", lambda: onnx_stage(run, dataset, display, int8=False)),
        ("int8 ONNX", lambda: onnx_stage(run, dataset, display, int8=True)),
    )
    for title, export in exports:
        try:
            export()
        except MissingDependencyError as error:
            display.warn(f"no {title}: {error}")
        except EdgecnnError as error:
            problems.append(f"no {title}: {error}")
            display.warn(problems[-1])
    pictures: dict[int, np.ndarray] = {}
    with display.following() as progress:
        results = bench(
            resolve(str(run.path)),
            measuring.runtimes,
            section=None,
            settings=Settings(runs=measuring.runs, warmup=measuring.warmup, threads=measuring.threads),
            progress=progress,
            pictures=pictures,
        )
    results = results.model_copy(update={"notes": [*problems, *_filter_notes(quantized), *results.notes]})
    written = write_outputs(results, run.path, display.warn, pictures)
    run.record(*(path.name for path in written))
    return Outcome(results, tuple(problems))


def _filter_notes(figures: Quantization) -> list[str]:
    """How far int8 is from float, for a network that has no accuracy to tell it by."""
    if figures.largest_error_steps is None:
        return []
    psnr = "" if figures.psnr_db is None else f"{figures.psnr_db:.1f} dB PSNR, "
    return [
        f"int8 against float outputs on {figures.samples} test samples: {psnr}"
        f"largest error {figures.largest_error_steps:.2f} steps of the int8 output."
    ]


def over_budget(run: Run) -> list[str]:
    """Where the run's files ask for more than the recipe's ``[budget]`` allows, a sentence each.

    Judged are the compiled model's weights against ``flash`` and its arena against ``ram``; where it was not compiled,
    the int8 file, and TFLite Micro's arena if it could be measured. Code, stack and the caller's buffers come on top.
    """
    info = run.info
    flash, ram = _demands(info)
    found = []
    for name, allowed, asked in (("flash", info.recipe.budget.flash, flash), ("ram", info.recipe.budget.ram, ram)):
        if allowed is not None and asked is not None and asked[1] > allowed:
            found.append(f"{asked[0]} {asked[1]} bytes, budget.{name} is {allowed}.")
    return found


def _demands(info: RunInfo) -> tuple[tuple[str, int] | None, tuple[str, int] | None]:
    """What takes flash and what takes RAM, in words and bytes."""
    if info.c_source is not None:
        memory = info.c_source.memory
        return ("The compiled model's weights have", memory.weight_bytes), ("Its arena takes", memory.arena_bytes)
    flash = None if info.quantization is None else (f"{INT8_TFLITE} has", info.quantization.size_bytes)
    arena = None if info.c_array is None else info.c_array.arena_bytes
    return flash, None if arena is None else ("TFLite Micro's arena takes", arena)
