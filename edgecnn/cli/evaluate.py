"""``edgecnn evaluate``: how often a model is right, where it errs, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edgecnn.cli._common import Output, common_options
from edgecnn.formats import count, percent

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edgecnn.artefacts import ModelFile, Target
    from edgecnn.results import Evaluation
    from edgecnn.tasks import Task

_MATRIX_CLASSES = 12    # more columns do not fit 80 characters; the commonest confusions are listed instead
_CONFUSIONS = 12


@click.command(no_args_is_help=True)
@click.argument("model", metavar="RUN|FILE")
@click.option("--on", "runtime", metavar="RUNTIME", help="litert, litert-ref, onnxruntime or keras.")
@click.option("--data", metavar="SET", help="A data set, or a folder or zip of images. Default: the model's own.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Use N test samples, stratified.")
@click.option("--preprocess", metavar="SCALE,OFFSET", help="For a model without a contract: scale=1/255,offset=0.")
@common_options
def command(
    model: str, runtime: str | None, data: str | None, limit: int | None, preprocess: str | None, output: Output
) -> None:
    """Accuracy with its 95 % interval, confusion matrix, and precision and recall of each class.

    RUN is a run folder or a model's name for its latest run: its int8 model is evaluated, or the Keras model where
    there is none yet. FILE is any .tflite, .onnx or .keras file. The test split is used, never the training split.

    \b
    Example:
      edgecnn evaluate fashion_mnist_cnn
      edgecnn evaluate fashion_mnist_cnn --on keras --limit 1000
      edgecnn evaluate resnet8.tflite --data image_folder:cifar10.zip
    """
    from edgecnn.artefacts import ends_of, resolve
    from edgecnn.data import section_from_text
    from edgecnn.errors import UsageError
    from edgecnn.evaluate import evaluate_outputs
    from edgecnn.evaluation_data import default_section, load_test_data
    from edgecnn.predict import run_outputs
    from edgecnn.runtimes import load_session, runtime_spec
    from edgecnn.settle import in_data_order, parse_preprocess, settle_contract

    if runtime is not None:
        runtime_spec(runtime)
    given = parse_preprocess(preprocess) if preprocess is not None else None
    section = section_from_text(data) if data is not None else None
    artefact = _choose(resolve(model), runtime)
    if artefact.contract is not None and artefact.contract.task == "filter":
        raise UsageError(
            f"{artefact.path} is a filter with fixed weights: there is nothing that it could be right about. "
            "How far int8 is from float is said by: edgecnn quantize"
        )
    section = section or default_section(artefact)
    if section is None:
        raise UsageError(
            f"{artefact.path}: the file does not say what data it is for. Give a data set or images with --data."
        )
    known = None if artefact.contract is None else artefact.contract.preprocess
    test = load_test_data(section, ends_of(artefact)[0], limit, given or known)
    contract, remarks = settle_contract(artefact, test.labels, given)
    for remark in remarks:
        output.say(f"Note: {remark}")
    name = runtime or artefact.runtime
    session = load_session(name, artefact.path)
    with output.progress() as progress:
        task = progress.add_task(f"{artefact.path.name} on {name}", total=len(test.samples), note="")
        outputs = run_outputs(session, contract, test.samples.x, lambda count: progress.advance(task, count))
    outputs = in_data_order(outputs, contract, test.labels)
    found = evaluate_outputs(contract.task, test.samples.y, outputs, test.labels)
    document = {
        **found.model_dump(mode="json"),
        "labels": list(test.labels),
        "artefact": str(artefact.path),
        "runtime": name,
        "runtime_version": session.version,
        "data_set": section.set,
        "notes": remarks,
    }
    headline = f"{artefact.path} on {name} ({session.version})\n{_in_words(found, contract.task, section.set)}\n"
    output.result(document, headline, *_tables(found, test.labels, contract.task == "segmentation"))


def _in_words(found: Evaluation, task: Task, name: str) -> str:
    """Accuracy and what else the task has, and how that is meant."""
    from edgecnn.report.metrics import accuracy_title, explained, in_words

    title = accuracy_title(task)
    of = f"{count(found.correct)} of {count(found.samples)} test samples of {name}"
    if task == "segmentation":
        pixels = sum(map(sum, found.confusion_matrix))
        of = f"{count(found.correct)} of {count(pixels)} pixels in {count(found.samples)} test images of {name}"
    lines = [
        f"{title[:1].upper()}{title[1:]} {percent(found.accuracy)} (95 % interval {percent(found.accuracy_low)} to "
        f"{percent(found.accuracy_high)}), {of}",
        in_words(found),
        explained(task) or "",
    ]
    return "".join(f"{line}\n" for line in lines if line)


def _choose(target: Target, runtime: str | None) -> ModelFile:
    """The file of a target that is evaluated: the int8 one where the runtime takes one, else the float one."""
    from edgecnn.errors import UsageError
    from edgecnn.runs import FLOAT_TFLITE, INT8_ONNX, INT8_TFLITE, KERAS, ONNX
    from edgecnn.runtimes import runtime_spec

    if target.run is None or len(target.artefacts) == 1:
        artefact = target.artefacts[0]
        if runtime is not None and artefact.path.suffix.lower() != (takes := runtime_spec(runtime).takes):
            raise UsageError(f"--on {runtime} takes {takes} files; {artefact.path.name} runs on {artefact.runtime}.")
        return artefact
    present = {artefact.path.name: artefact for artefact in target.artefacts}
    wanted = [
        name
        for name in (INT8_TFLITE, KERAS, FLOAT_TFLITE, INT8_ONNX, ONNX)
        if name in present and (runtime is None or name.endswith(runtime_spec(runtime).takes))
    ]
    if not wanted:
        raise UsageError(
            f"{target.run.path} has no file for {runtime}; it has {', '.join(present)}. "
            "More come from `edgecnn quantize` and `edgecnn export`."
        )
    return present[wanted[0]]


def _tables(found: Evaluation, labels: tuple[str, ...], pixels: bool) -> list[RenderableType]:
    """Per-class figures, and the confusion matrix or, for many classes, the commonest confusions."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    numbered = labels != tuple(str(index) for index in range(len(labels)))
    classes = Table(box=box.SIMPLE_HEAD, title="Per class", title_justify="left", pad_edge=False)
    classes.add_column("class", overflow="ellipsis", no_wrap=True, max_width=30)
    for heading in ("precision", "recall", "F1", *(("IoU", "pixels") if pixels else ("samples",))):
        classes.add_column(heading, justify="right")
    for index, figures in enumerate(found.per_class):
        name = f"{index} {figures.label}" if numbered else figures.label
        overlap = (figures.iou,) if pixels else ()
        rates = (percent(rate, 1) for rate in (figures.precision, figures.recall, figures.f1, *overlap))
        classes.add_row(Text(name), *rates, count(figures.support))
    if len(labels) > _MATRIX_CLASSES:
        return [classes, _confusions(found, labels)]
    title = f"Confusion matrix{' of pixels' if pixels else ''}: row true class, column predicted"
    matrix = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    matrix.add_column("", overflow="ellipsis", no_wrap=True, max_width=14)
    for index in range(len(labels)):
        matrix.add_column(Text(str(index) if numbered else labels[index]), justify="right", no_wrap=True)
    for index, row in enumerate(found.confusion_matrix):
        cells = [
            Text(str(samples)) if samples or column == index else Text("·", style="dim")
            for column, samples in enumerate(row)
        ]
        cells[index].stylize("bold")
        matrix.add_row(Text(f"{index} {labels[index]}" if numbered else labels[index]), *cells)
    return [classes, title, matrix]    # a title of the table itself would fold to its width


def _confusions(found: Evaluation, labels: tuple[str, ...]) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from edgecnn.statistics import confusions

    table = Table(box=box.SIMPLE_HEAD, title="Commonest confusions", title_justify="left", pad_edge=False)
    table.add_column("true class", overflow="ellipsis", no_wrap=True, max_width=28)
    table.add_column("predicted", overflow="ellipsis", no_wrap=True, max_width=28)
    table.add_column("samples", justify="right")
    for one in confusions(found.confusion_matrix)[:_CONFUSIONS]:
        table.add_row(Text(labels[one.true]), Text(labels[one.predicted]), count(one.samples))
    return table
