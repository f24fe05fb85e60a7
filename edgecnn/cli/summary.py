"""``edgecnn summary``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecnn.cli._common import Output, common_options

if TYPE_CHECKING:
    from rich.table import Table

    from edgecnn.summary import Summary, TensorSummary


@click.command()
@click.argument("reference", metavar="RUN|FILE")
@common_options
def command(reference: str, output: Output) -> None:
    """Layers, shapes, parameters, MACs, weight bytes and the largest tensors of RUN or FILE.

    RUN is a run folder, or a model's name for its latest run: its int8 model, or its Keras model before it is
    quantized. FILE is any .tflite or .keras file.

    \b
    Example:
      edgecnn summary fashion_mnist_cnn
      edgecnn summary model.tflite --json
    """
    path = _find(reference)
    if path.suffix.lower() == ".keras":
        from edgecnn.quantize import load_keras_model
        from edgecnn.summary import summarize_keras

        summary = summarize_keras(load_keras_model(path))
    else:
        from edgecnn.summary import summarize
        from edgecnn.tflite_file import read_graph

        summary = summarize(read_graph(path))
    summary = summary.model_copy(update={"name": str(path), "file_bytes": path.stat().st_size})
    parts = (_heading(summary), _layers(summary), _largest(summary), _facts(summary))
    output.result(summary.model_dump(mode="json"), *(line for part in parts for line in (part, "")))


def _find(reference: str) -> Path:
    """The model file that a reference means."""
    from edgecnn.errors import EdgecnnError, UsageError
    from edgecnn.runs import INT8_TFLITE, KERAS, find_run

    path = Path(reference)
    if path.suffix.lower() in (".tflite", ".keras") and not path.is_dir():
        return path
    if path.is_file():
        raise UsageError(f"{reference}: not a model file that is known here. Supported: .tflite, .keras, or a run.")
    run = find_run(reference)
    for name in (INT8_TFLITE, KERAS):
        if run.file(name).is_file():
            return run.file(name)
    raise EdgecnnError(f"{run.path} has no model yet. Finish the training with: edgecnn train {run.path} --resume")


def _heading(summary: Summary) -> str:
    from rich.markup import escape

    from edgecnn.formats import size

    return f"{escape(summary.name)}: {summary.format}, {summary.dtype}, {size(summary.file_bytes)}"


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
    from firmware_export.graph import short_name

    rows = [
        (
            layer.op.lower() if summary.format == "tflite" else layer.op,
            layer.name,
            _shape(layer.output_shape),
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
        table.add_row(op, Text(short_name(name, room)), *figures, style="bold" if number == len(summary.layers) else "")
    return table


def _largest(summary: Summary) -> Table:
    from rich.text import Text

    from edgecnn.formats import count
    from firmware_export.graph import short_name

    table = _table("largest activations", "type", "shape", "bytes", left=3)
    for tensor in summary.largest_tensors:
        table.add_row(Text(short_name(tensor.name, 40)), tensor.dtype, _shape(tensor.shape), count(tensor.bytes))
    return table


def _facts(summary: Summary) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    for tensor in summary.inputs:
        table.add_row("input", Text(_end(tensor)))
    for tensor in summary.outputs:
        table.add_row("output", Text(_end(tensor)))
    contract = summary.contract
    if contract is not None:
        labels = ", ".join(contract.labels)
        table.add_row("contract", Text(f"{contract.name}: {contract.task}, {contract.preprocess.kind} input"))
        table.add_row("labels", Text(labels if len(labels) <= 200 else f"{labels[:200]}…"))
    return table


def _end(tensor: TensorSummary) -> str:
    quant = "" if tensor.scale is None else f", scale {tensor.scale:.9g}, zero point {tensor.zero_point}"
    return f"{tensor.dtype} {_shape(tensor.shape)}{quant}"


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "scalar"
