"""The forms that a layer can have, and what each takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from firmware_export.choice.costs import Costs, weight_bytes
from firmware_export.layer import Layer, Program
from firmware_export.memory import aligned

WORTH_TELLING = 1.1
"""How much slower a layer is that adds up row after row, for the same layer without that to be a form of its own."""


def forms_of(layer: Layer) -> tuple[Layer, ...]:
    """A layer in each of its forms, as they were offered: the fastest first."""
    return tuple(replace(form, alternatives=()) for form in (layer, *layer.alternatives))


def with_forms(program: Program, forms: Sequence[Layer]) -> Program:
    """The program of one form for each layer."""
    return replace(program, layers=tuple(forms))


@dataclass(frozen=True)
class Form:
    """What one form of a layer takes.

    Attributes:
        layer: The form.
        instructions: Expected, for all its steps. Where none of the layer's forms was ever counted, they only tell
            which is faster.
        weights: Bytes in flash.
        memory: Bytes beside input and output: scratch memory and sums, and the window of the input that must be there
            at once if other forms add it up row after row.
    """

    layer: Layer
    instructions: float
    weights: int
    memory: int


def ranked_forms(layer: Layer, costs: Costs | None) -> tuple[Form, ...]:
    """A layer's forms with what they take, the fastest first."""
    forms = forms_of(layer)
    counted = _completed([costs.instructions(form) if costs is not None else None for form in forms])
    if counted and costs is not None:
        counted = _in_doubt_as_offered(counted, [costs.errors.get(form.function, 0.0) for form in forms])
    if not counted:    # the order in which they were offered decides
        counted = [float((layer.macs + layer.rows * layer.row_bytes) * (1 + rank)) for rank in range(len(forms))]
    adds_up = any(form.accumulating is not None for form in forms)
    found = []
    for form, instructions in zip(forms, counted, strict=True):
        memory = aligned(form.scratch_bytes) + aligned(form.sums_bytes)
        window = aligned(sum(read.count * read.row_bytes for read in form.reads)) if adds_up else 0
        plain = Form(replace(form, accumulating=None), instructions, weight_bytes(form), memory + window)
        if form.accumulating is None:
            found.append(plain)
            continue
        adding = (costs.instructions(form.accumulating) if costs is not None else None) or instructions
        if adding > instructions * WORTH_TELLING:    # the planner, which adds up wherever it saves memory, may not
            found.append(plain)
        weights = max(weight_bytes(form), weight_bytes(form.accumulating))
        found.append(Form(form, max(instructions, adding), weights, memory))
    return tuple(sorted(found, key=lambda form: form.instructions))


def _in_doubt_as_offered(counts: Sequence[float], errors: Sequence[float]) -> list[float]:
    """Expected instructions with the order in which forms were offered, where what is between them is within errors.

    Who wrote the kernels knows which is faster; a sum of five factors knows it where the difference is large.

    Args:
        counts: As expected, the form first that was offered as the fastest.
        errors: Of each, as a fraction.
    """
    found = list(counts)
    for index in range(len(found) - 2, -1, -1):
        for later in range(index + 1, len(found)):
            doubt = 1 + errors[index] + errors[later]
            if found[later] < found[index] <= found[later] * doubt:
                found[index] = found[later]
    return found


def _completed(counts: Sequence[float | None]) -> list[float]:
    """Forms that were never counted lie, as they were offered, between those that were; empty if none was."""
    known = [index for index, count in enumerate(counts) if count is not None]
    found = []
    for index, count in enumerate(counts):
        if count is None and known:
            before = [counts[one] for one in known if one < index][-1:]
            after = [counts[one] for one in known if one > index][:1]
            near = [one for one in (*before, *after) if one is not None]
            count = sum(near) / len(near) * (1.0 if len(near) > 1 else 1.1 if before else 0.9)
        if count is not None:
            found.append(count)
    return found
