"""``edgecnn quantize``"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgecnn.cli._common import Output, common_options


@click.command()
@click.argument("target", metavar="RUN|FILE.keras")
@click.option("--data", "data_text", metavar="SET", help="For a plain file: its data set, or an image folder's path.")
@click.option("--preprocess", "preprocess_text", metavar="scale=S,offset=O", help="For a plain file: pixels to inputs.")
@click.option("--calibration", type=click.IntRange(min=1), help="For a plain file: calibration samples. Default: 512.")
@click.option("--max-drop", type=click.FloatRange(0, 1), help="Accuracy that may be lost. Default: the recipe's.")
@click.option("--out", type=click.Path(path_type=Path), help="For a plain file: folder to write to. Default: this one.")
@common_options
def command(
    target: str,
    data_text: str | None,
    preprocess_text: str | None,
    calibration: int | None,
    max_drop: float | None,
    out: Path | None,
    output: Output,
) -> None:
    """Quantize to full int8: int8 input and output, weights per channel, batch 1.

    The activation ranges come from training samples. Float and int8 are compared on the whole test split; the exit
    code is 1 when more accuracy is lost than allowed. The file carries its preprocessing contract.

    \b
    Example:
      edgecnn quantize fashion_mnist_cnn
      edgecnn quantize my.keras --data photos.zip --preprocess scale=1/255
    """
    from edgecnn.cli._display import TerminalDisplay
    from edgecnn.errors import UsageError
    from edgecnn.runs import INT8_TFLITE, find_run

    display = TerminalDisplay(output)
    path = Path(target)
    if path.suffix == ".tflite" and path.is_file():
        raise UsageError(f"{target} is a .tflite file already: quantization starts from the .keras model.")
    if path.suffix == ".keras":
        if data_text is None:
            raise UsageError(f"{target}: a plain file needs data to calibrate on: --data SET, or --data FOLDER.")
        from edgecnn.plain_files import quantize_file

        figures = quantize_file(path, data_text, preprocess_text, calibration or 512, out or Path(), display)
    else:
        if any(option is not None for option in (data_text, preprocess_text, calibration, out)):
            raise UsageError(
                "--data, --preprocess, --calibration and --out are for a plain .keras file; a run has its recipe."
            )
        from edgecnn.pipeline import quantize_stage

        run = find_run(target)
        figures = {"path": str(run.file(INT8_TFLITE)), **quantize_stage(run, display)}
    if max_drop is not None:
        figures["max_drop"] = max_drop
    output.result(figures, *_lines(figures))
    judge(figures, output)


def _lines(figures: dict[str, Any]) -> list[Any]:
    from rich.table import Table

    from edgecnn.formats import percent, size

    table = Table(box=None, pad_edge=False)
    for heading in ("", "accuracy", "95 % interval", "size"):
        table.add_column(heading, justify="left" if not heading else "right")
    for title, prefix in (("float", "float_"), ("int8", "")):
        low, high = percent(figures[f"{prefix}accuracy_low"]), percent(figures[f"{prefix}accuracy_high"])
        table.add_row(
            title, percent(figures[f"{prefix}accuracy"]), f"{low} to {high}", size(figures[f"{prefix}size_bytes"])
        )
    points = [f"{figures[key] * 100:+.2f}" for key in ("drop", "drop_low", "drop_high")]
    return [
        table,
        f"drop   {points[0]} points ({points[1]} to {points[2]} with 95 % confidence), "
        f"same class on {percent(figures['agreement_with_float'])} of {figures['samples']} samples",
        f"file   {figures['path']}" if "path" in figures else "",
    ]


def judge(figures: dict[str, Any], output: Output) -> None:
    """Warn of a loss above a point and of less accuracy than the budget asks for; refuse a loss above the budget.

    Raises:
        EdgecnnError: The drop is above ``max_drop``.
    """
    from edgecnn.errors import EdgecnnError
    from edgecnn.formats import percent
    from edgecnn.quantize import WARN_DROP

    drop, allowed = figures["drop"], figures["max_drop"]
    if drop > allowed:
        raise EdgecnnError(
            f"int8 loses {drop * 100:.2f} points of accuracy; the budget allows {allowed * 100:.2f} (budget.max_drop). "
            "The files are kept. Try more calibration samples: --set quantize.calibration=2000."
        )
    if drop > WARN_DROP:
        output.warn(f"int8 loses {drop * 100:.2f} points of accuracy.")
    wanted = figures.get("wanted_accuracy")
    if wanted is not None and figures["accuracy"] < wanted:
        reached = percent(figures["accuracy"])
        output.warn(f"int8 reaches {reached}; the recipe asks for {percent(wanted)} (budget.accuracy).")
