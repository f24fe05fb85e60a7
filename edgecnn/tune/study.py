"""A search: trial after trial, until the study has as many as were asked for, in one process or in many."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from edgecnn.errors import UsageError
from edgecnn.tune.asked import Follower, Search
from edgecnn.tune.evaluation import Evaluation, SurplusError, counts
from edgecnn.tune.objectives import OBJECTIVES
from edgecnn.tune.records import TrialRecord, record_of, records_of
from edgecnn.tune.sampling import make_sampler
from edgecnn.tune.storage import import_optuna, open_study, quiet_optuna, settle_target, usable_storage

USUAL_TRIALS = 20

_AGAIN = "again"    # attribute of a trial: the number of the interrupted one whose values it tries


@dataclass(frozen=True)
class Found:
    """A study after a search.

    Attributes:
        records: Its trials.
        target: Whose code is counted as flash; None where it is weights and tables alone.
        limit: How many trials the study was to have.
    """

    records: list[TrialRecord]
    target: str | None
    limit: int


def search(asked: Search, follower: Follower) -> Found:
    """Run trials until the study has as many as were asked for.

    Every process that shares the study counts all its trials: those that ended, and those that run anywhere. A trial
    that was interrupted (Ctrl-C, a lost machine) does not count, and is tried again before anything new.

    Args:
        asked: What to do.
        follower: Told of every trial and epoch of this process.

    Raises:
        UsageError: The study is about something else, or the recipe cannot be trained.
        MissingDependencyError: Optuna or TensorFlow is not installed.
        EdgecnnError: The storage or the data cannot be had, or several trials in a row failed in the same way.
    """
    recipe = asked.recipe()
    if recipe.model.task == "filter":
        raise UsageError(f"{recipe.model.name}: a filter has nothing to be right about, so nothing to search for.")
    about = {
        "model": recipe.model.name,
        "recipe": recipe.model_dump(mode="json", exclude_unset=True),
        "space": asked.space.document(),
        "objectives": list(asked.objectives),
    }
    sampler = make_sampler(asked.sampler, asked.space, recipe.train.seed)
    limit = _limit(asked)
    directions = [OBJECTIVES[name].direction for name in asked.objectives]
    with usable_storage(asked.storage):
        study = open_study(asked.storage, asked.study, directions, json.loads(json.dumps(about)))
        target = settle_target(study, asked.target)
        study.sampler = sampler
        evaluation: Evaluation | None = None
        while put_back(study, len(asked.space.parameters)) < limit:
            evaluation = evaluation or Evaluation(asked, target, limit, follower)
            try:
                with quiet_optuna():
                    study.optimize(evaluation, n_trials=1)
            except SurplusError:
                break
            follower.end(record_of(study.get_trials(deepcopy=False)[evaluation.number], asked.space))
            evaluation.refuse_a_mistake()
        return Found(records_of(study, asked.space), target, limit)


def _limit(asked: Search) -> int:
    if asked.sampler != "grid":
        return USUAL_TRIALS if asked.trials is None else asked.trials
    points = math.prod(map(len, asked.space.grid().values()))
    return points if asked.trials is None else min(points, asked.trials)


def put_back(study: Any, parameters: int) -> int:
    """Queue what was interrupted, and say how many trials count.

    A trial whose process is gone shows no sign of life any more: it is interrupted, too.
    """
    with quiet_optuna():
        import_optuna().storages.fail_stale_trials(study)
    trials = study.get_trials(deepcopy=False)
    again = {trial.user_attrs.get(_AGAIN) for trial in trials}
    tried = [trial.params for trial in trials if counts(trial)]
    for trial in trials:
        lost = trial.state.name == "FAIL" and trial.number not in again and len(trial.params) == parameters
        if lost and trial.params not in tried:
            study.enqueue_trial(trial.params, user_attrs={_AGAIN: trial.number})
    return sum(map(counts, trials))
