"""A trained run to its quantized files: converted, made better where that was asked for, compared on the test split.

``quantize_stage`` does what it is told; ``climb`` finds out how much has to be done for the accuracy that the recipe
allows to lose (``budget.max_drop``), cheapest means first.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from edgecnn.contract import Contract
from edgecnn.data import DataSet, Samples
from edgecnn.display import Display
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.files import write_bytes, write_text
from edgecnn.keras_quiet import load_keras_model
from edgecnn.quantization.compare import Comparison, FilterComparison, compare, compare_filters
from edgecnn.quantization.convert import Converted, Form, calibration_samples, convert, with_contract
from edgecnn.quantization.improve import Asked, Step, better_numbers
from edgecnn.quantization.qat import qat_run, quantized_from
from edgecnn.recipe import Recipe
from edgecnn.runs import CONTRACT, FLOAT_TFLITE, INT8_TFLITE, KERAS, Quantization, QuantizationStep, Run, Rung
from edgecnn.training.train import train, training_splits


@dataclass(frozen=True)
class How:
    """What ``edgecnn quantize`` was asked for.

    Attributes:
        form: Of the file.
        calibration: Training samples that set the ranges; the recipe's number by default.
        asked: What to do beyond the converter's work.
        qat: Epochs of quantization-aware training; 0 for none.
        resume: Go on with one that was broken off.
    """

    form: Form = field(default_factory=Form)
    calibration: int | None = None
    asked: Asked = field(default_factory=Asked)
    qat: int = 0
    resume: bool = False

    @classmethod
    def of(cls, recipe: Recipe) -> How:
        """As the recipe has it."""
        return cls(asked=Asked(recipe.quantize.ranges, recipe.quantize.repair))


@dataclass(frozen=True)
class _Made:
    """Files without a contract yet.

    Attributes:
        files: The float and the quantized one.
        calibrated: Training samples that set the ranges.
        steps: What was tried.
        qat: Epochs of training with rounding that are in the quantized one.
    """

    files: Converted
    calibrated: int
    steps: tuple[Step, ...] = ()
    qat: int = 0


def quantize_stage(run: Run, dataset: DataSet, display: Display, how: How | None = None) -> Quantization:
    """Convert to a float and a quantized TFLite with the contract inside, and compare both on the whole test split.

    Args:
        run: A trained run.
        dataset: What the recipe's ``[data]`` names.
        display: Told what is being done.
        how: What to do; what the recipe says by default.

    Returns:
        The figures, as they also stand in ``run.json``.

    Raises:
        UsageError: What is asked for does not go together.
        EdgecnnError: The model cannot be made integer throughout. A drop above the budget is no error here.
    """
    how = how or How.of(run.info.recipe)
    _check(run, how)
    return _keep(run, dataset, display, how, _make(run, dataset, display, how))


def _check(run: Run, how: How) -> None:
    if not how.form.integers and (how.qat or not how.asked.nothing):
        raise UsageError(
            f"--scheme {how.form.scheme} computes in float: it has no ranges to choose, to repair or to train. "
            "Leave --ranges, --repair and --qat out, or use int8 or int16x8."
        )
    if how.qat and how.form != Form():
        raise UsageError("--qat trains the int8 file with scales per channel. Leave --scheme, --per-tensor, --io out.")
    run.require(KERAS, f"edgecnn train {run.info.model}")


def _make(run: Run, dataset: DataSet, display: Display, how: How, plain: Converted | None = None) -> _Made:
    """The files, from ``model.keras`` or, where that was done before, from its plain conversion."""
    info = run.info
    seed = info.recipe.train.seed
    # The validation samples chose the best epoch; the ranges come from what was learned from.
    learned = training_splits(dataset, info.recipe).train
    samples = calibration_samples(
        learned,
        how.calibration or info.recipe.quantize.calibration,
        seed,
        one_class=not how.form.integers or info.recipe.model.task == "filter",
    )
    if plain is None:
        calibrated = f", calibrated on {len(samples)} training samples" if how.form.integers else ""
        display.say(f"Quantizing to {how.form.scheme}{calibrated}")
        model = load_keras_model(run.file(KERAS), "quantization")
        plain = convert(model, info.preprocessing.apply(samples.x), how.form)
    begun, steps = better_numbers(plain, learned, samples, seed, info.preprocessing, how.asked, display.say)
    files, qat = _trained(run, dataset, display, how, begun) if how.qat else (begun, 0)
    return _Made(files, len(samples), steps, qat)


def _trained(run: Run, dataset: DataSet, display: Display, how: How, begun: Converted) -> tuple[Converted, int]:
    """What quantization-aware training makes of the files where the validation split finds it no worse, and epochs."""
    qat = qat_run(run, how.qat, files=begun, resume=how.resume)
    display.say(f"Training with the rounding of int8, {how.qat} epochs, in {qat.path}")
    if KERAS not in qat.info.artefacts:
        with display.training() as watcher:
            train(qat, dataset, watcher, how.resume)
    # The float file says what was trained, before any rounding, with its channels scaled as those of the int8 file.
    learned = replace(quantized_from(qat), float_tflite=begun.float_tflite, folded=begun.folded)
    held = training_splits(dataset, run.info.recipe).validation
    before, after = (_judged(run, dataset, files, held).after for files in (begun, learned))
    kept = after.accuracy >= before.accuracy
    display.say(
        f"Training with rounding: {before.accuracy * 100:.2f} to {after.accuracy * 100:.2f} % of {len(held)} "
        f"validation samples, {'kept' if kept else 'not kept'}"
    )
    return (learned, how.qat) if kept else (begun, 0)


def _with_contracts(
    run: Run, dataset: DataSet, files: Converted
) -> tuple[tuple[bytes, bytes], tuple[Contract, Contract]]:
    recipe = run.info.recipe
    labels = () if recipe.model.task == "filter" else dataset.labels    # the classes of the data are not what it gives
    (first, one), (second, two) = (
        with_contract(data, run.info.model, labels, run.info.preprocessing, recipe.data.set, recipe.model.task)
        for data in (files.float_tflite, files.int8_tflite)
    )
    return (first, second), (one, two)


def _keep(
    run: Run, dataset: DataSet, display: Display, how: How, made: _Made, ladder: tuple[Rung, ...] = ()
) -> Quantization:
    """Write the files into the run, compare them on the test split, and record the figures."""
    recipe = run.info.recipe
    blobs, contracts = _with_contracts(run, dataset, made.files)
    paths = run.file(FLOAT_TFLITE), run.file(how.form.file)
    for path, blob in zip(paths, blobs, strict=True):
        write_bytes(path, blob)
    with display.counting(f"float and {how.form.scheme} on the test split", 2 * len(dataset.test)) as advance:
        comparing = compare_filters if recipe.model.task == "filter" else compare
        comparison: Comparison | FilterComparison = comparing(*paths, contracts, dataset.test, advance)
    figures = Quantization(
        **comparison.figures(),
        scheme=how.form.scheme,
        calibration_samples=made.calibrated if how.form.integers else 0,
        size_bytes=paths[1].stat().st_size,
        float_size_bytes=paths[0].stat().st_size,
        max_drop=recipe.budget.max_drop,
        wanted_accuracy=recipe.budget.accuracy,
        steps=[QuantizationStep(**asdict(step)) for step in made.steps],
        qat_epochs=made.qat,
        folded=list(made.files.folded),
        ladder=list(ladder),
    )
    if how.form == Form():
        write_text(run.file(CONTRACT), contracts[1].to_json())
        run.record(FLOAT_TFLITE, INT8_TFLITE, CONTRACT, quantization=figures)
    else:
        run.record(FLOAT_TFLITE, paths[1].name, forms={**run.info.forms, paths[1].name: figures})
    return figures


def climb(
    run: Run, dataset: DataSet, display: Display, how: How, max_drop: float | None = None
) -> tuple[How, Quantization]:
    """The first means that keeps the accuracy: int8, better ranges, repair, quantization-aware training, int16x8.

    Each is judged on the validation split, since the test split must not choose anything.

    Args:
        run: A trained run of a network that decides.
        dataset: What the recipe's ``[data]`` names.
        display: Told what is being done.
        how: ``calibration``, and ``qat``: epochs, should it come to that.
        max_drop: Accuracy that may be lost; what the recipe's budget allows by default.

    Returns:
        How it was done, and the figures on the test split, the ladder among them.

    Raises:
        UsageError: A filter has no accuracy to keep.
    """
    recipe = run.info.recipe
    if recipe.model.task == "filter":
        raise UsageError(f"{run.path}: a filter has no accuracy to keep. Use --ranges auto.")
    _check(run, How())
    allowed = recipe.budget.max_drop if max_drop is None else max_drop
    held = training_splits(dataset, recipe).validation
    ladder: list[Rung] = []
    for rung, tried, made in _rungs(run, dataset, display, how):
        found = _judged(run, dataset, made.files, held)
        enough = found.drop.value <= allowed
        ladder.append(
            Rung(
                name=rung,
                float_accuracy=found.before.accuracy,
                accuracy=found.after.accuracy,
                drop=found.drop.value,
                enough=enough,
            )
        )
        display.say(f"{rung}: {found.drop.value * 100:+.2f} points on {len(held)} validation samples")
        if enough:
            return tried, _keep(run, dataset, display, tried, made, tuple(ladder))
    raise EdgecnnError(_not_enough(ladder, allowed))


def _rungs(run: Run, dataset: DataSet, display: Display, how: How) -> Iterator[tuple[str, How, _Made]]:
    """Each means in words, as what was asked, and what it makes; made when it is asked for."""
    first = replace(how, asked=Asked(), qat=0)
    made = _make(run, dataset, display, first)
    plain = made.files
    yield "int8", first, made
    for name, asked in (("ranges", Asked("auto")), ("repair", Asked("auto", repair=True))):
        tried = replace(first, asked=asked)
        yield name, tried, _make(run, dataset, display, tried, plain)
    tried = replace(first, asked=Asked("auto", repair=True), qat=how.qat)
    yield f"QAT, {how.qat} epochs", tried, _make(run, dataset, display, tried, plain)
    tried = replace(first, form=Form("int16x8"))
    yield "int16x8", tried, _make(run, dataset, display, tried)


def tried(run: Run, dataset: DataSet, display: Display, how: How, samples: Samples) -> Comparison:
    """What would come of it, on given samples; the run's own files stay as they are.

    Args:
        run: A trained run of a network that decides.
        dataset: What the recipe's ``[data]`` names.
        display: Told what is being done.
        how: What to do.
        samples: Raw ones, to compare on.
    """
    _check(run, how)
    return _judged(run, dataset, _make(run, dataset, display, how).files, samples)


def _judged(run: Run, dataset: DataSet, files: Converted, held: Samples) -> Comparison:
    blobs, contracts = _with_contracts(run, dataset, files)
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder) / "float.tflite", Path(folder) / "quantized.tflite"
        for path, blob in zip(paths, blobs, strict=True):
            write_bytes(path, blob)
        return compare(*paths, contracts, held)


def _not_enough(ladder: list[Rung], allowed: float) -> str:
    tried = ", ".join(f"{rung.name} {rung.drop * 100:+.2f}" for rung in ladder)
    return (
        f"nothing keeps the drop on the validation split at {allowed * 100:.2f} points or below (tried: {tried}). "
        "Allow more (budget.max_drop, --max-drop), or train with more epochs of rounding (--auto --qat 20)."
    )
