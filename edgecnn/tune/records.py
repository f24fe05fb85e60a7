"""Trials as people and files see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgecnn.tune.objectives import ACCURACY, OBJECTIVES, Costs
from edgecnn.tune.space import Space

State = Literal["trained", "stopped", "over budget", "failed", "running", "interrupted"]
"""``trained``: to its end. ``stopped``: worse than most of its rivals. ``over budget``: not trained at all. ``failed``:
it cannot be built, converted or trained. ``interrupted``: ended from outside; it is tried again."""


@dataclass(frozen=True)
class TrialRecord:
    """A trial.

    Attributes:
        number: From 0, in the order of their beginnings.
        state: How it ended.
        values: What it tried, by key of the recipe.
        accuracy: On the validation split: of the weights that training kept; of a stopped trial, the best so far.
        costs: None where they did not become known.
        epochs: That were trained.
        samples: Of the validation split, behind the accuracy; 0 where it was not trained to its end.
        note: What was over budget, or why it failed.
        run: Its run folder, on the machine that trained it; empty where there is none.
        on_front: Nothing that was trained is better in one objective and as good in all others.
    """

    number: int
    state: State
    values: dict[str, Any]
    accuracy: float | None = None
    costs: Costs | None = None
    epochs: int = 0
    samples: int = 0
    note: str = ""
    run: str = ""
    on_front: bool = False

    def value(self, objective: str) -> float | None:
        """Its value in an objective, as far as known."""
        if objective == ACCURACY:
            return self.accuracy
        return None if self.costs is None else float(getattr(self.costs, objective))


# What a trial leaves in the storage, beside its parameters and values.
COSTS, CURVE, OVER, PROBLEM, RUN, SAMPLES = "costs", "val_accuracy", "over_budget", "problem", "run", "samples"
SURPLUS = "surplus"    # it began when the study had its trials already, and was given up at once


def record_of(trial: Any, space: Space, front: frozenset[int] = frozenset()) -> TrialRecord:
    """A trial of the storage.

    Args:
        trial: An ``optuna.trial.FrozenTrial``.
        space: What is searched over.
        front: Numbers of the trials on the front.
    """
    kept = trial.user_attrs
    curve = kept.get(CURVE, [])
    state = _state(trial)
    accuracy = trial.values[0] if state == "trained" else max(curve, default=None)    # accuracy is the first objective
    return TrialRecord(
        number=trial.number,
        state=state,
        values=space.values_of(trial.params),
        accuracy=accuracy,
        costs=Costs(**kept[COSTS]) if COSTS in kept else None,
        epochs=len(curve),
        samples=kept.get(SAMPLES, 0),
        note=kept.get(PROBLEM) or "; ".join(kept.get(OVER, [])),
        run=kept.get(RUN, ""),
        on_front=trial.number in front,
    )


def _state(trial: Any) -> State:
    name = trial.state.name
    if name in ("COMPLETE", "RUNNING", "FAIL"):
        ended: dict[str, State] = {"COMPLETE": "trained", "RUNNING": "running", "FAIL": "interrupted"}
        return ended[name]
    if PROBLEM in trial.user_attrs:
        return "failed"
    return "over budget" if OVER in trial.user_attrs else "stopped"


def records_of(study: Any, space: Space) -> list[TrialRecord]:
    """All trials of a study that began, in their order; those that wait to be tried are not among them."""
    front = frozenset(trial.number for trial in study.best_trials)
    trials = [one for one in study.get_trials(deepcopy=False) if SURPLUS not in one.user_attrs]
    return [record_of(trial, space, front) for trial in trials if trial.state.name != "WAITING"]


def best_of(records: Sequence[TrialRecord]) -> TrialRecord | None:
    """The most accurate trial; of several, the one that costs least: flash first, then arena, then MACs."""
    trained = [one for one in records if one.state == "trained" and one.accuracy is not None]
    return min(trained, key=_rank, default=None)


def _rank(record: TrialRecord) -> tuple[float, ...]:
    signs = {name: -1.0 if one.direction == "maximize" else 1.0 for name, one in OBJECTIVES.items()}
    return (*(sign * (record.value(name) or 0.0) for name, sign in signs.items()), float(record.number))
