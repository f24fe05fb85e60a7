"""What ``train`` and ``run`` share: opening the run that is to be trained."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecnn.cli._common import Function, Output

if TYPE_CHECKING:
    from edgecnn.runs import Run


def training_options(function: Function) -> Function:
    """``--set``, ``--epochs``, ``--limit``, ``--from``, ``--freeze``, ``--out`` and ``--resume``."""
    options: list[Callable[[Function], Function]] = [
        click.option("--set", "overrides", multiple=True, metavar="A.B=C", help="Change a key of the recipe."),
        click.option("--epochs", type=click.IntRange(min=1), help="Short for --set train.epochs=N."),
        click.option("--limit", type=click.IntRange(min=1), help="Train on N samples: short for --set data.limit=N."),
        click.option("--from", "base", metavar="RUN", help="Continue a trained run: short for --set model.base=RUN."),
        click.option("--freeze", type=click.IntRange(min=0), help="Keep its first N layers: --set train.freeze=N."),
        click.option("--out", type=click.Path(path_type=Path), help="The run's folder. Default: runs/<model>/<time>."),
        click.option("--resume", is_flag=True, help="Go on with the run in --out, or the latest one."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def open_run(
    model: str,
    overrides: tuple[str, ...],
    epochs: int | None,
    limit: int | None,
    out: Path | None,
    resume: bool,
    base: str | None = None,
    freeze: int | None = None,
) -> Run:
    """The run to train: a new one, or with ``resume`` the one in ``out`` or the model's latest.

    Raises:
        UsageError: A resumed run was asked to change its recipe, or is another model's.
    """
    from edgecnn.errors import UsageError
    from edgecnn.runs import create_run, find_run
    from edgecnn.zoo import find_model, model_names

    text = None if base is None else json.dumps(base)    # a string in TOML too, whatever is in it
    short = {"train.epochs": epochs, "data.limit": limit, "model.base": text, "train.freeze": freeze}
    changes = [*overrides, *(f"{key}={value}" for key, value in short.items() if value is not None)]
    if not resume:
        found = find_model(model)
        return create_run(found, found.recipe(changes), out)
    if changes:
        raise UsageError(
            "--resume goes on with the run's own recipe: leave out --set, --epochs, --limit, --from and --freeze."
        )
    # MODEL may be a model, the name in its recipe, or the run itself, which is what messages suggest.
    is_model = model in model_names() or (Path(model) / "recipe.toml").is_file()
    name = find_model(model).recipe().model.name if is_model else model
    run = find_run(str(out) if out is not None else name)
    if is_model or out is not None:
        is_this_run = Path(model).resolve() == run.path.resolve()
        if run.info.model != name and not is_this_run:
            raise UsageError(f"{run.path} is a run of {run.info.model}, not of {name}.")
    return run


@contextmanager
def kept_if_resumable(run: Run, command: str, resume: bool, output: Output) -> Iterator[None]:
    """When the block fails: drop a new run that has no finished epoch, otherwise say how to go on after Ctrl-C."""
    from edgecnn.runs import discard_run, is_resumable

    try:
        yield
    except BaseException as error:
        if not is_resumable(run):
            if not resume:
                discard_run(run)
        elif isinstance(error, KeyboardInterrupt):
            model = run.info.model
            output.say(f"Every finished epoch is kept. Go on with: edgecnn {command} {model} --resume --out {run.path}")
        raise
