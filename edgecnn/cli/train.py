"""``edgecnn train``"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgecnn.cli._common import Output, common_options
from edgecnn.cli._training import kept_if_resumable, open_run, training_options


@click.command()
@click.argument("model")
@training_options
@common_options
def command(
    model: str,
    overrides: tuple[str, ...],
    epochs: int | None,
    limit: int | None,
    out: Path | None,
    resume: bool,
    output: Output,
) -> None:
    """Train MODEL: a name in the zoo, or a folder with recipe.toml and model.py.

    \b
    Example:
      edgecnn train digits_tiny
      edgecnn train fashion_mnist_cnn --epochs 5 --set train.batch=64
      edgecnn train digits_tiny --resume      after Ctrl-C or a crash
    """
    from edgecnn.cli._display import TerminalDisplay
    from edgecnn.data import open_dataset
    from edgecnn.pipeline import train_stage

    run = open_run(model, overrides, epochs, limit, out, resume)
    with kept_if_resumable(run, "train", resume, output):
        train_stage(run, open_dataset(run.info.recipe.data), TerminalDisplay(output), resume)
    info = run.info
    assert info.training is not None and info.evaluation is not None    # what train_stage leaves
    figures = info.evaluation.model_dump(include={"accuracy", "accuracy_low", "accuracy_high", "samples"})
    document = {"run": str(run.path), "model": info.model, **info.training.model_dump(exclude={"history"}), **figures}
    output.result(document, *_lines(document))


def _lines(document: dict[str, Any]) -> list[str]:
    from edgecnn.formats import percent

    low, high = percent(document["accuracy_low"]), percent(document["accuracy_high"])
    return [
        f"test accuracy  {percent(document['accuracy'])} ({low} to {high} with 95 % confidence)",
        f"best epoch     {document['best_epoch']} of {document['epochs']}, trained in {document['seconds']} s",
        f"run            {document['run']}",
        f"next           edgecnn quantize {document['run']}",
    ]
