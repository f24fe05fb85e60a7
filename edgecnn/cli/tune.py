"""``edgecnn tune``"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import Progress

from edgecnn.cli._common import Output, common_options, split_names

if TYPE_CHECKING:
    from rich.table import Table

    from edgecnn.tune.asked import Search
    from edgecnn.tune.records import TrialRecord
    from edgecnn.tune.study import Found

_SAMPLERS = ["grid", "random", "tpe"]    # as in tune.sampling.SAMPLERS, which need not be imported for --help


@click.command()
@click.argument("model")
@click.option("--space", type=click.Path(path_type=Path), help="What may change. Default: MODEL's space.toml.")
@click.option("--trials", type=click.IntRange(min=0), help="Of the study, whoever runs them. Default: 20, or the grid.")
@click.option("--sampler", type=click.Choice(_SAMPLERS), default="tpe", show_default=True, help="How trials are drawn.")
@click.option("--objective", default="accuracy,flash", show_default=True, help="Of accuracy, flash, arena, macs.")
@click.option("--storage", metavar="URL", help="A database to share. Default: sqlite in runs/tune/<model>/study.db.")
@click.option("--study", metavar="NAME", help="Its name in the storage. Default: the model's.")
@click.option("--epochs", type=click.IntRange(min=1), help="Of a trial: short for --set train.epochs=N.")
@click.option("--set", "overrides", multiple=True, metavar="A.B=C", help="Change a key of the recipe in all trials.")
@click.option("--no-prune", is_flag=True, help="Train every trial to its end.")
@click.option("--target", help="Whose code counts as flash. Default: cortex-m4, if its compiler is here.")
@click.option("--pick", type=click.IntRange(min=0), metavar="TRIAL", help="Write this one out, not the most accurate.")
@common_options
def command(
    model: str,
    space: Path | None,
    trials: int | None,
    sampler: str,
    objective: str,
    storage: str | None,
    study: str | None,
    epochs: int | None,
    overrides: tuple[str, ...],
    no_prune: bool,
    target: str | None,
    pick: int | None,
    output: Output,
) -> None:
    """Search for the best recipe of MODEL, on its validation samples and within its budget.

    Flash, arena and MACs of a trial come from the compiler before it is trained; over budget it is not trained at
    all. Trials worse than most are stopped. The test split is never touched.

    Started again, it goes on; started twice, on one machine or several, all share the study and its --trials. The
    best recipe is written to runs/tune/<model>/<study>/best, with trials.csv and pareto.png beside it.

    \b
    Example:
      edgecnn tune digits_tiny
      edgecnn tune digits_tiny --sampler random --objective accuracy,arena
      edgecnn tune digits_tiny --trials 0 --pick 7
      edgecnn tune ./my_net --space wide.toml --storage sqlite:///shared.db
    """
    from edgecnn.tune.asked import Search
    from edgecnn.tune.objectives import parse_objectives
    from edgecnn.tune.outcome import chosen, write_outcome
    from edgecnn.tune.space_file import load_space
    from edgecnn.tune.storage import default_storage, study_folder
    from edgecnn.zoo import find_model

    found = find_model(model)
    given = (*overrides, *([f"train.epochs={epochs}"] if epochs is not None else []))
    objectives = parse_objectives(split_names(objective))
    name = found.recipe(given).model.name
    label = study or name
    asked = Search(
        model=found,
        given=given,
        space=load_space(_space_of(found.path, space), found, given),
        objectives=objectives,
        sampler=sampler,
        trials=trials,
        prune=not no_prune,
        study=label,
        storage=storage or default_storage(name),
        target=target,
        folder=study_folder(name) / _folder_name(label),
    )
    outcome = _searched(asked, output)
    best = chosen(outcome.records, pick)
    files = write_outcome(asked, outcome, best)
    running = sum(one.state == "running" for one in outcome.records)
    if running:
        output.say(f"{running} trial(s) still run elsewhere; whoever ends last writes the outcome again, with them.")
    output.result(_document(asked, outcome, best, files), *_shown(asked, outcome, best))


def _space_of(folder: Path, given: Path | None) -> Path:
    from edgecnn.errors import UsageError
    from edgecnn.tune.space_file import FORMS, SPACE

    path = given or folder / SPACE
    if given is None and not path.is_file():
        raise UsageError(
            f"{folder} has no {SPACE}: say what may change with --space FILE. In it stand keys of the recipe, such as "
            f"train.batch = {{ choices = [32, 64] }}; each takes {FORMS}."
        )
    return path


def _folder_name(study: str) -> str:
    """A study's name as that of a folder."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in study).strip(".") or "_"


