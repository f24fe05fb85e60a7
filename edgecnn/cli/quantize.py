"""``edgecnn quantize``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli._common import Output, common_options

if TYPE_CHECKING:
    from edgecnn.quantization.convert import Scheme
    from edgecnn.quantization.improve import Ranges
    from edgecnn.runs import Quantization


@click.command()
@click.argument("target", metavar="RUN|FILE.keras|FLOAT.tflite")
@click.argument("second", required=False, metavar="[INT8.tflite]")
@click.option(
    "--scheme",
    type=click.Choice(("int8", "int16x8", "dynamic", "float16")),
    default="int8",
    show_default=True,
    help="int16x8: 16-bit activations. dynamic, float16: weights alone.",
)
@click.option("--per-tensor", is_flag=True, help="One scale for all channels of a layer's weights, to compare.")
@click.option(
    "--io",
    type=click.Choice(("integer", "float")),
    default="integer",
    show_default=True,
    help="Type of input and output.",
)
@click.option("--calibration", type=click.IntRange(min=1), metavar="N", help="Training samples that set the ranges.")
@click.option(
    "--ranges",
    type=click.Choice(("minmax", "percentile", "mse", "auto")),
    help="How activations get their ranges. Default: the recipe's, or minmax.",
)
@click.option("--repair/--no-repair", default=None, help="Equalize channels and correct biases, where that gains.")
@click.option("--qat", type=click.IntRange(min=1), metavar="EPOCHS", help="Train on with the rounding simulated.")
@click.option("--resume", is_flag=True, help="With --qat: go on where it was broken off.")
@click.option("--auto", is_flag=True, help="As little as keeps the drop within --max-drop; see below.")
@click.option("--analyze", is_flag=True, help="Say where a quantized network loses, layer by layer.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="With --analyze: use N test samples only.")
@click.option("--max-drop", type=click.FloatRange(0, 1), help="Accuracy that may be lost. Default: the recipe's.")
@click.option("--data", metavar="SET", help="For a plain file: its data set, or an image folder's path.")
@click.option("--preprocess", metavar="scale=S,offset=O", help="For a plain file: how pixels become its input.")
@click.option("--out", type=click.Path(path_type=Path), help="For a plain file: folder to write to. Default: this one.")
@common_options
def command(
    target: str,
    second: str | None,
    scheme: Scheme,
    per_tensor: bool,
    io: str,
    calibration: int | None,
    ranges: Ranges | None,
    repair: bool | None,
    qat: int | None,
    resume: bool,
    auto: bool,
    analyze: bool,
    limit: int | None,
    max_drop: float | None,
    data: str | None,
    preprocess: str | None,
    out: Path | None,
    output: Output,
) -> None:
    """Quantize to full int8: int8 input and output, weights per channel, batch 1.

    The activation ranges come from training samples: what was seen (minmax), that without outliers (percentile), what
    gives the least squared error (mse), or for every layer the one of these, or of a harder trimming, with which the
    network errs least (auto).
    What --ranges and --repair try is judged on training samples that were held back, and kept where it gains.

    --qat trains the network on with the rounding of int8 simulated (quantization-aware training): it learns to give
    what the float network gives, and is kept where the validation split finds it no worse. --auto takes the cheapest of
    int8, --ranges auto, --repair, --qat and --scheme int16x8 that keeps the accuracy on the validation split.

    Float and int8 are compared on the whole test split; the exit code is 1 when more accuracy is lost than allowed. Of
    a filter, which has no accuracy, the distance of the outputs is told. The file carries its preprocessing contract.
    Other schemes are written beside the int8 file, such as model_int16x8.tflite.

    --analyze compares the float and the int8 file of a run, or any two .tflite files of one network, on the test split:
    signal to noise, clipping and sensitivity of every layer, the samples whose class flipped, and what would help.

    \b
    Example:
      edgecnn quantize fashion_mnist_cnn
      edgecnn quantize fashion_mnist_cnn --ranges auto --repair
      edgecnn quantize fashion_mnist_cnn --auto --max-drop 0.001
      edgecnn quantize my.keras --data photos.zip --preprocess scale=1/255
      edgecnn quantize float.tflite int8.tflite --analyze --data photos.zip
    """
    from edgecnn.cli._display import TerminalDisplay
    from edgecnn.cli._judge import judge
    from edgecnn.errors import UsageError
    from edgecnn.quantization.convert import Form
    from edgecnn.quantization.improve import Asked

    display = TerminalDisplay(output)
    path, suffix = Path(target), Path(target).suffix.lower()
    if analyze:
        _analyze(target, second, data, preprocess, limit, out, output)
        return
    if second is not None or limit is not None:
        raise UsageError("two files, and --limit, are for --analyze.")
    form = Form(scheme, per_tensor, io == "float")
    if auto and (form != Form() or ranges is not None or repair is not None):
        raise UsageError("--auto chooses by itself: leave --scheme, --per-tensor, --io, --ranges and --repair out.")
    if resume and not qat:
        raise UsageError("--resume goes on with a quantization-aware training: give its --qat EPOCHS too.")
    if suffix in (".tflite", ".onnx") and not path.is_dir():
        raise UsageError(
            f"{target}: quantization starts from the .keras model, not from a {suffix} file"
            f"{', and so does --qat' if qat else ''}."
        )
    if suffix == ".keras" and not path.is_dir():
        if data is None or preprocess is None:
            raise UsageError(
                f"{target}: for a plain file, say what to calibrate on and how its pixels become inputs: "
                "--data SET (or a folder of images) --preprocess scale=1/255,offset=0"
            )
        if qat or auto or form != Form():
            raise UsageError(
                f"{target}: --qat, --auto, --scheme, --per-tensor and --io are for a run, whose recipe says how its "
                "network learns. Of a plain file, --ranges and --repair can be had."
            )
        from edgecnn.plain_files import quantize_file

        asked = Asked(ranges or "minmax", bool(repair))
        file, figures = quantize_file(path, data, preprocess, calibration or 512, asked, out or Path(), display)
    else:
        if any(option is not None for option in (data, preprocess, out)):
            raise UsageError("--data, --preprocess and --out are for a plain .keras file; a run has its recipe.")
        from edgecnn.data import open_dataset
        from edgecnn.quantize_run import How, climb, quantize_stage
        from edgecnn.runs import find_run

        run = find_run(target)
        recipe = run.info.recipe
        dataset = open_dataset(recipe.data)
        if auto:
            how = How(calibration=calibration, qat=qat or max(1, recipe.train.epochs // 5), resume=resume)
            how, figures = climb(run, dataset, display, how, max_drop)
        else:
            own = Asked(ranges or recipe.quantize.ranges, recipe.quantize.repair if repair is None else repair)
            if not form.integers and ranges is None and repair is None:
                own = Asked()
            how = How(form, calibration, own, qat or 0, resume)
            figures = quantize_stage(run, dataset, display, how)
        file = run.file(how.form.file)
    if max_drop is not None:
        figures = figures.model_copy(update={"max_drop": max_drop})
    output.result({"path": str(file), **figures.model_dump()}, *_lines(file, figures))
    judge(figures, output)


def _analyze(
    target: str,
    second: str | None,
    data: str | None,
    preprocess: str | None,
    limit: int | None,
    out: Path | None,
    output: Output,
) -> None:
    """The files of a run, or two of any origin."""
    from edgecnn.cli._analyze import Analyzed, analyze
    from edgecnn.errors import UsageError
    from edgecnn.runs import FLOAT_TFLITE, INT8_TFLITE, find_run

    if second is not None:
        analyze(Analyzed(Path(target), Path(second), data, preprocess, limit, out or Path()), output)
        return
    if Path(target).suffix.lower() == ".tflite":
        raise UsageError(f"{target}: --analyze takes a run, or the float and the int8 .tflite of one network.")
    run = find_run(target)
    first, other = (run.require(name, f"edgecnn quantize {run.path}") for name in (FLOAT_TFLITE, INT8_TFLITE))
    analyze(Analyzed(first, other, data, preprocess, limit, out or run.path), output)


def _lines(file: Path, figures: Quantization) -> list[Any]:
    from rich.table import Table

    from edgecnn.formats import percent, size
    from edgecnn.report.metrics import known

    if figures.drop is None or figures.drop_low is None or figures.drop_high is None:
        return _filter_lines(file, figures)
    table = Table(box=None, pad_edge=False)
    metrics = known([figures.metrics])
    beside = [metric.title for metric in metrics]
    for heading in ("", "accuracy", "95 % interval", *beside, "size"):
        table.add_column(heading, justify="right" if heading else "left")
    interval = f"{percent(figures.float_accuracy_low)} to {percent(figures.float_accuracy_high)}"
    more = [metric.text(metric.of(figures.float_metrics)) for metric in metrics]
    table.add_row("float", percent(figures.float_accuracy), interval, *more, size(figures.float_size_bytes))
    interval = f"{percent(figures.accuracy_low)} to {percent(figures.accuracy_high)}"
    more = [metric.text(metric.of(figures.metrics)) for metric in metrics]
    table.add_row(figures.scheme, percent(figures.accuracy), interval, *more, size(figures.size_bytes))
    pixels = "the pixels of " if "mean_iou" in figures.metrics else ""
    drop, drop_low, drop_high = (f"{value * 100:+.2f}" for value in (figures.drop, figures.drop_low, figures.drop_high))
    return [
        *_folded(figures),
        *_ladder(figures),
        *_steps(figures),
        table,
        f"drop   {drop} points ({drop_low} to {drop_high} with 95 % confidence)",
        f"same   class on {percent(figures.agreement_with_float)} of {pixels}{figures.samples} samples",
        f"file   {file}",
    ]


def _folded(figures: Quantization) -> list[Any]:
    """Batch norms that the file has no longer."""
    return [f"Folded batch norms: {'; '.join(figures.folded)}", ""] if figures.folded else []


def _ladder(figures: Quantization) -> list[Any]:
    """What --auto tried, on the validation split."""
    from rich.table import Table

    from edgecnn.formats import percent

    if not figures.ladder:
        return []
    table = Table(box=None, pad_edge=False)
    for heading in ("on the validation split", "float", "quantized", "drop"):
        table.add_column(heading, justify="left" if heading.startswith("on") else "right")
    for rung in figures.ladder:
        drop = f"{round(rung.drop * 100, 2) + 0.0:+.2f}"
        table.add_row(rung.name, percent(rung.float_accuracy), percent(rung.accuracy), drop)
    return [table, ""]


def _steps(figures: Quantization) -> list[Any]:
    """What was tried beyond the converter's work, and what it gained on held-back training samples."""
    from rich.table import Table

    if not figures.steps:
        return []
    table = Table(box=None, pad_edge=False)
    for heading, justify in (("tried", "left"), ("SQNR", "right"), ("", "left"), ("", "left")):
        table.add_column(heading, justify=justify, no_wrap=heading != "")    # type: ignore[arg-type]
    for step in figures.steps:
        table.add_row(step.name, f"{step.sqnr_db:.1f} dB", "" if step.kept else "no gain", step.what)
    return [table, ""]


def _filter_lines(file: Path, figures: Quantization) -> list[Any]:
    """How far int8 is from float, for a network that has no accuracy."""
    from edgecnn.formats import size

    psnr = "the same outputs" if figures.psnr_db is None else f"{figures.psnr_db:.1f} dB PSNR against float"
    return [
        *_folded(figures),
        *_steps(figures),
        f"{figures.scheme:6} {psnr} on {figures.samples} samples, "
        f"largest error {figures.largest_error_steps:.2f} steps",
        f"size   {size(figures.size_bytes)}, float {size(figures.float_size_bytes)}",
        f"file   {file}",
    ]
