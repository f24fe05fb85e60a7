"""The compiler's choice of kernels as ``export`` prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from edgecnn.formats import count

if TYPE_CHECKING:
    from edgecnn.kernel_choice import KernelChoice


def choice_table(choice: KernelChoice) -> Table:
    """A line for each layer: its kernel, what that takes, and what decided."""
    table = Table(box=None, pad_edge=False)
    for number, heading in enumerate(("compiled layer", "kernel", "instructions", "weights", "why")):
        table.add_column(heading, justify="right" if number in (2, 3) else "left", no_wrap=number < 4)
    for layer in choice.layers:
        expected = count(layer.instructions) if layer.instructions is not None else ""
        table.add_row(layer.name, layer.kernel, expected, count(layer.weight_bytes), layer.why)
    return table


def choice_facts(choice: KernelChoice) -> list[str]:
    """The totals that are expected, a line each."""
    lines = [f"kernels  chosen for {choice.optimize}{_budgets(choice)}"]
    if choice.instructions is not None:
        lines.append(f"expected {count(choice.instructions)} instructions an inference on {choice.core} at -O2")
    return lines


def _budgets(choice: KernelChoice) -> str:
    ram = f", an arena of at most {count(choice.ram_budget)} B" if choice.ram_budget is not None else ""
    return f"{ram}, flash of at most {count(choice.flash_budget)} B" if choice.flash_budget is not None else ram
