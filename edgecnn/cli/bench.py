"""``edgecnn bench``: latency, memory and accuracy of a model on several runtimes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli._common import USUAL_RUNTIMES, Output, common_options, usual_runtimes

if TYPE_CHECKING:
    from edgecnn.artefacts import Target


@click.command(no_args_is_help=True)
@click.argument("models", metavar="RUN|FILE...", nargs=-1, required=True)
@click.option("--on", "on", metavar="PLACES", help="Runtimes, boards, ssh://user@host, fleet.toml; see below.")
@click.option(
    "--runs", type=click.IntRange(min=1), default=200, show_default=True, metavar="N",
    help="Counted runs of each entry, in 20 turns of 5 processes; below 50, of one.",
)
@click.option(
    "--warmup", type=click.IntRange(min=0), default=20, show_default=True, metavar="N",
    help="Runs before, at least; they go on until latency is steady, for 2 s at most.",
)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Per inference.")
@click.option("--pin", type=click.IntRange(min=0), metavar="CORE", help="Keep the measuring processes on one core.")
@click.option("--profile", is_flag=True, help="What each layer takes, too, on runtimes that can tell.")
@click.option("--sustain", metavar="TIME", help="Then run on for 30s, 5m, ...: latency and temperature over time.")
@click.option("--data", metavar="SET", help="A data set, or a folder or zip of images. Default: the model's own.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Use N test samples, stratified.")
@click.option("--no-accuracy", is_flag=True, help="Latency and memory alone.")
@click.option(
    "--board-samples", type=click.IntRange(min=1), default=20, show_default=True, metavar="N",
    help="Test samples for the accuracy on emulated boards.",
)
@click.option("--preprocess", metavar="SCALE,OFFSET", help="For a model without a contract: scale=1/255,offset=0.")
@click.option("--accept-new", is_flag=True, help="Trust the host key of a machine that is not known yet.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Default: the run, or bench-FILE here.")
@common_options
def command(
    models: tuple[str, ...],
    on: str | None,
    runs: int,
    warmup: int,
    threads: int,
    pin: int | None,
    profile: bool,
    sustain: str | None,
    data: str | None,
    limit: int | None,
    no_accuracy: bool,
    board_samples: int,
    preprocess: str | None,
    accept_new: bool,
    out: Path | None,
    output: Output,
) -> int:
    """Measure models: one sample at a time, the same samples, fresh processes that take turns.

    RUN is a run folder or a model's name for its latest run; FILE is any .tflite, .onnx or .keras file. A .tflite
    without an .onnx beside it in its run is converted for onnxruntime. Writes results.json, results.md and report.html.

    PLACES, separated by commas, are runtimes (litert, litert-ref, onnxruntime, which are the default; tflite-runtime,
    tflm, c, keras), boards and processors under QEMU with exact instruction counts (cortex-m0, m3, m4, m7, m33, m55,
    riscv32; a Raspberry Pi's cortex-a7, a53, a72, a76), and other machines: ssh://user@host[:port], or a fleet.toml
    that lists several. Every runtime is measured on every machine; this one is left out when others are named.

    The interval beside a median is that in which it falls, 19 times of 20, when the same command is run again.

    \b
    Example:
      edgecnn bench fashion_mnist_cnn
      edgecnn bench fashion_mnist_cnn --on litert,c,cortex-m4 --profile
      edgecnn bench fashion_mnist_cnn --on ssh://pi@raspberrypi --sustain 5m
      edgecnn bench resnet8.tflite --data image_folder:cifar10.zip
      edgecnn bench person_detect.tflite            latency alone
    """
    from edgecnn.artefacts import resolve
    from edgecnn.bench.harness import Places, bench
    from edgecnn.bench.host import HERE
    from edgecnn.bench.interleave import Settings
    from edgecnn.cli._places import asked_places, check_pin, seconds_of
    from edgecnn.data import section_from_text
    from edgecnn.errors import EdgecnnError
    from edgecnn.report import terminal_table, write_outputs
    from edgecnn.settle import parse_preprocess

    settings = Settings(
        runs, warmup, threads, pin, profile, seconds_of(sustain, "--sustain") if sustain is not None else None
    )
    given = parse_preprocess(preprocess) if preprocess is not None else None
    section = section_from_text(data) if data is not None else None
    asked = asked_places(on, accept_new)
    if pin is not None and asked.here:
        check_pin(pin)
    places = Places(
        hosts=(HERE,) if asked.here else asked.hosts,
        boards=asked.boards,
        board_samples=board_samples,
        leave_out=asked.runtimes is None,
    )
    targets = [resolve(model) for model in models]
    folders = _folders(targets, out)
    documents: list[dict[str, Any]] = []
    shown: list[Any] = []
    failures: list[str] = []

    def measure(target: Target, folder: Path) -> None:
        runtimes = asked.runtimes or []
        if asked.runtimes is None and (asked.here or asked.hosts):
            runtimes = _usual(target, output) if asked.here else list(USUAL_RUNTIMES)
        pictures: dict[int, Any] = {}
        with output.progress() as progress:
            results = bench(
                target,
                runtimes,
                section=section,
                settings=settings,
                places=places,
                limit=limit,
                progress=progress,
                accuracy=not no_accuracy,
                preprocess=given,
                failed=failures.append,
                pictures=pictures,
            )
        written = write_outputs(results, folder, output.warn, pictures)
        documents.append(results.model_dump(mode="json"))
        shown.extend([terminal_table(results), "\n" + "\n".join(f"wrote  {path}" for path in written) + "\n"])

    try:
        for model, target, folder in zip(models, targets, folders, strict=True):
            try:
                measure(target, folder)
            except EdgecnnError as error:
                if len(targets) == 1:
                    raise
                failures.append(f"{model}: {error}")
    finally:    # Ctrl-C in the third model does not take the figures of the first two along
        if documents:
            output.result(documents[0] if len(targets) == 1 else documents, *shown)
        for failure in failures:
            output.warn(f"not measured: {failure}")
    return 1 if failures else 0


def _usual(target: Target, output: Output) -> list[str]:
    """The runtimes for a target when nobody says: the usual ones that take one of its files.

    Raises:
        EdgecnnError: None does.
    """
    from edgecnn.errors import EdgecnnError
    from edgecnn.runtimes import runtime_spec

    suffixes = {artefact.path.suffix.lower() for artefact in target.artefacts}
    if suffixes == {".keras"}:
        return ["keras"]
    if ".tflite" in suffixes and all(map(importlib.util.find_spec, ("tf2onnx", "tensorflow"))):
        suffixes.add(".onnx")    # made on the way
    usual = usual_runtimes(output)
    fitting = [name for name in usual if runtime_spec(name).takes in suffixes]
    if not fitting:
        raise EdgecnnError(
            f"no installed runtime takes the files of {target.name}. `edgecnn doctor` says what to install."
        )
    if left_out := [name for name in usual if name not in fitting]:
        output.say(f"No file for {', '.join(left_out)} and no tf2onnx to make one, so left out (see edgecnn doctor).")
    return fitting


def _folders(targets: list[Target], out: Path | None) -> list[Path]:
    """Where each target's results go, no two to the same place; refused before anything is measured.

    Raises:
        EdgecnnError: There is a results.json that is not ours, or the place is a file.
    """
    from edgecnn.errors import EdgecnnError
    from edgecnn.results import is_results
    from edgecnn.runs import RESULTS

    folders: list[Path] = []
    for target in targets:
        if out is None:
            folder = target.run.path if target.run is not None else Path(f"bench-{target.name}")
        else:
            folder = out if len(targets) == 1 else out / target.name
        free, number = folder, 1
        while free in folders:
            number += 1
            free = folder.with_name(f"{folder.name}-{number}")
        folders.append(free)
    for folder in folders:
        if folder.exists() and not folder.is_dir():
            raise EdgecnnError(f"{folder}: it is a file, and the results need a folder. Choose another one with --out.")
        if (folder / RESULTS).exists() and not is_results(folder / RESULTS):
            raise EdgecnnError(
                f"{folder / RESULTS} is not a results file of edgecnn, and would be overwritten. "
                "Choose another folder with --out, or remove it first."
            )
    return folders
