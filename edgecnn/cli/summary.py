"""``edgecnn summary``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecnn.cli._common import Output, common_options
from edgecnn.formats import shape_text

if TYPE_CHECKING:
    from rich.table import Table

    from edgecnn.summary import Summary, TensorSummary


@click.command()
@click.argument("reference", metavar="RUN|FILE|MODEL")
@common_options
def command(reference: str, output: Output) -> None:
    """Layers, shapes, parameters, MACs, weight bytes, largest tensors, memory plan of RUN, FILE or MODEL.

    The memory plan is that of the model compiled to C (edgecnn export --to c), beside TFLite Micro's arena where its
    package is installed: what a layer keeps of its output, and in how many bytes of the arena.

    RUN is a run folder, or a model's name for its latest run: its int8 model, or its Keras model before it is
    quantized. FILE is any .tflite or .keras file. MODEL is a folder with recipe.toml, or a name in the zoo that was
    never trained here: its network as training begins with it.

    \b
    Example:
      edgecnn summary fashion_mnist_cnn
      edgecnn summary model.tflite --json
      edgecnn summary ./my_model
    """
    summary = _of_folder(reference) or _of_file(_find(reference))
    parts = (_heading(summary), _layers(summary), _largest(summary), *_memory(summary), _facts(summary))
    output.result(summary.model_dump(mode="json"), *(line for part in parts for line in (part, "")))


def _of_folder(reference: str) -> Summary | None:
    """The network of a model folder, or of a model of the zoo that has neither a run nor a shipped file; or None."""
    from edgecnn.artefacts import plain_file
    from edgecnn.files import is_there
    from edgecnn.runs import INFO, has_run
    from edgecnn.zoo import find_model, model_names

    path = Path(reference)
    folder = is_there(path / "recipe.toml") and not is_there(path / INFO)
    if not folder and (reference not in model_names() or plain_file(reference) is not None or has_run(reference)):
        return None
    from edgecnn.summary import summarize_keras
    from edgecnn.untrained import untrained_model

    model = find_model(reference)
    return summarize_keras(untrained_model(model)).model_copy(update={"name": str(model.path)})


def _of_file(path: Path) -> Summary:
    """A model file."""
    if path.suffix.lower() == ".keras":
        from edgecnn.keras_quiet import load_keras_model
        from edgecnn.summary import summarize_keras

        summary = summarize_keras(load_keras_model(path, "a summary of a Keras model"))
    else:
        from edgecnn.summary import summarize
        from edgecnn.tflite_file import read_graph

        summary = _planned(summarize(read_graph(path)), path)
    return summary.model_copy(update={"name": str(path), "file_bytes": path.stat().st_size})


def _planned(summary: Summary, path: Path) -> Summary:
    """With the memory plan, or with the reason why there is none: a summary works for any model."""
    from edgecnn.errors import EdgecnnError
    from edgecnn.export.c_source import plan_of

    try:
        return summary.model_copy(update={"memory": plan_of(path)})
    except EdgecnnError as error:
        return summary.model_copy(update={"memory_note": str(error)})


def _memory(summary: Summary) -> list[Table | str]:
    from edgecnn.cli._memory import memory_facts, memory_table

    if summary.memory is not None:
        return [memory_table(summary.memory), "\n".join(memory_facts(summary.memory))]
    return [f"no memory plan: {summary.memory_note}"] if summary.memory_note else []


def _find(reference: str) -> Path:
    """The model file that a reference means."""
    from edgecnn.artefacts import plain_file
    from edgecnn.errors import EdgecnnError, UsageError
    from edgecnn.files import is_there
    from edgecnn.runs import INT8_TFLITE, KERAS, find_run

    path = Path(reference)
    there = is_there(path)
    if path.suffix.lower() in (".tflite", ".keras") and not (there and path.is_dir()):
        return path
    if there and path.is_file():
        raise UsageError(f"{reference}: not a model file that is known here. Supported: .tflite, .keras, or a run.")
    if (file := plain_file(reference)) is not None:
        return file[0]
    run = find_run(reference)
    for name in (INT8_TFLITE, KERAS):
        if run.file(name).is_file():
            return run.file(name)
    raise EdgecnnError(f"{run.path} has no model yet. Finish the training with: edgecnn train {run.path} --resume")


def _heading(summary: Summary) -> str:
    from edgecnn.formats import size

    bytes_or_none = "not trained" if summary.file_bytes is None else size(summary.file_bytes)
    return f"{summary.name}: {summary.format}, {summary.dtype}, {bytes_or_none}"


def _table(*columns: str, left: int) -> Table:
    """A plain table whose first ``left`` columns are text, the others figures."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < left else "right", no_wrap=True)
    return table


def _layers(summary: Summary) -> Table:
    from rich.text import Text

    from edgecnn.formats import count
    from firmware_export.graph import printable, short_name

    rows = [
        (
            printable(layer.op.lower() if summary.format == "tflite" else layer.op),
            layer.name,
            shape_text(layer.output_shape),
            count(layer.parameters),
            count(layer.macs),
            count(layer.weight_bytes),
        )
        for layer in summary.layers
    ]
    rows.append(("total", "", "", count(summary.parameters), count(summary.macs), count(summary.weight_bytes)))
    # Names get what the other columns leave of 80.
    headings = ("layer", "name", "output", "parameters", "MACs", "weight B")
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]
    room = max(10, 80 - sum(widths) + widths[1] - 2 * (len(headings) - 1))
    table = _table(*headings, left=3)
    for number, (op, name, *figures) in enumerate(rows):
        style = "bold" if number == len(summary.layers) else ""
        table.add_row(Text(op), Text(short_name(name, room)), *figures, style=style)
    return table


def _largest(summary: Summary) -> Table:
    from rich.text import Text

    from edgecnn.formats import count
    from firmware_export.graph import short_name

    table = _table("largest activations", "type", "shape", "bytes", left=3)
    for tensor in summary.largest_tensors:
        table.add_row(Text(short_name(tensor.name, 40)), tensor.dtype, shape_text(tensor.shape), count(tensor.bytes))
    return table


def _facts(summary: Summary) -> Table:
    from rich.table import Table
    from rich.text import Text

    from firmware_export.graph import printable

    table = Table(box=None, pad_edge=False, show_header=False)
    for tensor in summary.inputs:
        table.add_row("input", Text(_end(tensor)))
    for tensor in summary.outputs:
        table.add_row("output", Text(_end(tensor)))
    contract = summary.contract
    if contract is not None:
        labels = printable(", ".join(contract.labels))
        about = f"{contract.name}: {contract.task}, {contract.preprocess.kind} input"
        table.add_row("contract", Text(printable(about)))
        table.add_row("labels", Text(labels if len(labels) <= 200 else f"{labels[:200]}…"))
    return table


def _end(tensor: TensorSummary) -> str:
    quant = "" if tensor.scale is None else f", scale {tensor.scale:.9g}, zero point {tensor.zero_point}"
    return f"{tensor.dtype} {shape_text(tensor.shape)}{quant}"
