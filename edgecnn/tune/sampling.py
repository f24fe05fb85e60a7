"""What is tried next, and when a trial is given up: samplers by name, and the median rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from edgecnn.tune.space import Space
from edgecnn.tune.storage import import_optuna

SAMPLERS: dict[str, str] = {
    "grid": "every combination of choices and steps, once",
    "random": "drawn at random",
    "tpe": "at random first, then where good trials lie denser than bad ones",
}

STARTUP_TRIALS = 5
"""No trial is given up before so many others, as cheap as it, ended."""


def make_sampler(name: str, space: Space, seed: int) -> Any:
    """An ``optuna.samplers.BaseSampler``.

    Args:
        name: Key of ``SAMPLERS``. ``tpe`` is that of Bergstra et al., Algorithms for Hyper-Parameter Optimization
            (2011), with the split by non-domination of Ozaki et al. (2020) where there are several objectives.
        space: What is searched over.
        seed: What a trial tries at random depends on it and on the trial's number alone, whichever process runs it.

    Raises:
        UsageError: The grid is asked for, and a range has no end of values.
    """
    samplers = import_optuna().samplers
    if name == "grid":
        return samplers.GridSampler(space.grid(), seed=seed)
    if name == "random":
        return _seeded_by_trial(lambda number: samplers.RandomSampler(seed=number), seed)
    return _seeded_by_trial(lambda number: samplers.TPESampler(seed=number, constant_liar=True), seed)


def _seeded_by_trial(make: Callable[[int], Any], seed: int) -> Any:
    """A sampler that is made anew for each trial.

    With one generator a process, two processes that share a study would draw the same values.
    """
    optuna = import_optuna()

    class Seeded(optuna.samplers.BaseSampler):    # type: ignore[misc, name-defined]
        """Made here because Optuna is imported late."""

        def __init__(self) -> None:
            self._inner = make(seed)

        def before_trial(self, study: Any, trial: Any) -> None:
            self._inner = make((seed * 1_000_003 + trial.number) % 2**32)
            self._inner.before_trial(study, trial)

        def infer_relative_search_space(self, study: Any, trial: Any) -> Any:
            return self._inner.infer_relative_search_space(study, trial)

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> Any:
            return self._inner.sample_relative(study, trial, search_space)

        def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
            return self._inner.sample_independent(study, trial, param_name, param_distribution)

        def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
            self._inner.after_trial(study, trial, state, values)

    return Seeded()


@dataclass(frozen=True)
class Curve:
    """A trial that ended, as the median rule sees it.

    Attributes:
        costs: Its value in each objective but accuracy; less is better.
        accuracy: On the validation split after each epoch.
    """

    costs: Mapping[str, float]
    accuracy: Sequence[float]


def should_stop(accuracy: Sequence[float], costs: Mapping[str, float], ended: Sequence[Curve], warm_up: int) -> bool:
    """Whether a trial is worse than most of its rivals: those that cost no more in any objective.

    After the median stopping rule of Golovin et al., Google Vizier (2017), section 3.2.2, as Optuna's MedianPruner has
    it: a trial stops when the best that it has reached is below the median of what others had at the same epoch. Optuna
    has no pruning for several objectives; there the rule looks at rivals alone, because a smaller network may be less
    accurate than a larger one and still be the best of its size. With accuracy alone every trial is a rival.

    Args:
        accuracy: Of the running trial after each epoch so far; at least one.
        costs: Of the running trial.
        ended: Trials that were trained to their end.
        warm_up: Epochs before the first judgement.
    """
    if len(accuracy) <= warm_up:
        return False
    rivals = [one for one in ended if all(one.costs[name] <= cost for name, cost in costs.items())]
    now = [one.accuracy[len(accuracy) - 1] for one in rivals if len(one.accuracy) >= len(accuracy)]
    return len(rivals) >= STARTUP_TRIALS and bool(now) and max(accuracy) < median(now)
