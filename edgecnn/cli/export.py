"""``edgecnn export``"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgecnn.cli._common import Output, common_options

FORMATS = ("c-array", "onnx", "onnx-int8")


@click.command()
@click.argument("target", metavar="RUN|FILE")
@click.option("--to", "form", required=True, type=click.Choice(FORMATS), help="What to write.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to. Default: the run's, or this one.")
@click.option("--name", help="C identifier or file stem. Default: the model's name.")
@common_options
def command(target: str, form: str, out: Path | None, name: str | None, output: Output) -> None:
    """Export a run, or a plain .tflite or .keras file.

    \b
    c-array     <name>_model_data.h/.c and an op resolver for TFLite Micro
    onnx        float ONNX, from a .keras or a float .tflite
    onnx-int8   int8 ONNX (QDQ), from an int8 .tflite

    ONNX files are run and compared with their source before they are written.

    \b
    Example:
      edgecnn export fashion_mnist_cnn --to c-array --out firmware/src
      edgecnn export model_int8.tflite --to onnx-int8
    """
    from edgecnn.cli._display import TerminalDisplay
    from edgecnn.pipeline import c_array_figures, c_array_stage, onnx_stage
    from edgecnn.runs import find_run

    path = Path(target)
    display = TerminalDisplay(output)
    figures: dict[str, Any]
    if path.suffix in (".tflite", ".keras", ".onnx") or path.is_file():
        stem = name or path.stem
        if form == "c-array":
            figures = c_array_figures(path, stem, out or Path(f"{stem}_c_array"))
        else:
            from edgecnn.plain_files import onnx_file

            figures = onnx_file(path, form == "onnx-int8", out or Path(), stem, display)
    else:
        run = find_run(target)
        if form == "c-array":
            figures = c_array_stage(run, name, out)
        else:
            figures = onnx_stage(run, display, form == "onnx-int8", out)
    output.result(figures, *_lines(figures))


def _lines(figures: dict[str, Any]) -> list[str]:
    from edgecnn.formats import percent, size

    if "files" in figures:
        arena = size(figures["arena_bytes"]) if figures["arena_bytes"] else "not measured"
        return [
            *(f"wrote  {path}" for path in figures["files"]),
            f"ops    {', '.join(figures['ops'])}",
            f"arena  {arena} ({figures['arena_note']})",
        ]
    unit = f" {figures['unit']}" if figures["unit"] else ""
    return [
        f"wrote  {figures['path']} ({size(figures['size_bytes'])})",
        f"check  {figures['samples']} samples: largest difference {figures['largest_difference']:.3g}{unit}, "
        f"same class on {percent(figures['agreement'])}",
    ]
