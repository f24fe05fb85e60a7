"""What a search leaves beside its runs: the table of trials, the Pareto picture, and the best recipe as a model."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.files import readable_os_errors, write_files, write_text
from edgecnn.formats import count, percent
from edgecnn.report.pareto import Axis, Point, pareto_png
from edgecnn.statistics import wilson
from edgecnn.tune.asked import Search
from edgecnn.tune.objectives import ACCURACY, OBJECTIVES, Costs, flash_words
from edgecnn.tune.records import TrialRecord, best_of
from edgecnn.tune.study import Found
from edgecnn.tune.toml_text import toml_document, toml_value

BEST = "best"
TRIALS_CSV = "trials.csv"
PARETO_PNG = "pareto.png"


def chosen(records: Sequence[TrialRecord], pick: int | None) -> TrialRecord:
    """The trial whose recipe is written out.

    Args:
        records: Of the study.
        pick: Its number, or None for the most accurate one.

    Raises:
        UsageError: No trial has that number, or it was not trained to its end.
        EdgecnnError: No trial was.
    """
    best = best_of(records)
    if best is None:
        seen = [f"trial {one.number} {one.state}{f' ({one.note})' if one.note else ''}" for one in records[-3:]]
        raise EdgecnnError(
            f"none of {len(records)} trials was trained to its end: {'; '.join(seen) or 'there is none'}. Widen the "
            "space towards smaller networks, raise the budget, or run more --trials."
        )
    if pick is None:
        return best
    found = next((one for one in records if one.number == pick), None)
    if found is None or found.state != "trained":
        what = "there is no such trial" if found is None else f"it is {found.state}, not trained"
        front = ", ".join(str(one.number) for one in records if one.on_front)
        raise UsageError(f"--pick {pick}: {what}. On the front are: {front}.")
    return found


def write_outcome(asked: Search, found: Found, best: TrialRecord) -> list[Path]:
    """Write the table, the picture and the best recipe into the study's folder, each whole or not at all.

    Args:
        asked: The search.
        found: What it found.
        best: The trial to write out.

    Returns:
        The files, and the folder of the model.

    Raises:
        MissingDependencyError: Matplotlib is not installed.
        EdgecnnError: The folder cannot be written to.
    """
    table, picture, folder = (asked.folder / name for name in (TRIALS_CSV, PARETO_PNG, BEST))
    write_text(table, trials_csv(found.records, list(asked.space.parameters)))
    budget = asked.recipe().budget
    limits = {"flash": budget.flash, "arena": budget.ram, "macs": budget.macs}
    names = [name for name in asked.objectives if name != ACCURACY] or ["flash"]
    axes = [_axis(name, [one.costs for one in found.records if one.costs], limits[name]) for name in names]
    points = [point for one in found.records if (point := _point(one, best)) is not None]
    pareto_png(points, axes, picture, f"{asked.study}: {len(found.records)} trials")
    write_best(asked, found, best, folder)
    return [table, picture, folder]


def write_best(asked: Search, found: Found, best: TrialRecord, folder: Path) -> None:
    """A trial as a model's folder, which ``edgecnn train`` takes."""
    recipe = asked.recipe(best.values)
    header = [
        f"# Found by edgecnn tune: trial {best.number} of the study {asked.study}.",
        f"# {summary(best)}; flash is {flash_words(found.target)}.",
        *(f"# {key} = {toml_value(value)}" for key, value in best.values.items()),
    ]
    document = recipe.model_dump(mode="python", exclude_unset=True)
    texts = {folder / "recipe.toml": "\n".join([*header, "", toml_document(document)])}
    if asked.model.source.is_file():
        with readable_os_errors(asked.model.source, "read"):
            texts[folder / "model.py"] = asked.model.source.read_text(encoding="utf-8")
    write_files(texts)


def summary(record: TrialRecord) -> str:
    """A trial's figures in a line: ``validation accuracy 97.22 %, flash 9,312 B, arena 640 B, MACs 25,600``."""
    parts = [] if record.accuracy is None else [f"{OBJECTIVES[ACCURACY].title} {percent(record.accuracy)}"]
    if record.costs is not None:
        parts += [f"flash {count(record.costs.flash)} B", f"arena {count(record.costs.arena)} B"]
        parts += [f"MACs {count(record.costs.macs)}"]
    return ", ".join(parts)


def doubt(record: TrialRecord) -> str:
    """How sure a trial's accuracy is, as a sentence; empty where it is not known."""
    if record.accuracy is None or not record.samples:
        return ""
    interval = wilson(round(record.accuracy * record.samples), record.samples)
    return (
        f"{count(record.samples)} validation samples: between {percent(interval.low)} and {percent(interval.high)} "
        "with 95 % confidence, and the best of many is lucky too"
    )


def trials_csv(records: Sequence[TrialRecord], keys: Sequence[str]) -> str:
    """A line for each trial: how it ended, its figures, and what it tried."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "state", "front", *OBJECTIVES, "epochs", *keys, "note", "run"])
    for one in records:
        figures = [one.value(name) for name in OBJECTIVES]
        shown = ["" if value is None else f"{value:.6g}" if value < 1 else f"{value:.0f}" for value in figures]
        values = [_cell(one.values.get(key, "")) for key in keys]
        writer.writerow([one.number, one.state, int(one.on_front), *shown, one.epochs, *values, one.note, one.run])
    return text.getvalue()


def _cell(value: object) -> object:
    return value if isinstance(value, str | int | float) else toml_value(value)


def _axis(name: str, costs: Sequence[Costs], budget: int | None) -> Axis:
    """A cost in units of 1,000 or 1,000,000 where its values are large."""
    largest = max((getattr(one, name) for one in costs), default=0)
    scale, prefix = (1e6, "M") if largest >= 2e6 else (1e3, "k") if largest >= 2e3 else (1.0, "")
    words = {"k": "thousand", "M": "million", "": ""}[prefix]
    unit = f"{prefix}B" if OBJECTIVES[name].unit else words
    return Axis(name, f"{OBJECTIVES[name].title} ({unit})" if unit else OBJECTIVES[name].title, scale, budget)


_KINDS: dict[str, Literal["trained", "stopped", "over budget"]] = {
    "trained": "trained",
    "stopped": "stopped",
    "over budget": "over budget",
}


def _point(record: TrialRecord, best: TrialRecord) -> Point | None:
    """A trial in the picture; None for one whose place is not known."""
    kind = _KINDS.get(record.state)
    if kind is None or record.costs is None:
        return None
    costs = {name: float(getattr(record.costs, name)) for name in ("flash", "arena", "macs")}
    front = kind == "trained" and record.on_front
    return Point(
        record.number, costs, record.accuracy, "front" if front else kind, best=record.number == best.number
    )
