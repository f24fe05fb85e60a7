"""The large figures at the top of the report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from edgecnn.formats import count, milliseconds, percent, size
from edgecnn.memory_plan import arithmetic
from edgecnn.report.metrics import accuracy_title, known
from edgecnn.report.view import entry_labels, float_entry, headline_entry, interval, median_interval, scaled
from edgecnn.results import Entry, Results


@dataclass(frozen=True)
class Headline:
    """One of them."""

    name: str
    value: str
    remark: str


def headlines(results: Results) -> list[Headline]:
    """Accuracy, the figure of its task, drop from float, size, fastest p50, instructions and arena, as far as known."""
    best = headline_entry(results.entries)
    found = [*_quality(results, best), *_cost(results, best)] if best is not None else []
    return [*found, *_compiled(results)]


def capital(text: str) -> str:
    """With a capital letter."""
    return text[:1].upper() + text[1:]


def _quality(results: Results, best: Entry) -> Iterator[Headline]:
    if best.accuracy is None:
        return
    between = interval(best)
    parts = [f"{best.precision} on {best.runtime}"]
    parts += [f"95 % interval {between}"] if between else []
    parts += [f"{count(best.samples)} samples"] if best.samples is not None else []
    yield Headline(capital(accuracy_title(results.model.task)), percent(best.accuracy), ", ".join(parts))
    for metric in known([best]):
        if not metric.everywhere:
            yield Headline(capital(metric.title), metric.text(metric.of(best)), f"{best.precision} on {best.runtime}")
    reference = float_entry(results.entries, best.samples)
    if reference is not None and reference.accuracy is not None and best is not reference:
        drop = f"{(reference.accuracy - best.accuracy) * 100:.2f}"
        drop = "0.00" if drop == "-0.00" else drop.replace("-", "−")
        remark = f"float32 on {reference.runtime}: {percent(reference.accuracy)}"
        yield Headline("Drop from float", f"{drop} points", remark)


def _cost(results: Results, best: Entry) -> Iterator[Headline]:
    entries = results.entries
    twins = [entry for entry in entries if entry.precision == "float32" and _suffix(entry) == _suffix(best)]
    remark = best.artefact
    if twins and best.precision != "float32" and twins[0].size_bytes > 0:
        remark += f", {best.size_bytes / twins[0].size_bytes:.2f} × {twins[0].artefact}"
    yield Headline("Size", size(best.size_bytes), remark)
    label, fastest = min(zip(entry_labels(entries), entries, strict=True), key=lambda pair: pair[1].p50_ms)
    remark = f"{label}, 95 % interval {median_interval(fastest)} ms"
    yield Headline("Fastest, p50", f"{milliseconds(fastest.p50_ms)} ms", remark)


def _compiled(results: Results) -> Iterator[Headline]:
    if results.boards:
        fewest = min(results.boards, key=lambda board: board.instructions)
        each = fewest.instructions_per_mac
        remark = f"{fewest.target}, {fewest.precision}" + ("" if each is None else f", {each:.2f} per MAC")
        yield Headline("Instructions", scaled(fewest.instructions), remark)
    if (memory := results.memory) is not None:
        beside = f"; TFLite Micro's: {size(memory.tflm_arena_bytes)}" if memory.tflm_arena_bytes is not None else ""
        yield Headline("RAM arena", size(memory.arena_bytes), f"compiled to C, {arithmetic(memory)}{beside}")


def _suffix(entry: Entry) -> str:
    return PurePath(entry.artefact).suffix
