"""Which form each layer takes: the goal and the budgets that the user set, and what came of them, layer by layer.

- ``speed``: the fastest forms, whatever they take.
- ``balanced``: the fastest forms with which weights and code, and the arena, are near the smallest.
- ``ram``: the smallest arena that any forms have, and in it the fastest ones.
- ``size``: the least code and weights, to be built with ``-Os``.

Where costs were never measured, on processors with megabytes of memory, ``balanced`` is ``speed``.

A budget for the arena or for flash stands in for what a goal would leave of it: ``speed`` then takes the fastest forms
within the budget, ``balanced`` may go up to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from firmware_export.choice.costs import CORES, load_costs, weight_bytes
from firmware_export.choice.search import faster, smallest, within_arena, within_flash
from firmware_export.choice.selection import Selection, Selections
from firmware_export.errors import ModelError
from firmware_export.layer import Layer, Program
from firmware_export.plan import Plan

Optimize = Literal["balanced", "speed", "ram", "size"]
"""What forms are chosen for."""

NEAR_ARENA = (3 / 8, 2048)
"""Balanced: how much larger than the smallest the arena may be, as a part of it or in bytes, whichever is more."""

NEAR_FLASH = (1 / 4, 4096)
"""Balanced: how much larger than with the smallest weights flash may be: a part of that, and bytes."""


@dataclass(frozen=True)
class Goal:
    """What is wanted.

    Attributes:
        optimize: What forms are chosen for.
        ram: Bytes that the arena may have at most: ``<NAME>_ARENA_BYTES``. Input and output, which the caller holds,
            and the stack come on top. None for what ``optimize`` says.
        flash: Bytes that code, weights and tables together may have at most. None for what ``optimize`` says.
        core: Whose costs are expected, the name of a target. What is chosen goes by the core that stands for the
            instruction set: it is the same C for all that have it.
    """

    optimize: Optimize = "balanced"
    ram: int | None = None
    flash: int | None = None
    core: str | None = None


@dataclass(frozen=True)
class Pick:
    """The form of a layer.

    Attributes:
        layer: In that form.
        forms: How many it could have had.
        instructions: That it is expected to take; None for a kernel that was never counted.
        weight_bytes: Of its tables in flash.
        why: What decided, a few words.
    """

    layer: Layer
    forms: int
    instructions: int | None
    weight_bytes: int
    why: str


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Attributes:
        goal: What was wanted.
        plan: Of the layers as they were chosen.
        picks: One for each layer.
        core: Whose costs are expected; None if they are not known.
        instructions: Expected of an inference on it, built with -O2; None if a kernel was never counted there.
        flash_bytes: Expected code, weights and tables; None without costs.
    """

    goal: Goal
    plan: Plan
    picks: tuple[Pick, ...]
    core: str | None
    instructions: int | None
    flash_bytes: int | None


def choose(program: Program, goal: Goal) -> Choice:
    """Choose a form for each layer, and plan. Deterministic.

    Args:
        program: With all forms of its layers.
        goal: What is wanted.

    Raises:
        ModelError: A budget cannot be met; the message names the nearest that can.
    """
    costs = load_costs(CORES.get(program.instruction_set))
    selections = Selections(program, costs, goal.optimize == "size")
    limits = _Limits(_arena_limit(selections, goal), _flash_limit(selections, goal))
    return _described(selections, goal, limits, _chosen(selections, goal, limits))


@dataclass(frozen=True)
class _Limits:
    """Bytes of the arena and of flash, at most; None for any number."""

    arena: int | None
    flash: int | None


def _chosen(selections: Selections, goal: Goal, limits: _Limits) -> Selection:
    if goal.optimize == "size":
        chosen = smallest(selections, limits.arena)
    else:
        chosen = selections.fastest if limits.arena is None else within_arena(selections, limits.arena)
    if limits.flash is None:
        return chosen
    smaller = within_flash(selections, chosen, limits.flash, limits.arena) or smallest(selections, limits.arena)
    least = selections.flash(smaller)
    if goal.flash is not None and least > goal.flash:
        within = f" in an arena of {limits.arena:,} bytes" if limits.arena is not None else ""
        hint = "" if goal.optimize == "size" else "; --optimize size builds with -Os"
        raise ModelError(
            f"--flash {goal.flash}: the least code and weights of this network{within} are expected to take "
            f"{least:,} bytes{hint}."
        )
    return smaller if goal.optimize == "size" else faster(selections, smaller, max(limits.flash, least), limits.arena)


def _flash_limit(selections: Selections, goal: Goal) -> int | None:
    """Bytes; None for any number.

    Raises:
        ModelError: There is a budget, and nobody knows how large code gets.
    """
    if goal.flash is not None:
        if selections.costs is None:
            raise ModelError(f"--flash {goal.flash}: how large code gets on this processor was never measured.")
        return goal.flash
    if goal.optimize != "balanced" or selections.costs is None:
        return None
    small = selections.select(lambda form: (form.weights, form.instructions))
    part, more = NEAR_FLASH
    return int(selections.flash(small) * (1 + part)) + more


def _arena_limit(selections: Selections, goal: Goal) -> int | None:
    """Bytes; None for any.

    Raises:
        ModelError: The budget is too small.
    """
    unlimited = goal.optimize in ("speed", "size") or (goal.optimize == "balanced" and selections.costs is None)
    if goal.ram is None and unlimited:
        return None
    least = selections.plan(selections.lean).arena_bytes
    if goal.ram is not None and goal.ram < least:
        raise ModelError(f"--ram {goal.ram}: the smallest arena of this network is {least:,} bytes.")
    if goal.optimize == "ram":
        return least
    return goal.ram if goal.ram is not None else least + max(int(least * NEAR_ARENA[0]), NEAR_ARENA[1])


def _described(selections: Selections, goal: Goal, limits: _Limits, chosen: Selection) -> Choice:
    planned, costs = selections.plan(chosen), load_costs(goal.core) or selections.costs
    layers = planned.program.layers
    counts = [costs.instructions(layer) if costs is not None else None for layer in layers]
    picks = tuple(
        Pick(
            layer=layer,
            forms=len(selections.forms[index]),
            instructions=None if count is None else round(count),
            weight_bytes=weight_bytes(layer),
            why=_why(selections, goal, limits, chosen, index),
        )
        for index, (layer, count) in enumerate(zip(layers, counts, strict=True))
    )
    known = [count for count in counts if count is not None]
    total = None
    if costs is not None and len(known) == len(counts):
        total = round(sum(known) + costs.between(layers))
    flash = selections.flash(chosen) if selections.costs is not None else None
    return Choice(goal, planned, picks, costs.core if costs is not None else None, total, flash)


def _why(selections: Selections, goal: Goal, limits: _Limits, chosen: Selection, layer: int) -> str:
    forms = selections.forms[layer]
    if len(forms) == 1:
        return "the only form"
    if chosen[layer] == 0:
        return f"the fastest of {len(forms)} forms"
    taken, fastest = forms[chosen[layer]], forms[0]
    memory = fastest.memory - taken.memory
    flash = selections.flash((*chosen[:layer], 0, *chosen[layer + 1 :])) - selections.flash(chosen)
    room = limits.flash is None or selections.flash(chosen) + flash <= limits.flash
    if memory > 0 and room and goal.optimize != "size":
        return f"{fastest.layer.kernel} needs {memory:,} bytes more of memory"
    return f"{fastest.layer.kernel} takes {flash:,} bytes more of flash"
