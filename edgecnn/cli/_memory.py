"""The memory plan as ``summary`` and ``export`` print it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from edgecnn.formats import count, shape_text

if TYPE_CHECKING:
    from edgecnn.memory_plan import MemoryPlan, PlannedLayer


def memory_table(plan: MemoryPlan) -> Table:
    """A line for each layer, within 80 columns: what it costs and how its output is kept; scratch if there is any."""
    table = Table(box=None, pad_edge=False)
    headings = ["compiled layer", "output", "MACs", "kept", "bytes"]
    if any(layer.scratch_bytes for layer in plan.layers):
        headings.append("scratch")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number in (0, 1, 3) else "right", no_wrap=True)
    for layer in plan.layers:
        table.add_row(*_cells(layer)[: len(headings)])
    return table


def _cells(layer: PlannedLayer) -> tuple[str, ...]:
    from edgecnn.memory_plan import kept_words

    return (
        layer.name,
        shape_text(layer.output_shape),
        count(layer.macs) if layer.macs else "",
        kept_words(layer),
        count(layer.output_bytes) if layer.output_bytes else "",
        count(layer.scratch_bytes) if layer.scratch_bytes else "",
    )


def memory_facts(plan: MemoryPlan) -> list[str]:
    """The totals, a line each."""
    lines = [f"arena    {count(plan.arena_bytes)} B (lower bound {count(plan.lower_bound_bytes)} B)"]
    if plan.push_arena_bytes is not None:
        lines.append(f"pushed   {count(plan.push_arena_bytes)} B when the input comes row by row: no input buffer")
    if plan.tflm_arena_bytes is not None:
        lines.append(f"tflm     {count(plan.tflm_arena_bytes)} B: TFLite Micro's arena, measured on x86-64")
    elif plan.tflm_note:
        lines.append(f"tflm     TFLite Micro's arena is not known: {plan.tflm_note}")
    tables = f", and {count(plan.lookup_bytes)} B of look-up tables" if plan.lookup_bytes else ""
    lines.append(f"weights  {count(plan.weight_bytes)} B{tables}")
    lines.append(f"caller   input {count(plan.input_bytes)} B, output {count(plan.output_bytes)} B")
    return lines
