"""What a search asks for: accuracy on the validation split, and what the compiled network takes of a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edgecnn.errors import EdgecnnError, UsageError, unknown_name
from edgecnn.mcu.sizes import measure
from edgecnn.memory_plan import memory_plan
from edgecnn.quantization.convert import convert
from edgecnn.recipe import BudgetSection
from firmware_export.compiler import compile_model
from firmware_export.errors import ModelError

ACCURACY = "accuracy"


@dataclass(frozen=True)
class Objective:
    """Something to be better in.

    Attributes:
        direction: Which way is better; the words are Optuna's.
        title: For people.
        unit: Of its values.
    """

    direction: Literal["maximize", "minimize"]
    title: str
    unit: str


OBJECTIVES: dict[str, Objective] = {
    ACCURACY: Objective("maximize", "validation accuracy", ""),
    "flash": Objective("minimize", "flash", "B"),
    "arena": Objective("minimize", "arena", "B"),
    "macs": Objective("minimize", "MACs", ""),
}

_BUDGETS = {"flash": "flash", "arena": "ram", "macs": "macs"}
"""Which key of ``[budget]`` holds which cost back."""


def parse_objectives(names: Sequence[str]) -> tuple[str, ...]:
    """Objectives in the order given, each once.

    Raises:
        UsageError: One is not known, or accuracy is not among them.
    """
    for name in names:
        if name not in OBJECTIVES:
            raise unknown_name("objective", name, list(OBJECTIVES))
    if ACCURACY not in names:
        raise UsageError(
            f"--objective {','.join(names)}: accuracy is missing. Without it the smallest network is the best one: "
            f"--objective {','.join([ACCURACY, *names])}"
        )
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class Costs:
    """What a network takes of a device, known before training.

    Arena and MACs do not depend on the values of weights; code does, by the bytes of a constant that fits an
    instruction or does not.

    Attributes:
        flash: Bytes: weights and tables, and with a target the code too.
        arena: Bytes, beside input and output.
        macs: Multiply-accumulates of one inference.
    """

    flash: int
    arena: int
    macs: int


def flash_words(target: str | None) -> str:
    """What the figure for flash counts."""
    return "weights and tables" if target is None else f"weights, tables and code for {target} at -Os"


def measure_costs(model: Any, inputs: np.ndarray, target: str | None) -> Costs:
    """Convert a model to int8 as it is, compile it, and read the plan.

    Args:
        model: A ``keras.Model``, trained or not; its weights are changed (``_disturb``).
        inputs: A few preprocessed samples ``[N, ...]``: enough to convert, not to be right.
        target: Count code for it, too.

    Raises:
        EdgecnnError: The model cannot become int8 throughout, or the compiler does not take it.
    """
    _disturb(model)
    data = convert(model, inputs).int8_tflite
    try:
        compiled = compile_model(data, "the int8 model", "model")
    except ModelError as error:
        raise EdgecnnError(str(error)) from error
    plan = memory_plan(compiled.plan)
    flash = plan.weight_bytes + plan.lookup_bytes
    if target is not None:
        flash = measure(compiled.files, "model", target).flash
    return Costs(flash, plan.arena_bytes, plan.macs)


def _disturb(model: Any) -> None:
    """Move biases and the vectors of normalizations a little off their initial values.

    The converter drops what multiplies by 1 or adds 0, which a fresh batch normalization does and a trained one does
    not: untouched, such a model would look smaller than it will be. Kernels are random as they are.
    """
    generator = np.random.default_rng(0)
    for variable in model.weights:
        if "float" in str(variable.dtype) and len(variable.shape) == 1:
            variable.assign(np.asarray(variable) + generator.uniform(0.01, 0.1, variable.shape).astype(np.float32))


def violations(costs: Costs, budget: BudgetSection) -> dict[str, float]:
    """By how much each budget is exceeded, as a share of it; 0 or less where it is kept.

    Args:
        costs: Of a trial.
        budget: The recipe's.

    Returns:
        By key of ``[budget]``, those that the recipe gives.
    """
    allowed = {key: getattr(budget, key) for key in _BUDGETS.values()}
    return {
        key: (getattr(costs, name) - allowed[key]) / allowed[key]
        for name, key in _BUDGETS.items()
        if allowed[key] is not None
    }


def excess(costs: Costs, budget: BudgetSection) -> list[str]:
    """The budgets that are exceeded, a few words each: ``flash 17,204 B of 16,000``."""
    over = violations(costs, budget)
    return [
        f"{name} {getattr(costs, name):,}{_space(OBJECTIVES[name].unit)} of {getattr(budget, key):,}"
        for name, key in _BUDGETS.items()
        if over.get(key, 0.0) > 0
    ]


def _space(unit: str) -> str:
    return f" {unit}" if unit else ""
