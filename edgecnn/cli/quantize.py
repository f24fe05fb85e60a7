"""``edgecnn quantize``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli._common import Output, common_options

if TYPE_CHECKING:
    from edgecnn.quantization.improve import Ranges
    from edgecnn.runs import Quantization


@click.command()
@click.argument("target", metavar="RUN|FILE.keras")
@click.option("--calibration", type=click.IntRange(min=1), metavar="N", help="Training samples that set the ranges.")
@click.option(
    "--ranges",
    type=click.Choice(("minmax", "percentile", "mse", "auto")),
    help="How activations get their ranges. Default: the recipe's, or minmax.",
)
@click.option("--repair/--no-repair", default=None, help="Equalize channels and correct biases, where that gains.")
@click.option("--max-drop", type=click.FloatRange(0, 1), help="Accuracy that may be lost. Default: the recipe's.")
@click.option("--data", metavar="SET", help="For a plain file: its data set, or an image folder's path.")
@click.option("--preprocess", metavar="scale=S,offset=O", help="For a plain file: how pixels become its input.")
@click.option("--out", type=click.Path(path_type=Path), help="For a plain file: folder to write to. Default: this one.")
@common_options
def command(
    target: str,
    calibration: int | None,
    ranges: Ranges | None,
    repair: bool | None,
    max_drop: float | None,
    data: str | None,
    preprocess: str | None,
    out: Path | None,
    output: Output,
) -> None:
    """Quantize to full int8: int8 input and output, weights per channel, batch 1.

    The activation ranges come from training samples: what was seen (minmax), that without outliers (percentile), what
    gives the least squared error (mse), or for every layer the one of them with which the network errs least (auto).
    What --ranges and --repair try is judged on training samples that were held back, and kept where it gains.

    Float and int8 are compared on the whole test split; the exit code is 1 when more accuracy is lost than allowed. Of
    a filter, which has no accuracy, the distance of the outputs is told. The file carries its preprocessing contract.

    \b
    Example:
      edgecnn quantize fashion_mnist_cnn
      edgecnn quantize fashion_mnist_cnn --ranges auto --repair
      edgecnn quantize my.keras --data photos.zip --preprocess scale=1/255
    """
    from edgecnn.cli._display import TerminalDisplay
    from edgecnn.cli._judge import judge
    from edgecnn.errors import UsageError
    from edgecnn.runs import INT8_TFLITE, find_run

    display = TerminalDisplay(output)
    path, suffix = Path(target), Path(target).suffix.lower()
    if suffix in (".tflite", ".onnx") and not path.is_dir():
        raise UsageError(f"{target}: quantization starts from the .keras model, not from a {suffix} file.")
    if suffix == ".keras" and not path.is_dir():
        if data is None or preprocess is None:
            raise UsageError(
                f"{target}: for a plain file, say what to calibrate on and how its pixels become inputs: "
                "--data SET (or a folder of images) --preprocess scale=1/255,offset=0"
            )
        from edgecnn.plain_files import quantize_file
        from edgecnn.quantization.improve import Asked

        asked = Asked(ranges or "minmax", bool(repair))
        file, figures = quantize_file(path, data, preprocess, calibration or 512, asked, out or Path(), display)
    else:
        if any(option is not None for option in (data, preprocess, out)):
            raise UsageError("--data, --preprocess and --out are for a plain .keras file; a run has its recipe.")
        from edgecnn.data import open_dataset
        from edgecnn.pipeline import quantize_stage

        run = find_run(target)
        file = run.file(INT8_TFLITE)
        figures = quantize_stage(run, open_dataset(run.info.recipe.data), display, calibration, ranges, repair)
    if max_drop is not None:
        figures = figures.model_copy(update={"max_drop": max_drop})
    output.result({"path": str(file), **figures.model_dump()}, *_lines(file, figures))
    judge(figures, output)


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
    table.add_row("int8", percent(figures.accuracy), interval, *more, size(figures.size_bytes))
    pixels = "the pixels of " if "mean_iou" in figures.metrics else ""
    drop, drop_low, drop_high = (f"{value * 100:+.2f}" for value in (figures.drop, figures.drop_low, figures.drop_high))
    return [
        *_steps(figures),
        table,
        f"drop   {drop} points ({drop_low} to {drop_high} with 95 % confidence)",
        f"same   class on {percent(figures.agreement_with_float)} of {pixels}{figures.samples} samples",
        f"file   {file}",
    ]


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
        *_steps(figures),
        f"int8   {psnr} on {figures.samples} samples, largest error {figures.largest_error_steps:.2f} steps",
        f"size   {size(figures.size_bytes)}, float {size(figures.float_size_bytes)}",
        f"file   {file}",
    ]
