"""What a search may change: keys of the recipe, each with a range or with choices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from edgecnn.errors import UsageError
from edgecnn.tune.toml_text import toml_value

Scalar = str | int | float | bool


@dataclass(frozen=True)
class Range:
    """Numbers between two ends, both of them included; integers where both ends are.

    Attributes:
        low: The lower end.
        high: The upper end; with a step, a whole number of steps above ``low``.
        step: Distance of two values; None for every integer, or for a continuous range.
        log: Draw evenly in the logarithm, for what matters by its order of magnitude. Never with a step.
    """

    low: int | float
    high: int | float
    step: int | float | None = None
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether the values are integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def values(self) -> list[int | float] | None:
        """All values in order, or None where the range is continuous."""
        step = self.step if self.step is not None else 1 if self.whole else None
        if step is None:
            return None
        count = int((Decimal(str(self.high)) - Decimal(str(self.low))) / Decimal(str(step)))
        return [tidy(self.low + number * step, self) for number in range(count + 1)]


@dataclass(frozen=True)
class Choices:
    """Some values, of any type that a recipe may hold.

    Attributes:
        values: At least one, no two the same.
    """

    values: tuple[Any, ...]

    def stored(self) -> dict[Scalar, Any]:
        """What a study's storage keeps of each value, and the value: itself, or its JSON text for arrays and tables."""
        return {storable(value): value for value in self.values}


Parameter = Range | Choices


@dataclass(frozen=True)
class Space:
    """A space file.

    Attributes:
        path: The file.
        parameters: Keys of the recipe, such as ``train.batch``, in the order of the file.
    """

    path: Path
    parameters: Mapping[str, Parameter]

    def document(self) -> dict[str, Any]:
        """The space as JSON has it: what tells two spaces apart."""
        return {
            key: {"choices": list(one.values)} if isinstance(one, Choices) else vars(one)
            for key, one in self.parameters.items()
        }

    def grid(self) -> dict[str, list[Scalar]]:
        """All values of each key as a storage keeps them.

        Raises:
            UsageError: A range has no end of values.
        """
        axes: dict[str, list[Scalar]] = {}
        for key, parameter in self.parameters.items():
            values = list(parameter.stored()) if isinstance(parameter, Choices) else parameter.values()
            if values is None:
                raise UsageError(
                    f"{self.path}: {key}: --sampler grid needs an end of values, and this range is continuous. "
                    "Give it a step, write choices, or take --sampler tpe."
                )
            axes[key] = list(values)
        return axes

    def suggest(self, trial: Any) -> dict[str, Any]:
        """The values that a trial shall try, by key.

        Args:
            trial: An ``optuna.Trial``.
        """
        return {key: _suggest(trial, key, parameter) for key, parameter in self.parameters.items()}

    def values_of(self, stored: Mapping[str, Scalar]) -> dict[str, Any]:
        """What a trial's stored parameters stand for, by key; those that it did not come to are left out."""
        return {
            key: parameter.stored()[stored[key]] if isinstance(parameter, Choices) else tidy(stored[key], parameter)
            for key, parameter in self.parameters.items()
            if key in stored
        }


def overrides(values: Mapping[str, Any]) -> list[str]:
    """Values by key as ``load_recipe`` takes them: ``train.batch=64``."""
    return [f"{key}={toml_value(value)}" for key, value in values.items()]


def storable(value: Any) -> Scalar:
    """What a storage keeps of a choice: itself, or its JSON text."""
    return value if isinstance(value, str | int | float | bool) else json.dumps(value, ensure_ascii=False, default=str)


def _suggest(trial: Any, key: str, parameter: Parameter) -> Any:
    if isinstance(parameter, Choices):
        stored = parameter.stored()
        return stored[trial.suggest_categorical(key, list(stored))]
    if parameter.whole:
        step = parameter.step if parameter.step is not None else 1
        return trial.suggest_int(key, parameter.low, parameter.high, step=step, log=parameter.log)
    return tidy(
        trial.suggest_float(key, parameter.low, parameter.high, step=parameter.step, log=parameter.log), parameter
    )


def tidy(value: Any, parameter: Range) -> int | float:
    """Six significant digits, which a recipe can show: no search needs more, and no sum of steps ends in …0001."""
    if parameter.whole:
        return int(value)
    return min(max(float(f"{value:.6g}"), float(parameter.low)), float(parameter.high))
