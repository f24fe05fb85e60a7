"""The table that ends ``edgecnn bench`` and ``edgecnn run``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from edgecnn.formats import ABSENT, milliseconds
from edgecnn.report.view import data_line, device_line, half_interval, memory_line, method_line, stem
from edgecnn.results import Entry, Results


def terminal_table(results: Results) -> RenderableType:
    """The figures of every entry, and what they were measured on, for a console of 80 columns or more.

    Names fold where the console is narrow; figures are never cut. Colour is the console's affair: off a terminal the
    same renderable comes out as plain text.
    """
    heading = Text(results.model.name, style="bold")
    figures: list[RenderableType] = [_Figures(results.entries), Text("")] if results.entries else []
    return Group(heading, Text(""), *figures, _remarks(results))


@dataclass(frozen=True)
class _Figures:
    """The table, with the columns as far apart as the console has room for."""

    entries: Sequence[Entry]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        roomy = _table(self.entries, 1)
        needed = console.measure(roomy, options=options.update(width=1000)).maximum
        yield roomy if needed <= options.max_width else _table(self.entries, 0)


def _table(entries: Sequence[Entry], padding: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, padding, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("runtime", overflow="fold", min_width=4)
    table.add_column("model", overflow="fold", min_width=4)
    table.add_column("type", no_wrap=True)
    for heading in ("size\nkB", "accuracy\n% ±95 %", "p50\nms", "p95\nms", "RSS\nMB", "agree\n%"):
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in entries:
        table.add_row(*(Text(cell) for cell in _cells(entry)))
    return table


def _cells(entry: Entry) -> tuple[str, ...]:
    agreement = entry.agreement_with_float
    return (
        entry.runtime,
        stem(entry),
        entry.precision,
        _scaled(entry.size_bytes / 1e3),
        _accuracy(entry),
        milliseconds(entry.p50_ms),
        milliseconds(entry.p95_ms),
        ABSENT if entry.peak_rss_bytes is None else _scaled(entry.peak_rss_bytes / 1e6),
        ABSENT if agreement is None else f"{agreement * 100:.2f}",
    )


def _accuracy(entry: Entry) -> str:
    if entry.accuracy is None:
        return ABSENT
    half = half_interval(entry)
    return f"{entry.accuracy * 100:.2f}" + ("" if half is None else f" ±{half * 100:.2f}")


def _scaled(value: float) -> str:
    """One decimal as long as that says something: ``98.5``, ``1450.2``, ``12345``."""
    if value >= 1e7:
        return f"{value:.1e}"
    return f"{value:.1f}" if value < 10_000 else f"{value:.0f}"


def _remarks(results: Results) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    lines = [("Device", device_line(results.device)), ("Data", data_line(results))]
    lines.append(("How", method_line(results)))
    if (memory := memory_line(results)) is not None:
        lines.append(("Memory", memory))
    lines += [("Note", note) for note in results.notes]
    for name, text in lines:
        grid.add_row(name, Text(text))
    return grid