def _searched(asked: Search, output: Output) -> Found:
    from edgecnn.tune.objectives import flash_words
    from edgecnn.tune.storage import shown_url
    from edgecnn.tune.study import search

    output.say(f"Study {asked.study} in {shown_url(asked.storage)}")
    with output.progress() as progress:
        try:
            found = search(asked, _Follower(output, progress))
        except KeyboardInterrupt:
            output.say("The study keeps every trial that ended. The same command goes on with it.")
            raise
    output.say(f"flash counts {flash_words(found.target)}")
    return found


class _Follower:
    """The ``study.Follower`` of the command line: a bar for the running trial, and a line for each that ended."""

    def __init__(self, output: Output, progress: Progress) -> None:
        self._output, self._progress = output, progress
        self._task = progress.add_task("starting TensorFlow", total=None, note="")

    def begin(self, number: int, done: int, trials: int, values: Mapping[str, Any]) -> None:
        """Name the trial."""
        self._said = f"trial {number} ({done + 1} of {trials})"
        self._progress.update(self._task, description=self._said, total=None, completed=0, note="compiling")
        self._output.say(f"{self._said}: {_values(values)}")

    def epoch(self, epoch: int, epochs: int, accuracy: float) -> None:
        """Move the bar."""
        self._progress.update(
            self._task, description=self._said, total=epochs, completed=epoch, note=f"val_acc {accuracy:.4f}"
        )

    def end(self, record: TrialRecord) -> None:
        """One line that stays."""
        from edgecnn.tune.outcome import summary

        how = f"{record.state} after {record.epochs} epochs" if record.state in ("trained", "stopped") else record.state
        parts = [how, *filter(None, (summary(record), record.note))]
        self._output.say(f"trial {record.number}: {'; '.join(parts)}")


def _values(values: Mapping[str, Any]) -> str:
    """``filters=8 batch=32``: the last part of each key, or all of it where two keys end alike."""
    from edgecnn.tune.toml_text import toml_value

    ends = [key.rpartition(".")[2] for key in values]
    names = [key if ends.count(end) > 1 else end for key, end in zip(values, ends, strict=True)]
    return " ".join(f"{name}={toml_value(value)}" for name, value in zip(names, values.values(), strict=True))


def _document(asked: Search, found: Found, best: TrialRecord, files: list[Path]) -> dict[str, Any]:
    from dataclasses import asdict

    from edgecnn.tune.objectives import flash_words
    from edgecnn.tune.storage import shown_url

    states = [one.state for one in found.records]
    return {
        "study": asked.study,
        "storage": shown_url(asked.storage),
        "model": asked.recipe().model.name,
        "objectives": list(asked.objectives),
        "flash": flash_words(found.target),
        "sampler": asked.sampler,
        "trials": {state: states.count(state) for state in dict.fromkeys(states)},
        "front": [asdict(one) for one in found.records if one.on_front],
        "best": asdict(best),
        "files": [str(path) for path in files],
        "folder": str(files[-1]),
    }


def _shown(asked: Search, found: Found, best: TrialRecord) -> list[Any]:
    from edgecnn.tune.outcome import BEST, PARETO_PNG, doubt, summary

    states = [one.state for one in found.records]
    lines = [f"{len(states)} trials: {', '.join(f'{states.count(state)} {state}' for state in dict.fromkeys(states))}"]
    lines += ["", "Nothing that was trained is better in one objective and as good in all others than these:"]
    rest = [
        "",
        f"best     trial {best.number}: {summary(best)}",
        f"picture  {asked.folder / PARETO_PNG}",
        f"recipe   {asked.folder / BEST}",
        f"next     edgecnn train {asked.folder / BEST}",
    ]
    if asked.recipe().model.task != "segmentation" and (words := doubt(best)):    # there samples hold many pixels
        rest.insert(2, f"doubt    {words}")
    if best.run:
        rest.append(f"or       edgecnn quantize {best.run}   (trained already)")
    return [*lines, _table(found), *rest]


def _table(found: Found) -> Table:
    """The front, the cheapest first."""
    from rich.table import Table

    from edgecnn.formats import count, percent

    table = Table(box=None, pad_edge=False)
    for heading in ("trial", "accuracy", "flash", "arena", "MACs"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("values")
    front = sorted((one for one in found.records if one.on_front), key=lambda one: one.value("flash") or 0.0)
    for one in front:
        assert one.costs is not None    # a trial that was trained has them
        figures = (count(one.costs.flash), count(one.costs.arena), count(one.costs.macs))
        table.add_row(str(one.number), percent(one.accuracy), *figures, _values(one.values))
    return table
