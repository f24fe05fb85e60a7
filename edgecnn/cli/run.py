"""``edgecnn run``"""

from __future__ import annotations

from pathlib import Path

import click

from edgecnn.cli._common import Output, common_options, split_names
from edgecnn.cli._training import kept_if_resumable, open_run, training_options


@click.command()
@click.argument("model")
@training_options
@click.option("--on", "runtimes", default="litert,litert-ref,onnxruntime", show_default=True, help="Runtimes.")
@click.option("--runs", type=click.IntRange(min=1), default=200, show_default=True, help="Counted inferences.")
@click.option("--warmup", type=click.IntRange(min=0), default=20, show_default=True, help="Inferences before them.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of one inference.")
@common_options
def command(
    model: str,
    overrides: tuple[str, ...],
    epochs: int | None,
    limit: int | None,
    out: Path | None,
    resume: bool,
    runtimes: str,
    runs: int,
    warmup: int,
    threads: int,
    output: Output,
) -> None:
    """Train, quantize, export, measure and report MODEL, in one go.

    The run's folder then holds model.keras, model_int8.tflite, model.onnx, model_int8.onnx, c_array/, results.json
    and report.html. Leaves with exit code 1 when int8 loses more accuracy than the recipe's budget.max_drop.

    \b
    Example:
      edgecnn run digits_tiny
      edgecnn run fashion_mnist_cnn --epochs 3 --on litert,onnxruntime
    """
    from edgecnn.cli._display import TerminalDisplay
    from edgecnn.cli.quantize import judge
    from edgecnn.pipeline import Measuring, run_pipeline
    from edgecnn.report import terminal_table
    from edgecnn.runs import REPORT
    from edgecnn.runtimes import runtime_spec

    names = split_names(runtimes)
    for name in names:
        runtime_spec(name)
    run = open_run(model, overrides, epochs, limit, out, resume)
    with kept_if_resumable(run, "run", resume, output):
        results = run_pipeline(run, TerminalDisplay(output), Measuring(names, runs, warmup, threads), resume)
    report = run.file(REPORT)
    lines = [terminal_table(results), f"run     {run.path}"]
    if report.is_file():
        lines.append(f"report  {report}")
    figures = run.info.quantization
    document = {"run": str(run.path), "report": str(report) if report.is_file() else None, "quantization": figures}
    output.result({**document, "results": results.model_dump(mode="json")}, *lines)
    judge(figures, output)
