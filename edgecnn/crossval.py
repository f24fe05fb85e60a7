"""Cross-validation: one training for each fold of a data set, for each seed, or for both; what they have in common."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from edgecnn.data import DataSet, open_dataset
from edgecnn.display import Display
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.files import is_there, sha256_bytes, write_json, write_text
from edgecnn.keras_quiet import fresh_session
from edgecnn.pipeline import train_stage
from edgecnn.quantization.compare import other_metrics
from edgecnn.quantize_run import quantize_stage
from edgecnn.recipe import Recipe
from edgecnn.runs import INFO, KERAS, Run, create_run, is_resumable, runs_root
from edgecnn.zoo import ModelFolder

CSV, JSON = "crossval.csv", "crossval.json"

METRICS: dict[str, str] = {
    "accuracy": "accuracy",
    "auc": "AUC",
    "macro_f1": "macro F1",
    "mean_iou": "mean IoU",
}
"""Figures of a run and their titles, in the order of the table; each task has some of them."""


@dataclass(frozen=True)
class Part:
    """One training.

    Attributes:
        fold: ``data.fold``; None where the recipe's own split is kept.
        seed: ``train.seed``.
    """

    fold: int | None
    seed: int

    @property
    def name(self) -> str:
        """Of its folder: ``fold-0-seed-1``."""
        return f"seed-{self.seed}" if self.fold is None else f"fold-{self.fold}-seed-{self.seed}"


@dataclass(frozen=True)
class Plan:
    """A cross-validation.

    Attributes:
        model: What is trained.
        recipe: With every override, for all parts.
        parts: The trainings, in order.
        int8: Quantize each, and measure that too.
        root: The folder that holds their runs.
    """

    model: ModelFolder
    recipe: Recipe
    parts: tuple[Part, ...]
    int8: bool
    root: Path

    def recipe_of(self, part: Part) -> Recipe:
        """The recipe of one training."""
        data = self.recipe.data if part.fold is None else self.recipe.data.model_copy(update={"fold": part.fold})
        train = self.recipe.train.model_copy(update={"seed": part.seed})
        return self.recipe.model_copy(update={"data": data, "train": train})


@dataclass(frozen=True)
class PartResult:
    """What a training came to, on its own test split.

    Attributes:
        part: Which one.
        run: Its folder.
        samples: Of the test split.
        figures: By name: ``accuracy``, ``auc``, …; of the int8 file ``int8_accuracy``, ….
    """

    part: Part
    run: Path
    samples: int
    figures: Mapping[str, float]


class Follower(Protocol):
    """Who wants to follow a cross-validation."""

    def begin(self, part: Part, number: int, parts: int) -> Display:
        """A training begins, or goes on; its stages are told to what is returned."""

    def end(self, result: PartResult, earlier: bool) -> None:
        """It is done, or was already in an ``earlier`` cross-validation."""


def make_plan(
    model: ModelFolder, recipe: Recipe, folds: int | str | None, seeds: int | None, int8: bool, out: Path | None
) -> Plan:
    """Which trainings there are, and where.

    Args:
        model: What is trained.
        recipe: With every override.
        folds: ``all`` of the set's, or a number for ``data.folds``; None for all, or with ``seeds`` for none.
        seeds: How many, from the recipe's on; None for that one.
        int8: Quantize each run.
        out: The folder; by default one below ``runs/<model>`` whose name depends on the recipe and on ``model.py``, so
            that the same command finds what it did before.

    Raises:
        UsageError: The set has no folds, or other ones; or the recipe holds a fold already.
        EdgecnnError: The data set cannot be had.
    """
    if recipe.model.task == "filter":
        raise UsageError(f"{recipe.model.name}: a filter has nothing to be right about, so nothing to validate.")
    if isinstance(folds, int):
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"folds": folds})})
    count = None if folds is None and seeds is not None else _folds(recipe, folds)
    if count is not None:    # the parts have a fold each
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"fold": None})})
    chosen: Sequence[int | None] = [None] if count is None else range(count)
    parts = tuple(
        Part(fold, seed) for fold in chosen for seed in range(recipe.train.seed, recipe.train.seed + (seeds or 1))
    )
    return Plan(model, recipe, parts, int8, out or runs_root() / recipe.model.name / _name(model, recipe))


def _folds(recipe: Recipe, asked: int | str | None) -> int:
    dataset = open_dataset(recipe.data)
    if dataset.folds is None:
        split = f" with data.split = {recipe.data.split!r}" if recipe.data.split is not None else ""
        raise UsageError(
            f"the data set {dataset.info.name}{split} has no folds: it has one test split. Train several seeds on it "
            "with --seeds 3, or choose a --set data.split=… that has folds, where the set knows one."
        )
    if isinstance(asked, int) and dataset.folds != asked:
        raise UsageError(f"--folds {asked}: the data set {dataset.info.name} has {dataset.folds} folds: --folds all")
    return dataset.folds


def _name(model: ModelFolder, recipe: Recipe) -> str:
    """``crossval-`` and what tells this recipe and ``model.py`` from others; the seed and the fold are the parts'."""
    document = recipe.model_dump(mode="json", exclude={"data": {"fold"}, "train": {"seed"}})
    return f"crossval-{sha256_bytes(json.dumps(document, sort_keys=True).encode() + _source(model.source))[:8]}"


