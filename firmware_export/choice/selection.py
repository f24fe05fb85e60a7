"""Forms of layers, one for each: what a selection of them takes, and what changes when it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from firmware_export.choice.costs import Costs
from firmware_export.choice.forms import Form, ranked_forms, with_forms
from firmware_export.layer import Layer, Program
from firmware_export.plan import Plan
from firmware_export.schedule import fits, plan

Selection = tuple[int, ...]
"""By layer: which of its forms, counted from the fastest one."""


@dataclass(frozen=True)
class Move:
    """From one selection to another, and what that changes."""

    to: Selection
    flash: int
    memory: int
    instructions: float


class Selections:
    """All selections of a program.

    Attributes:
        program: With all forms of its layers.
        costs: Of its core; None if they are not known.
        for_size: Code is built for size.
    """

    def __init__(self, program: Program, costs: Costs | None, for_size: bool) -> None:
        self.program, self.costs, self.for_size = program, costs, for_size
        self.forms = [ranked_forms(layer, costs) for layer in program.layers]
        read = {read.value for layer in program.layers for read in layer.reads}
        self._constants = sum(len(value.data) for value in program.values if value.data and value.index in read)
        self._plans: dict[Selection, Plan] = {}
        self._fits: dict[tuple[Selection, int], bool] = {}

    def plan(self, selection: Selection) -> Plan:
        """Of the layers in these forms."""
        if selection not in self._plans:
            self._plans[selection] = plan(with_forms(self.program, self.layers(selection)))
        return self._plans[selection]

    def fits(self, selection: Selection, arena: int) -> bool:
        """Whether the plan of these forms needs no more bytes than so many."""
        if selection in self._plans:
            return self._plans[selection].arena_bytes <= arena
        if (selection, arena) not in self._fits:
            self._fits[selection, arena] = fits(with_forms(self.program, self.layers(selection)), arena)
        return self._fits[selection, arena]

    def layers(self, selection: Selection) -> list[Layer]:
        """In these forms."""
        return [forms[index].layer for forms, index in zip(self.forms, selection, strict=True)]

    def instructions(self, selection: Selection) -> float:
        """Of all layers, without what lies between them."""
        return sum(form.instructions for form in self.chosen(selection))

    def flash(self, selection: Selection) -> int:
        """Weights, tables and code; without costs no code."""
        weights = sum(form.weights for form in self.chosen(selection)) + self._constants
        return weights + (self.costs.code(self.layers(selection), self.for_size) if self.costs else 0)

    @property
    def fastest(self) -> Selection:
        """The fastest form of each layer."""
        return (0,) * len(self.forms)

    @cached_property
    def lean(self) -> Selection:
        """The forms that need the least memory; of those that need the same, the fastest."""
        return self.select(lambda form: (form.memory, form.instructions))

    def select(self, cost: Callable[[Form], tuple[float, ...]]) -> Selection:
        """The best form of each layer by some measure."""
        return tuple(min(range(len(forms)), key=lambda index: cost(forms[index])) for forms in self.forms)

    def chosen(self, selection: Selection) -> list[Form]:
        return [forms[index] for forms, index in zip(self.forms, selection, strict=True)]

    def needs_no_more(self, trial: Selection, begin: Selection) -> bool:
        """Whether no layer needs more memory than in ``begin``."""
        needs = zip(self.chosen(trial), self.chosen(begin), strict=True)
        return all(new.memory <= old.memory for new, old in needs)

    def moves(self, here: Selection) -> Iterator[Move]:
        """Another form for one layer; and for all layers with a kernel the fastest one with another kernel."""
        users = Counter(form.layer.kernel for form in self.chosen(here))
        for layer, forms in enumerate(self.forms):
            old = forms[here[layer]]
            for index, new in enumerate(forms):
                if index != here[layer]:
                    flash = new.weights - old.weights
                    if new.layer.kernel != old.layer.kernel:
                        flash += self._code(new) if not users[new.layer.kernel] else 0
                        flash -= self._code(old) if users[old.layer.kernel] == 1 else 0
                    to = (*here[:layer], index, *here[layer + 1 :])
                    yield Move(to, flash, new.memory - old.memory, new.instructions - old.instructions)
        for kernel in sorted(name for name, count in users.items() if count > 1):
            trial = list(here)
            for layer, forms in enumerate(self.forms):
                others = [index for index, form in enumerate(forms) if form.layer.kernel != kernel]
                if forms[here[layer]].layer.kernel == kernel and others:
                    trial[layer] = others[0]
            yield self._move(here, tuple(trial))

    def _move(self, here: Selection, to: Selection) -> Move:
        memory = sum(form.memory for form in self.chosen(to)) - sum(form.memory for form in self.chosen(here))
        instructions = self.instructions(to) - self.instructions(here)
        return Move(to, self.flash(to) - self.flash(here), memory, instructions)

    def _code(self, form: Form) -> int:
        return self.costs.file(form.layer.kernel, self.for_size) if self.costs is not None else 0
