"""``edgecnn export``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecnn.cli._common import Output, common_options

if TYPE_CHECKING:
    from edgecnn.runs import CArray, OnnxExport

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
    if form == "c-array":
        folder, array = _c_array(target, name, out)
        files = [str(folder / file) for file in array.files]
        output.result({**array.model_dump(), "files": files}, *_array_lines(files, array))
    else:
        path, check = _onnx(target, form == "onnx-int8", name, out, output)
        output.result({"path": str(path), **check.model_dump()}, *_onnx_lines(path, check))


def _c_array(target: str, name: str | None, out: Path | None) -> tuple[Path, CArray]:
    from edgecnn.artefacts import names_a_file
    from edgecnn.pipeline import c_array, c_array_stage
    from edgecnn.runs import find_run

    if not names_a_file(target):
        return c_array_stage(find_run(target), name, out)
    stem = name or Path(target).stem
    folder = out or Path(f"{stem}_c_array")
    return folder, c_array(Path(target), stem, folder)


def _onnx(target: str, int8: bool, name: str | None, out: Path | None, output: Output) -> tuple[Path, OnnxExport]:
    from edgecnn.artefacts import names_a_file
    from edgecnn.cli._display import TerminalDisplay
    from edgecnn.runs import find_run

    display = TerminalDisplay(output)
    if names_a_file(target):
        from edgecnn.plain_files import onnx_file

        return onnx_file(Path(target), int8, out or Path(), name or Path(target).stem, display)
    from edgecnn.data import open_dataset
    from edgecnn.pipeline import onnx_stage

    run = find_run(target)
    return onnx_stage(run, open_dataset(run.info.recipe.data), display, int8, out, name)


def _array_lines(files: list[str], array: CArray) -> list[str]:
    from edgecnn.formats import size

    arena = f"{size(array.arena_bytes)} " if array.arena_bytes else ""
    return [
        *(f"wrote  {file}" for file in files),
        f"ops    {', '.join(array.ops)}",
        f"arena  {arena}({array.arena_note})",
    ]


def _onnx_lines(path: Path, check: OnnxExport) -> list[str]:
    from edgecnn.formats import percent, size

    unit = f" {check.unit}" if check.unit else ""
    return [
        f"wrote  {path} ({size(check.size_bytes)})",
        f"check  {check.samples} samples: largest difference {check.largest_difference:.3g}{unit}, "
        f"same class on {percent(check.agreement)}",
    ]