def cross_validate(plan: Plan, follower: Follower) -> list[PartResult]:
    """Train, evaluate and where wanted quantize every part that is not done yet; the table is written after each.

    Args:
        plan: What to do.
        follower: Told of every part.

    Returns:
        A result for each part, in order; they are also in ``crossval.csv`` and ``crossval.json``.

    Raises:
        UsageError: A run in the folder was made by another recipe.
        EdgecnnError: Data, training or quantization failed; what was made before stays.
    """
    results: list[PartResult] = []
    for number, part in enumerate(plan.parts):
        run = _run_of(plan, part)
        earlier = run is not None and _is_done(run, plan.int8)
        if not earlier:
            run = _train(plan, part, run, follower.begin(part, number, len(plan.parts)))
        assert run is not None    # what is done has one
        results.append(_result(part, run, plan.int8))
        write_table(plan, results)
        follower.end(results[-1], earlier)
    return results


def _run_of(plan: Plan, part: Part) -> Run | None:
    """The run of a part that was begun earlier, or None."""
    path = plan.root / part.name
    if not is_there(path / INFO):
        return None
    run = Run(path)
    other = "recipe" if run.info.recipe.model_dump() != plan.recipe_of(part).model_dump() else ""
    if _source(run.file("model.py")) != _source(plan.model.source):
        other = other or "model.py"
    if other:
        raise UsageError(
            f"{path} was trained by another {other}. Choose another folder with --out, or leave it out: each recipe "
            "and model.py then have a folder of their own."
        )
    return run


def _source(path: Path) -> bytes:
    """What a ``model.py`` holds; nothing where the recipe has an architecture."""
    return path.read_bytes() if path.is_file() else b""


def _is_done(run: Run, int8: bool) -> bool:
    info = run.info
    return KERAS in info.artefacts and info.evaluation is not None and (info.quantization is not None or not int8)


def _train(plan: Plan, part: Part, run: Run | None, display: Display) -> Run:
    recipe = plan.recipe_of(part)
    dataset: DataSet = open_dataset(recipe.data)
    if run is None:
        run = create_run(plan.model, recipe, plan.root / part.name)
    fresh_session()
    train_stage(run, dataset, display, resume=is_resumable(run))
    if plan.int8:
        quantize_stage(run, dataset, display)
    return run


def _result(part: Part, run: Run, int8: bool) -> PartResult:
    info = run.info
    if info.evaluation is None:
        raise EdgecnnError(f"{run.path} holds no evaluation. Remove that folder and run the same command again.")
    figures: dict[str, float] = {"accuracy": info.evaluation.accuracy, **other_metrics(info.evaluation)}
    if int8 and info.quantization is not None:
        found = {"accuracy": info.quantization.accuracy, **info.quantization.metrics}
        figures |= {f"int8_{name}": value for name, value in found.items() if value is not None}
    return PartResult(part, run.path, info.evaluation.samples, figures)


@dataclass(frozen=True)
class Spread:
    """A figure over all parts.

    Attributes:
        mean: Of the parts; each counts the same, whatever the size of its test split.
        deviation: The sample standard deviation (divided by N - 1); None for a single part.
    """

    mean: float
    deviation: float | None


def spreads(results: Sequence[PartResult]) -> dict[str, Spread]:
    """Mean and deviation of each figure that all parts have, in the order of ``figure_names``.

    Raises:
        ValueError: There is no result.
    """
    found = {}
    for name in figure_names(results):
        values = [one.figures[name] for one in results if name in one.figures]
        if len(values) == len(results):    # the AUC of a fold with one class is not known, nor is the mean over all
            deviation = statistics.stdev(values) if len(values) > 1 else None
            found[name] = Spread(math.fsum(values) / len(values), deviation)
    return found


def figure_names(results: Sequence[PartResult]) -> list[str]:
    """The figures that some part has: float ones in the order of ``METRICS``, then those of the int8 files."""
    if not results:
        raise ValueError("no results")
    there = {name for one in results for name in one.figures}
    known = [*METRICS, *(f"int8_{name}" for name in METRICS)]
    return [name for name in known if name in there] + sorted(there - set(known))


def title_of(name: str) -> str:
    """A figure's name for people: ``int8 macro F1``."""
    plain = name.removeprefix("int8_")
    return f"{'int8 ' if plain != name else ''}{METRICS.get(plain, plain)}"


def document(plan: Plan, results: Sequence[PartResult]) -> dict[str, Any]:
    """The table as JSON has it."""
    return {
        "model": plan.recipe.model.name,
        "data": plan.recipe.data.set,
        "folder": str(plan.root),
        "complete": len(results) == len(plan.parts),
        "parts": [
            {
                **({} if one.part.fold is None else {"fold": one.part.fold}),
                "seed": one.part.seed,
                "samples": one.samples,
                **one.figures,
                "run": str(one.run),
            }
            for one in results
        ],
        "summary": {name: {"mean": one.mean, "deviation": one.deviation} for name, one in spreads(results).items()},
    }


def write_table(plan: Plan, results: Sequence[PartResult]) -> None:
    """``crossval.json`` and ``crossval.csv`` in the folder of the runs, each whole or not at all."""
    write_json(plan.root / JSON, document(plan, results))
    write_text(plan.root / CSV, "\n".join(_csv_lines(results)) + "\n")


def _csv_lines(results: Sequence[PartResult]) -> Iterator[str]:
    names, whole = figure_names(results), spreads(results)
    yield _row(["fold", "seed", "samples", *names, "run"])
    for one in results:
        fold = "" if one.part.fold is None else one.part.fold
        yield _row([fold, one.part.seed, one.samples, *(_cell(one.figures.get(name)) for name in names), one.run])
    yield _row(["mean", "", "", *(_cell(whole[name].mean if name in whole else None) for name in names), ""])
    yield _row(["deviation", "", "", *(_cell(whole[name].deviation if name in whole else None) for name in names), ""])


def _row(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
