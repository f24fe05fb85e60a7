"""What a search is asked for, and who follows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from edgecnn.recipe import Recipe
from edgecnn.tune.records import TrialRecord
from edgecnn.tune.space import Space, overrides
from edgecnn.zoo import ModelFolder


@dataclass(frozen=True)
class Search:
    """What was asked for.

    Attributes:
        model: Whose recipe is searched over.
        given: What ``--set`` changes in every trial.
        space: What each trial may change.
        objectives: Keys of ``OBJECTIVES``; accuracy is the first.
        sampler: Key of ``SAMPLERS``.
        trials: Of the study, whoever runs them; None for the usual number, and for the whole of a grid.
        prune: Give up trials that are worse than most.
        study: Name of the study.
        storage: Its database's URL.
        target: Whose code counts as flash; None for the usual one.
        folder: Where the runs and the outcome go on this machine.
    """

    model: ModelFolder
    given: tuple[str, ...]
    space: Space
    objectives: tuple[str, ...]
    sampler: str
    trials: int | None
    prune: bool
    study: str
    storage: str
    target: str | None
    folder: Path

    def recipe(self, values: Mapping[str, Any] | None = None) -> Recipe:
        """The recipe with a trial's values in it, or without any."""
        return self.model.recipe([*self.given, *overrides(values or {})])


class Follower(Protocol):
    """Who wants to follow a search."""

    def begin(self, number: int, done: int, trials: int, values: Mapping[str, Any]) -> None:
        """A trial begins; ``done`` of ``trials`` have begun before it, here and elsewhere."""

    def epoch(self, epoch: int, epochs: int, accuracy: float) -> None:
        """An epoch is done, the first one is 1; ``accuracy`` is that on the validation split."""

    def end(self, record: TrialRecord) -> None:
        """The trial ended."""
