"""``edgecnn run``"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgecnn.cli._common import Output, asked_runtimes, common_options, usual_runtimes
from edgecnn.cli._training import kept_if_resumable, open_run, training_options


@click.command()
@click.argument("model")
@training_options
@click.option("--on", metavar="RUNTIMES", help="litert, litert-ref, onnxruntime (the default), keras.")
@click.option("--runs", type=click.IntRange(min=1), default=200, show_default=True, help="Counted inferences.")
@click.option("--warmup", type=click.IntRange(min=0), default=20, show_default=True, help="Inferences before them.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of one inference.")
@common_options
def command(
    model: str,
    overrides: tuple[str, ...],
    epochs: int | None,
    limit: int | None,
    base: str | None,
    freeze: int | None,
    out: Path | None,
    resume: bool,
    on: str | None,
    runs: int,
    warmup: int,
    threads: int,
    output: Output,
) -> int:
    """Train, quantize, export, measure and report MODEL, in one go.

    The run's folder then holds model.keras, model_int8.tflite, firmware/ (the model as C source), c_array/,
    model.onnx, model_int8.onnx, results.json and report.html. Leaves with exit code 1 when int8 loses more accuracy
    than the recipe's budget.max_drop, or when an export could not be made.

    \b
    Example:
      edgecnn run digits_tiny
      edgecnn run fashion_mnist_cnn --epochs 3 --on litert,onnxruntime
    """
    from edgecnn.cli._display import TerminalDisplay
    from edgecnn.cli._judge import judge
    from edgecnn.data import open_dataset
    from edgecnn.errors import UsageError
    from edgecnn.pipeline import Measuring, over_budget, run_pipeline
    from edgecnn.report import terminal_table
    from edgecnn.runs import REPORT
    from edgecnn.training.distributed import cluster_from_environment

    if cluster_from_environment() is not None:
        raise UsageError(
            "TF_CONFIG names several workers, and a measurement is made by one process. Train with `edgecnn train` on "
            "every worker, then unset TF_CONFIG and go on with: edgecnn run MODEL --resume"
        )
    asked = asked_runtimes(on)
    runtimes = asked if asked is not None else usual_runtimes(output)
    run = open_run(model, overrides, epochs, limit, out, resume, base, freeze)
    with kept_if_resumable(run, "run", resume, output):
        dataset = open_dataset(run.info.recipe.data)
        measuring = Measuring(runtimes, runs, warmup, threads)
        outcome = run_pipeline(run, dataset, TerminalDisplay(output), measuring, resume)
    figures = run.info.quantization
    assert figures is not None    # what run_pipeline leaves
    report = run.file(REPORT)
    document: dict[str, Any] = {
        "run": str(run.path),
        "report": str(report) if report.is_file() else None,
        "quantization": figures.model_dump(),
        "problems": list(outcome.problems),
        "results": outcome.results.model_dump(mode="json"),
    }
    lines: list[Any] = [terminal_table(outcome.results), "", f"run     {run.path}"]
    output.result(document, *lines, *([f"report  {report}"] if report.is_file() else []))
    for sentence in over_budget(run):
        output.warn(sentence)
    for problem in outcome.problems:
        output.warn(problem)
    judge(figures, output)
    return 1 if outcome.problems else 0
