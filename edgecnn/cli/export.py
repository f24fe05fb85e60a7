"""``edgecnn export``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli._common import Output, common_options

if TYPE_CHECKING:
    from edgecnn.runs import CArray, CSource, OnnxExport
    from firmware_export.choice import Goal, Optimize

BYTES = click.IntRange(min=0)
OPTIMIZE = ("balanced", "speed", "ram", "size")
FORMATS = ("c", "c-array", "onnx", "onnx-int8")
OUT = (
    "Folder to write to. Default: the run's; for a file NAME_firmware/ (c), NAME_c_array/ (c-array), "
    "this folder (onnx, onnx-int8)."
)


@click.command()
@click.argument("reference", metavar="RUN|FILE")
@click.option("--to", "form", required=True, type=click.Choice(FORMATS), help="What to write.")
@click.option("--out", type=click.Path(path_type=Path), help=OUT)
@click.option("--name", help="C identifier or file stem. Default: the model's name.")
@click.option("--single-header", is_flag=True, help="With --to c: one header, as the stb libraries are.")
@click.option("--target", metavar="T", help="With --to c: kernels, code and stack for a processor, such as cortex-m4.")
@click.option("--optimize", type=click.Choice(OPTIMIZE), help="With --to c: what kernels are chosen for.")
@click.option("--ram", type=BYTES, metavar="N", help="With --to c: bytes of the arena, at most.")
@click.option("--flash", type=BYTES, metavar="N", help="With --to c: bytes of code and weights, at most.")
@common_options
def command(
    reference: str,
    form: str,
    out: Path | None,
    name: str | None,
    single_header: bool,
    target: str | None,
    optimize: Optimize | None,
    ram: int | None,
    flash: int | None,
    output: Output,
) -> None:
    """Export a run, a plain .tflite or .keras file, or a model that comes trained.

    \b
    c           <name>.h/.c, weights and kernels: C99 without dependencies
    c-array     <name>_model_data.h/.c and an op resolver for TFLite Micro
    onnx        float ONNX, from a .keras or a float .tflite
    onnx-int8   int8 ONNX (QDQ), from an int8 .tflite

    C source gives the bytes that TFLite Micro gives. For each layer the compiler picks among the kernels that there are
    for the target: balanced (default) the fastest that take little more memory, speed the fastest, ram the smallest
    arena, size the least code and weights. --ram and --flash are kept, or refused with what is possible. Without the
    compiler of --target the C is written all the same, and the exit code is 1.

    ONNX files are run and compared with their source before they are written.

    \b
    Example:
      edgecnn export fashion_mnist_cnn --to c --target cortex-m4
      edgecnn export lenet5 --to c --target cortex-m4 --optimize ram
      edgecnn export model_int8.tflite --to c --single-header --out src
      edgecnn export fashion_mnist_cnn --to c-array --out firmware/src
      edgecnn export model_int8.tflite --to onnx-int8
    """
    of_c = (target, optimize, ram, flash)
    if form != "c" and (single_header or any(given is not None for given in of_c)):
        from edgecnn.errors import UsageError

        options = "--optimize, --ram, --flash, --single-header and --target"
        raise UsageError(f"{options} are for --to c, not for --to {form}.")
    if form == "c":
        from firmware_export.choice import Goal

        goal = Goal(optimize or "balanced", ram, flash)
        folder, source = _c_source(reference, name, out, single_header, target, goal, output)
        files = [str(folder / file) for file in source.files]
        output.result({**source.model_dump(mode="json"), "files": files}, *_source_lines(files, source))
        if source.sizes_note:
            output.warn(f"{target} is not measured: {source.sizes_note}")
            raise click.exceptions.Exit(1)
    elif form == "c-array":
        folder, array = _c_array(reference, name, out)
        files = [str(folder / file) for file in array.files]
        output.result({**array.model_dump(), "files": files}, *_array_lines(files, array))
    else:
        path, check = _onnx(reference, form == "onnx-int8", name, out, output)
        output.result({"path": str(path), **check.model_dump()}, *_onnx_lines(path, check))


def _c_source(
    reference: str,
    name: str | None,
    out: Path | None,
    single_header: bool,
    target: str | None,
    goal: Goal,
    output: Output,
) -> tuple[Path, CSource]:
    from edgecnn.artefacts import plain_file
    from edgecnn.export.c_source import left_over
    from edgecnn.pipeline import c_source, c_source_stage
    from edgecnn.runs import find_run

    if (file := plain_file(reference)) is not None:
        stem = name or file[1]
        folder = out or Path(f"{stem}_firmware")
        source = c_source(file[0], stem, folder, single_header, target, goal)
    else:
        run = find_run(reference)
        stem = name or run.info.model
        folder, source = c_source_stage(run, name, out, single_header, target, goal)
    if old := left_over(folder, stem, source.files):
        output.warn(f"left from an earlier export, and not part of this one: {', '.join(map(str, old))}")
    return folder, source


def _c_array(reference: str, name: str | None, out: Path | None) -> tuple[Path, CArray]:
    from edgecnn.artefacts import plain_file
    from edgecnn.pipeline import c_array, c_array_stage
    from edgecnn.runs import find_run

    if (file := plain_file(reference)) is None:
        return c_array_stage(find_run(reference), name, out)
    stem = name or file[1]
    folder = out or Path(f"{stem}_c_array")
    return folder, c_array(file[0], stem, folder)


def _onnx(reference: str, int8: bool, name: str | None, out: Path | None, output: Output) -> tuple[Path, OnnxExport]:
    from edgecnn.artefacts import plain_file
    from edgecnn.cli._display import TerminalDisplay
    from edgecnn.runs import find_run

    display = TerminalDisplay(output)
    if (file := plain_file(reference)) is not None:
        from edgecnn.plain_files import onnx_file

        return onnx_file(file[0], int8, out or Path(), name or file[1], display)
    from edgecnn.data import open_dataset
    from edgecnn.pipeline import onnx_stage

    run = find_run(reference)
    return onnx_stage(run, open_dataset(run.info.recipe.data), display, int8, out, name)


def _source_lines(files: list[str], source: CSource) -> list[Any]:
    from edgecnn.cli._choice import choice_facts, choice_table
    from edgecnn.cli._memory import memory_facts, memory_table
    from edgecnn.formats import count

    lines: list[Any] = [*(f"wrote  {file}" for file in files), "", memory_table(source.memory), ""]
    lines += memory_facts(source.memory)
    if (sizes := source.sizes) is not None:
        flash = f"flash {count(sizes.flash_bytes)} B, of which code {count(sizes.code_bytes)} B"
        lines.append(f"target   {sizes.target} at {sizes.optimization}: {flash}")
        pushed = "" if sizes.push_stack_bytes is None else f", {count(sizes.push_stack_bytes)} B with pushed rows"
        lines.append(f"stack    {count(sizes.stack_bytes)} B{pushed}")
        if sizes.ram_bytes:
            lines.append(f"ram      {count(sizes.ram_bytes)} B of variables")
    if source.choice is not None:
        lines += choice_facts(source.choice)
        if any(layer.forms > 1 for layer in source.choice.layers):
            lines += ["", choice_table(source.choice)]
    return lines


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
        f"same result on {percent(check.agreement)}",
    ]
