"""Which form each layer of a compiled network has, as a document: the compiler's choice and what decided it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from firmware_export.choice import Choice, Goal, Optimize
from firmware_export.emit.names import names_of


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ChosenLayer(_Record):
    """A layer in the form that was chosen. Sizes are in bytes."""

    name: str = Field(description="As in the C text: the operator and its number, conv_2d_1.")
    op: str = Field(description="TFLite's operator; COPY for a move that the compiler added.")
    kernel: str = Field(description="The kernel's function.")
    forms: int = Field(description="Forms that it could have had.")
    instructions: int | None = Field(description="Expected; None for a kernel that was never counted on the core.")
    weight_bytes: int = Field(description="Of its tables in flash.")
    scratch_bytes: int = Field(description="Of the arena while it works on a row.")
    why: str


class KernelChoice(_Record):
    """What was wanted, and what was chosen for it."""

    optimize: Optimize
    ram_budget: int | None = Field(description="For the arena, in bytes.")
    flash_budget: int | None = Field(description="For code, weights and tables, in bytes.")
    core: str | None = Field(description="Whose measured costs are expected.")
    instructions: int | None = Field(description="Expected of an inference on that core, built with -O2.")
    flash_bytes: int | None = Field(description="Expected code, weights and tables on it.")
    arena_bytes: int
    layers: tuple[ChosenLayer, ...]


def kernel_choice(choice: Choice, wanted: Goal) -> KernelChoice:
    """The document of a choice.

    Args:
        choice: The compiler's.
        wanted: What was asked for, before a budget was fitted to measured code.
    """
    names = names_of(choice.plan.program)
    return KernelChoice(
        optimize=wanted.optimize,
        ram_budget=wanted.ram,
        flash_budget=wanted.flash,
        core=choice.core,
        instructions=choice.instructions,
        flash_bytes=choice.flash_bytes,
        arena_bytes=choice.plan.arena_bytes,
        layers=tuple(
            ChosenLayer(
                name=name,
                op=pick.layer.op,
                kernel=pick.layer.function,
                forms=pick.forms,
                instructions=pick.instructions,
                weight_bytes=pick.weight_bytes,
                scratch_bytes=pick.layer.scratch_bytes + pick.layer.sums_bytes,
                why=pick.why,
            )
            for name, pick in zip(names.layers, choice.picks, strict=True)
        ),
    )
