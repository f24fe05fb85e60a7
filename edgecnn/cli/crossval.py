"""``edgecnn crossval``"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.progress import Progress

from edgecnn.cli._common import Output, common_options
from edgecnn.cli._display import TerminalDisplay

if TYPE_CHECKING:
    from rich.table import Table

    from edgecnn.crossval import Part, PartResult


@click.command()
@click.argument("model")
@click.option("--folds", metavar="K|all", help="Every fold of the set, or of K into which it is divided.")
@click.option("--seeds", type=click.IntRange(min=1), help="So many seeds, from the recipe's on; of each fold, if any.")
@click.option("--int8", is_flag=True, help="Quantize every run, and measure that too.")
@click.option("--set", "overrides", multiple=True, metavar="A.B=C", help="Change a key of the recipe.")
@click.option("--epochs", type=click.IntRange(min=1), help="Short for --set train.epochs=N.")
@click.option("--limit", type=click.IntRange(min=1), help="Train on N samples: short for --set data.limit=N.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the runs. Default: runs/<model>/crossval-<id>.")
@common_options
def command(
    model: str,
    folds: str | None,
    seeds: int | None,
    int8: bool,
    overrides: tuple[str, ...],
    epochs: int | None,
    limit: int | None,
    out: Path | None,
    output: Output,
) -> None:
    """Train MODEL once for every fold of its data set, or for several seeds, or both; mean and deviation of all.

    Without --folds and --seeds: every fold. With --seeds alone: the recipe's own split, once for each seed. Each is
    a run of its own. The same command goes on where it was stopped, and does nothing again that is done;
    crossval.csv and crossval.json stand beside the runs.

    \b
    Example:
      edgecnn crossval har_watch
      edgecnn crossval spoken_digits_wave --set data.split=speaker --int8
      edgecnn crossval digits_tiny --seeds 3
    """
    from edgecnn.crossval import cross_validate, document, make_plan
    from edgecnn.errors import UsageError
    from edgecnn.zoo import find_model

    found = find_model(model)
    short = {"train.epochs": epochs, "data.limit": limit}
    changes = [*overrides, *(f"{key}={value}" for key, value in short.items() if value is not None)]
    plan = make_plan(found, found.recipe(changes), _folds(folds), seeds, int8, out)
    if plan.parts[0].fold is not None and any(item.partition("=")[0].strip() == "data.fold" for item in overrides):
        raise UsageError("--set data.fold: every fold is trained. For one alone: edgecnn train MODEL --set data.fold=K")
    output.say(f"{len(plan.parts)} trainings of {plan.recipe.model.name} in {plan.root}")
    try:
        results = cross_validate(plan, _Follower(output))
    except KeyboardInterrupt:
        output.say("Every finished epoch is kept. The same command goes on from there.")
        raise
    output.result(document(plan, results), _table(results), "", f"runs  {plan.root}")


def _folds(text: str | None) -> int | str | None:
    from edgecnn.errors import UsageError

    if text is None or text == "all":
        return text
    if text.isdecimal() and int(text) > 1:
        return int(text)
    raise UsageError(f"--folds {text!r}: expected all, or a number from 2 on.")


class _Display(TerminalDisplay):
    """As that of ``train``, with a bar alone for what is a line per epoch there."""

    @contextmanager
    def training(self) -> Iterator[_Bar]:    # type: ignore[override]
        """A bar for the whole training."""
        with self._output.progress() as progress:
            yield _Bar(progress)


class _Bar:
    """A ``train.Watcher``."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("starting TensorFlow", total=None, note="")

    def batch(self, epoch: int, step: int, steps: int, logs: dict[str, float]) -> None:
        """Nothing to show."""

    def epoch(self, epoch: int, epochs: int, values: dict[str, float], best: bool) -> None:
        """Move the bar."""
        del best
        note = f"val_acc {values['val_accuracy']:.4f}"
        self._progress.update(self._task, description="training", total=epochs, completed=epoch + 1, note=note)


class _Follower:
    """The ``crossval.Follower`` of the command line."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def begin(self, part: Part, number: int, parts: int) -> _Display:
        """Name the part."""
        self._output.say(f"{part.name} ({number + 1} of {parts})")
        return _Display(self._output)

    def end(self, result: PartResult, earlier: bool) -> None:
        """One line with its figures."""
        from edgecnn.crossval import figure_names, title_of

        figures = ", ".join(f"{title_of(name)} {result.figures[name]:.4f}" for name in figure_names([result]))
        self._output.say(f"{result.part.name}{' (done earlier)' if earlier else ''}: {figures}")


def _table(results: list[PartResult]) -> Table:
    from rich.table import Table

    from edgecnn.crossval import figure_names, spreads, title_of
    from edgecnn.formats import ABSENT

    names, whole = figure_names(results), spreads(results)
    folded = results[0].part.fold is not None
    table = Table(box=None, pad_edge=False)
    for heading in (*(["fold"] if folded else []), "seed", "samples", *map(title_of, names)):
        table.add_column(heading, justify="right", no_wrap=True)

    def cells(values: list[float | None]) -> list[str]:
        return [ABSENT if value is None else f"{value:.4f}" for value in values]

    for one in results:
        fold = [str(one.part.fold)] if folded else []
        table.add_row(*fold, str(one.part.seed), str(one.samples), *cells([one.figures.get(name) for name in names]))
    table.add_section()
    blanks = [""] * (1 + folded)
    table.add_row("mean", *blanks, *cells([whole[name].mean if name in whole else None for name in names]))
    table.add_row("±", *blanks, *cells([whole[name].deviation if name in whole else None for name in names]))
    return table
