"""``edgecnn train``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli._common import Output, common_options
from edgecnn.cli._training import kept_if_resumable, open_run, training_options

if TYPE_CHECKING:
    from edgecnn.recipe import Recipe
    from edgecnn.runs import Run


@click.command()
@click.argument("model")
@training_options
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
    output: Output,
) -> None:
    """Train MODEL: a name in the zoo, or a folder with recipe.toml and model.py. A recipe with an
    architecture, such as "(CR)2P(CR)2PF", needs no model.py.

    \b
    Example:
      edgecnn train digits_tiny
      edgecnn train fashion_mnist_cnn --epochs 5 --set train.batch=64
      edgecnn train transfer --from cifar10_mcu --freeze 6
      edgecnn train digits_tiny --resume      after Ctrl-C or a crash

    Where TF_CONFIG names several workers, the same command on each of them shares one training; the first one, the
    chief, writes the run.
    """
    from edgecnn.cli._display import TerminalDisplay
    from edgecnn.data import open_dataset
    from edgecnn.pipeline import train_stage
    from edgecnn.report.metrics import known
    from edgecnn.training.distributed import cluster_from_environment

    cluster = cluster_from_environment()
    if cluster is not None and not cluster.chief:
        from edgecnn.cli._worker import copy_of, follow

        def begin(path: Path) -> Run:
            opened = open_run(model, overrides, epochs, limit, out if resume else path, resume, base, freeze)
            return copy_of(opened, path) if resume else opened

        follow(cluster, begin, output)
        return
    run = open_run(model, overrides, epochs, limit, out, resume, base, freeze)
    with kept_if_resumable(run, "train", resume, output):
        train_stage(run, open_dataset(run.info.recipe.data), TerminalDisplay(output), resume, cluster)
    info = run.info
    if info.recipe.model.task == "filter":
        built = {"run": str(run.path), "model": info.model}
        output.result(built, "built          nothing to train: its weights are fixed", *_ends(built))
        return
    assert info.training is not None and info.evaluation is not None    # what train_stage leaves
    figures = info.evaluation.model_dump(include={"accuracy", "accuracy_low", "accuracy_high", "samples"})
    metrics = {metric.field: metric.of(info.evaluation) for metric in known([info.evaluation])}
    document = {
        "run": str(run.path),
        "model": info.model,
        **info.training.model_dump(exclude={"history"}),
        **figures,
        "metrics": metrics,
    }
    output.result(document, *_lines(document, info.recipe))


def _lines(document: dict[str, Any], recipe: Recipe) -> list[str]:
    from edgecnn.formats import percent
    from edgecnn.report.metrics import known

    low, high = percent(document["accuracy_low"]), percent(document["accuracy_high"])
    kind = " (pixels)" if recipe.model.task == "segmentation" else ""
    last = recipe.train.keep == "last"
    return [
        f"test accuracy  {percent(document['accuracy'])}{kind} ({low} to {high} with 95 % confidence)",
        *(
            f"test {metric.title:10}{metric.text(metric.of(document['metrics']))}"
            for metric in known([document["metrics"]])
        ),
        f"{'last' if last else 'best'} epoch     {document['best_epoch']} of {document['epochs']}, "
        f"trained in {document['seconds']} s",
        *_ends(document),
    ]


def _ends(document: dict[str, Any]) -> list[str]:
    """Where it is, and what comes next."""
    return [f"run            {document['run']}", f"next           edgecnn quantize {document['run']}"]
