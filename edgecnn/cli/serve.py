"""``edgecnn serve``: predictions on the device, from lines, a folder, a camera or HTTP."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli._common import Output, common_options

if TYPE_CHECKING:
    import numpy as np

    from edgecnn.serve.model import ServedModel
    from edgecnn.serve.notify import Notifier
    from edgecnn.serve.samples import SampleReader
    from edgecnn.serve.stopping import Stopping

MOST_BYTES = 8 << 20
_SHOWN = 10    # numbers of samples that failed a self-test


@click.command(no_args_is_help=True)
@click.argument("model", metavar="MODEL")
@click.option("--stdin", is_flag=True, help="A JSON request a line; the default where input is no terminal.")
@click.option("--watch", metavar="FOLDER", help="Predict each new file in a folder, once it is complete.")
@click.option("--camera", is_flag=True, help="Predict what a camera sees (picamera2 or OpenCV).")
@click.option("--http", metavar="[HOST:]PORT", help="Answer POST /predict; on this machine only without a host.")
@click.option("--self-test", metavar="FILE", help="Hold the model against stored outputs, and end.")
@click.option("--runtime", default="litert", show_default=True, metavar="NAME", help="litert, litert-ref …")
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True, help="Of one inference.")
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="Labels in an answer.")
@click.option("--max-bytes", type=click.IntRange(min=1), default=MOST_BYTES, show_default=True, help="Of a sample.")
@click.option("--existing", is_flag=True, help="--watch: also the files that are there already.")
@click.option("--done", metavar="FOLDER", help="--watch: FILE.json goes there instead of beside the file.")
@click.option("--interval", type=click.FloatRange(0.05, 3600), help="--watch: seconds between two looks; 0.5.")
@click.option("--fps", type=click.FloatRange(0.001, 240), help="--camera: frames a second, at most; 2.")
@click.option("--camera-device", metavar="NUMBER|URL|FILE", help="--camera: what OpenCV is to open.")
@common_options
def command(model: str, runtime: str, threads: int, top: int, max_bytes: int, output: Output, **options: Any) -> int:
    """Predictions of a model, a line of JSON each: label, score, the best labels, and milliseconds.

    MODEL is a .tflite file that edgecnn made, a run, a model's name, or a folder with a .tflite file. With --json
    the first line tells what is served. Requests on standard input are {"image": "PATH"}, {"text": "…"} or {"data":
    a nested list, or a file's bytes in base64}, with an "id" of your own; a bad one is answered with {"error": …}
    and the service goes on. SIGTERM ends it after the prediction in hand.

    \b
    Example:
      echo '{"image": "cat.jpg"}' | edgecnn serve horses_or_humans
      edgecnn serve model_int8.tflite --watch photos --done results
      edgecnn serve model_int8.tflite --http 8080
      curl --data-binary @cat.jpg http://127.0.0.1:8080/predict
      edgecnn serve model_int8.tflite --camera --fps 5
    """
    from edgecnn.serve.stopping import Stopping, StopServingError

    source = _source(options)
    with Stopping() as stop:    # before what takes long: an early SIGTERM ends the service as a late one
        from edgecnn.serve.model import load_model
        from edgecnn.serve.notify import Notifier
        from edgecnn.serve.samples import SampleReader

        served = load_model(model, runtime, threads, top)
        if source == "self_test":
            return _self_test(served, Path(options["self_test"]), output)
        reader = SampleReader(served.predictor.contract, max_bytes)
        job = _Job(served, reader, options, output, stop, Notifier())
        try:
            {"stdin": _stdin, "watch": _watch, "camera": _camera, "http": _http}[source](job)
        except StopServingError:
            output.say(f"Asked to end; predictions made: {served.predictor.count}")
        finally:
            job.notifier.stopping()
    return 0


def _source(options: dict[str, Any]) -> str:
    """Which of the sources was asked for.

    Raises:
        UsageError: None or several were, or an option belongs to another one.
    """
    from edgecnn.errors import UsageError

    given = [name for name in ("stdin", "watch", "camera", "http", "self_test") if options[name]]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(_option(name) for name in given)} exclude each other: one source at a time.")
    if not given and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("where do samples come from? Give one of --stdin, --watch FOLDER, --camera, --http PORT.")
    source = given[0] if given else "stdin"
    for owner, names in {"watch": ("existing", "done", "interval"), "camera": ("fps", "camera_device")}.items():
        for name in names:
            if source != owner and options[name]:
                raise UsageError(f"{_option(name)} goes with {_option(owner)}.")
    return source


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


@dataclass(frozen=True)
class _Job:
    """What every source needs."""

    served: ServedModel
    reader: SampleReader
    options: dict[str, Any]
    output: Output
    stop: Stopping
    notifier: Notifier

    def ready(self, where: dict[str, str], words: str) -> None:
        """Tell everybody that the service has begun."""
        from edgecnn.serve.lines import emit

        served = self.served
        if self.output.json:
            emit({"serving": served.name, "id": served.id, "runtime": served.runtime, **where})
        self.output.say(f"Serving {served.name} ({served.path}, {served.runtime}) {words}")
        self.notifier.ready(f"{served.name} {words}")


def _stdin(job: _Job) -> None:
    from edgecnn.serve.lines import emit, serve_lines

    job.ready({"source": "stdin"}, "on standard input: a JSON request a line")
    serve_lines(sys.stdin.buffer, job.served.predictor, job.reader, job.stop, emit)


def _watch(job: _Job) -> None:
    from edgecnn.serve.lines import emit, guarded
    from edgecnn.serve.watch import Watch, serve_folder

    options = job.options
    folder, interval = Path(options["watch"]), options["interval"] or 0.5
    watch = Watch(folder, job.reader.kind, options["existing"])
    results = Path(options["done"]) if options["done"] else folder
    job.ready({"source": "watch", "folder": str(folder)}, f"for {folder}, looked at every {interval:g} s")

    def answer(path: Path) -> dict[str, Any]:
        return guarded(lambda: job.reader.from_file(path), job.served.predictor)

    serve_folder(watch, results, interval, answer, emit, job.stop, job.notifier)


def _camera(job: _Job) -> None:
    from edgecnn.serve.camera import open_camera, serve_camera
    from edgecnn.serve.lines import emit, guarded

    height, width, _ = job.reader.picture
    per_second = job.options["fps"] or 2.0
    camera = open_camera(job.options["camera_device"])
    words = f"from the camera, {per_second:g} times a second: the middle of each frame as {width}×{height} pixels"
    job.ready({"source": "camera"}, words)

    def answer(frame: np.ndarray) -> dict[str, Any]:
        return guarded(lambda: job.reader.from_frame(frame), job.served.predictor)

    serve_camera(camera, per_second, answer, emit, job.stop, job.notifier)


def _http(job: _Job) -> None:
    from edgecnn.serve.web import Service, parse_address

    address = parse_address(job.options["http"])
    service = Service(address, job.served, job.reader)
    if not address.loopback:
        job.output.warn(
            f"{address.host} can be reached from other machines: whoever is in the network may ask for predictions, "
            "unencrypted and without a password."
        )
    job.ready({"source": "http", "url": service.url}, f"on {service.url}")
    service.run(job.stop, job.notifier)


def _self_test(served: ServedModel, path: Path, output: Output) -> int:
    from edgecnn.serve.self_test import run_self_test

    found = run_self_test(served.predictor, served.runtime, path)
    document = {
        "model": served.name,
        "id": served.id,
        "runtime": served.runtime,
        "stored_by": found.stored_by,
        "samples": found.samples,
        "identical": found.identical,
        "agreeing": found.agreeing,
        "failed": list(found.failed),
        "passed": found.passed,
    }
    lines = [
        f"{served.name} on {served.runtime} against {found.stored_by}: {found.samples} samples, {found.identical} "
        f"identical to the byte, {found.agreeing} decided alike."
    ]
    if not found.passed:
        listed = ", ".join(map(str, found.failed[:_SHOWN])) + (", …" if len(found.failed) > _SHOWN else "")
        wrong = "Other bytes on the reference runtime" if found.exact else "Decided otherwise"
        lines.append(f"FAILED. {wrong}: sample {listed}.")
    output.result(document, *lines)
    return 0 if found.passed else 1
