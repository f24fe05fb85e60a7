"""A trial: its network built, compiled and held against the budget, then trained, and left where others do better."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgecnn.data import DataSet, open_dataset
from edgecnn.errors import EdgecnnError, MissingDependencyError
from edgecnn.keras_quiet import fresh_session, import_keras
from edgecnn.quantization.convert import calibration_samples
from edgecnn.recipe import DataSection, Recipe
from edgecnn.runs import Run, create_run, discard_run
from edgecnn.training.train import built_model, train, training_splits
from edgecnn.tune import records
from edgecnn.tune.asked import Follower, Search
from edgecnn.tune.objectives import ACCURACY, Costs, excess, measure_costs, violations
from edgecnn.tune.sampling import Curve, should_stop
from edgecnn.tune.storage import import_optuna

_ALIKE = 3        # so many failures in a row with one message are a mistake in the recipe or in model.py
_SAMPLES = 8      # enough to convert a network whose ranges do not matter


class _StoppedError(EdgecnnError):
    """Leaves a training whose trial is given up."""


class SurplusError(Exception):
    """Two processes began the last trial at the same moment: this one gives way."""


def counts(trial: Any) -> bool:
    """Whether an Optuna trial is one of those that a study was asked for: it ended, or it runs somewhere."""
    return trial.state.name in ("COMPLETE", "PRUNED", "RUNNING")


class Evaluation:
    """The function that Optuna calls with each trial."""

    def __init__(self, asked: Search, target: str | None, limit: int, follower: Follower) -> None:
        self.number = -1
        self._folder = asked.folder
        self._asked, self._target, self._limit, self._follower = asked, target, limit, follower
        self._problems: list[str] = []
        self._costs: dict[str, Costs] = {}
        self._opened: tuple[DataSection, DataSet] | None = None
        self._dataset(asked.recipe().data)    # data that is not there is no fault of a trial
        import_keras("a search")    # before model.py imports it, which would not keep it quiet

    def __call__(self, trial: Any) -> tuple[float, ...]:
        values = self._asked.space.suggest(trial)
        others = [one for one in trial.study.get_trials(deepcopy=False) if counts(one) and one.number != trial.number]
        begun = (trial.datetime_start, trial.number)
        before = sum((one.datetime_start, one.number) < begun for one in others)
        if before >= self._limit:
            trial.set_user_attr(records.SURPLUS, True)
            raise SurplusError
        self.number = trial.number
        self._follower.begin(trial.number, before, self._limit, values)
        pruned = import_optuna().TrialPruned
        try:
            found = self._evaluate(trial, self._asked.recipe(values))
        except MissingDependencyError:
            raise
        except _StoppedError:
            self._problems.clear()
            raise pruned from None
        except EdgecnnError as error:
            # The run is gone: what was wrong is in the model that it was a copy of.
            problem = str(error).replace(str(self._folder / "model.py"), str(self._asked.model.source))
            self._problems.append(problem)
            trial.set_user_attr(records.PROBLEM, problem)
            trial.set_constraint("works", 1.0)
            raise pruned from error
        self._problems.clear()
        if found is None:
            raise pruned
        return found

    def refuse_a_mistake(self) -> None:
        """Stop a search whose last trials all failed in the same way.

        Raises:
            EdgecnnError: They did.
        """
        last = self._problems[-_ALIKE:]
        if len(last) == _ALIKE and len(set(last)) == 1:
            raise EdgecnnError(f"{_ALIKE} trials in a row failed in the same way: {last[0]}")

    def _evaluate(self, trial: Any, recipe: Recipe) -> tuple[float, ...] | None:
        """A trial's values in the objectives; None where it is over budget."""
        dataset = self._dataset(recipe.data)
        self._folder = _free_folder(self._asked.folder, trial.number)
        run = create_run(self._asked.model, recipe, self._folder)
        try:
            costs = self._measured(run, dataset)
            trial.set_user_attr(records.COSTS, asdict(costs))
            for key, value in violations(costs, recipe.budget).items():
                trial.set_constraint(key, value)
            if over := excess(costs, recipe.budget):
                trial.set_user_attr(records.OVER, over)
                discard_run(run)
                return None
            fresh_session()
            train(run, dataset, _Watcher(trial, costs, self._asked, self._follower))
        except BaseException:
            discard_run(run)
            raise
        training, data = run.info.training, run.info.data
        assert training is not None and data is not None    # what train() leaves
        trial.set_user_attr(records.RUN, str(run.path))
        trial.set_user_attr(records.SAMPLES, data.validation_samples)
        return tuple(
            training.val_accuracy if name == ACCURACY else float(getattr(costs, name))
            for name in self._asked.objectives
        )

    def _measured(self, run: Run, dataset: DataSet) -> Costs:
        """The costs of the run's network before any training; networks of one form are measured once."""
        recipe = run.info.recipe
        form = recipe.model_dump_json(include={"model": True, "preprocess": True, "data": _form_of(recipe.data)})
        if form not in self._costs:
            learned = training_splits(dataset, recipe).train
            run.record(preprocess=recipe.preprocess.fit(learned.x))
            samples = calibration_samples(learned, _SAMPLES, recipe.train.seed, one_class=True)
            inputs = run.info.preprocessing.apply(samples.x)
            self._costs[form] = measure_costs(built_model(run, dataset), inputs, self._target)
        return self._costs[form]

    def _dataset(self, section: DataSection) -> DataSet:
        """The data set of a section, opened again only where more than its augmentation changes."""
        plain = section.model_copy(update={"augment": type(section.augment)()})
        if self._opened is None or self._opened[0] != plain:
            self._opened = None    # frees the samples before others are read
            self._opened = plain, open_dataset(plain)
        return self._opened[1]


def _form_of(section: DataSection) -> set[str]:
    return set(type(section).model_fields) - {"augment"}


def _free_folder(folder: Path, number: int) -> Path:
    """Of a trial's run. A study of the same name in another storage may have left a folder."""
    path, count = folder / f"trial-{number:04d}", 1
    while path.exists():
        count += 1
        path = folder / f"trial-{number:04d}-{count}"
    return path


class _Watcher:
    """Follows the training of a trial, and leaves it when the trial is worse than most of its rivals."""

    def __init__(self, trial: Any, costs: Costs, asked: Search, follower: Follower) -> None:
        self._trial, self._asked, self._follower = trial, asked, follower
        self._costs = {name: float(getattr(costs, name)) for name in asked.objectives if name != ACCURACY}
        self._curve: list[float] = []

    def batch(self, epoch: int, step: int, steps: int, logs: dict[str, float]) -> None:
        """Nothing to do."""

    def epoch(self, epoch: int, epochs: int, values: dict[str, float], best: bool) -> None:
        """Note the accuracy, and judge the trial by it."""
        del best
        self._curve.append(round(values["val_accuracy"], 6))
        self._trial.set_user_attr(records.CURVE, self._curve)
        self._follower.epoch(epoch + 1, epochs, self._curve[-1])
        last = epoch + 1 >= epochs
        if self._asked.prune and not last and should_stop(self._curve, self._costs, self._ended(), epochs // 4):
            raise _StoppedError("worse than most of its rivals")

    def _ended(self) -> list[Curve]:
        states = (import_optuna().trial.TrialState.COMPLETE,)
        trials = self._trial.study.get_trials(deepcopy=False, states=states)
        return [
            Curve({name: one.user_attrs[records.COSTS][name] for name in self._costs}, one.user_attrs[records.CURVE])
            for one in trials
        ]
