"""``edgecnn verify``: the compiled C against TFLite Micro, byte for byte, here and on emulated boards."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli._common import Output, common_options, split_names

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edgecnn.artefacts import ModelFile
    from edgecnn.verify import TargetResult, Verification
    from firmware_export.choice import Optimize

_LEVELS = ("2", "s")    # of mcu.image.OPTIMIZATIONS, which costs an import
_GOALS = ("balanced", "speed", "ram", "size")    # choice.Optimize, which does too


@click.command(no_args_is_help=True)
@click.argument("model", metavar="RUN|FILE")
@click.option("--on", "targets", metavar="TARGETS", default="host", help="host, cortex-m0, cortex-m4, riscv32, ...")
@click.option("--samples", metavar="N", help="Samples per target, or all. Default: 1000 here, 20 on a board.")
@click.option("--push", is_flag=True, help="Hand the input over row by row.")
@click.option("--opt", type=click.Choice(_LEVELS), default="2", help="For speed: 2, the default. For size: s.")
@click.option("--optimize", type=click.Choice(_GOALS), default="balanced", help="What kernels are chosen for.")
@common_options
def command(
    model: str, targets: str, samples: str | None, push: bool, opt: str, optimize: Optimize, output: Output
) -> None:
    """Compile a model to C, run it on each target, and compare every byte of its outputs with TFLite Micro's.

    RUN is a run folder or a model's name for its latest run: test samples of its data set are used. FILE is any int8
    or int16×8 .tflite file; one that does not say its data gets random inputs, the same ones every time. Boards are
    emulated by QEMU and run the whole firmware image. When outputs differ, the first layer that does is named.

    \b
    Targets: host, native; cortex-m0, cortex-m3, cortex-m4, cortex-m7,
    cortex-m33, cortex-m55, riscv32; a Raspberry Pi's cortex-a53 (3, Zero 2),
    cortex-a72 (4), cortex-a76 (5), cortex-a7 (32 bits); all.
    The exit code is 1 when anything differs.

    \b
    Example:
      edgecnn verify fashion_mnist_cnn --on host,cortex-m4
      edgecnn verify model_int8.tflite --on all --samples 5
    """
    from edgecnn.mcu.image import OPTIMIZATIONS, Form
    from edgecnn.mcu.targets import load_targets, target_names
    from edgecnn.verify import verify_file

    chosen = load_targets(target_names() if targets == "all" else split_names(targets))
    count = _count(samples)
    form = Form(OPTIMIZATIONS[opt], push=push)
    found = verify_file(_choose(model), chosen, count, samples == "all", form, output.say, optimize)
    for remark in found.remarks:
        output.say(f"Note: {remark}")
    output.result(_document(found), *_page(found))
    if not found.passed:
        raise click.exceptions.Exit(1)


def _count(samples: str | None) -> int | None:
    from edgecnn.errors import UsageError

    if samples is None or samples == "all":
        return None
    if not samples.isdecimal() or int(samples) < 1:
        raise UsageError(f"--samples {samples}: give a number of 1 or more, or all.")
    return int(samples)


def _choose(model: str) -> ModelFile:
    """The int8 file of a run, or the file itself."""
    from pathlib import Path

    from edgecnn.artefacts import names_a_file, resolve
    from edgecnn.errors import EdgecnnError
    from edgecnn.runs import INT8_TFLITE
    from edgecnn.tflite_file import require_tflite

    if names_a_file(model):
        require_tflite(Path(model), "C source")
        return resolve(model).artefacts[0]
    target = resolve(model)
    artefact = next((one for one in target.artefacts if one.path.name == INT8_TFLITE), None)
    if artefact is None:
        assert target.run is not None
        raise EdgecnnError(
            f"{target.run.path} has no int8 model yet. Make one with: edgecnn quantize {target.run.path}"
        )
    return artefact


def _document(found: Verification) -> dict[str, Any]:
    document = dataclasses.asdict(found)
    document["passed"] = found.passed
    document["form"] = {key: document["form"][key] for key in ("optimization", "push")}    # the rest is for other uses
    for result, entry in zip(found.results, document["results"], strict=True):
        entry["passed"] = result.passed
    return document


def _page(found: Verification) -> list[RenderableType]:
    from rich.table import Table

    from edgecnn.formats import ABSENT, count

    table = Table(box=None, pad_edge=False)
    table.add_column("target", no_wrap=True)
    for heading in ("samples", "bytes differ", "arena", "stack", "code", "weights"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("result", no_wrap=True)
    for result in found.results:
        sizes = result.sizes
        ran = result.stack is not None
        table.add_row(
            result.target,
            count(result.samples),
            f"{count(result.differing_bytes)} of {count(result.outputs_bytes)}" if ran else ABSENT,
            count(result.arena),
            count(result.stack),
            count(sizes.code if sizes else None),
            count(sizes.weights if sizes else None),
            _verdict(result),
        )
    how = f"{found.form.optimization}{', rows pushed' if found.form.push else ''}"
    head = f"{found.model}: C compiled with {how}, on {found.inputs}, against {found.oracle}"
    problems = [f"{result.target}: {result.problem}" for result in found.results if result.problem]
    return [head, "", table, *(["", *problems] if problems else [])]


def _verdict(result: TargetResult) -> str:
    if result.passed:
        return "[green]identical[/green]"
    if result.stack is None:
        return "[red]did not run[/red]"
    return f"[red]{result.differing_samples} samples differ[/red]"
