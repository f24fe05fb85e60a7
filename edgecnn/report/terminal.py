"""The table that ends ``edgecnn bench`` and ``edgecnn run``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from edgecnn.formats import ABSENT, milliseconds
from edgecnn.report.metrics import Metric, cell, known
from edgecnn.report.view import (
    data_line,
    device_line,
    half_interval,
    has_accuracy,
    memory_line,
    method_line,
    stem,
)
from edgecnn.results import Entry, Results


def terminal_table(results: Results) -> RenderableType:
    """The figures of every entry, and what they were measured on, for a console of 80 columns or more.

    Names fold where the console is narrow; figures are never cut. Colour is the console's affair: off a terminal the
    same renderable comes out as plain text.
    """
    heading = Text(results.model.name, style="bold")
    figures: list[RenderableType] = [_Figures(results), Text("")] if results.entries else []
    return Group(heading, Text(""), *figures, _remarks(results))


@dataclass(frozen=True)
class _Figures:
    """The table, with the columns as far apart as the console has room for, and as many figures beside accuracy."""

    results: Results

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        beside = known(self.results.entries)
        own = [metric for metric in beside if not metric.everywhere]
        unbounded = options.update(width=1000)
        # Where it is narrow, the figure of the task tells more than how often int8 and float agree.
        tried = [(metrics, padding, True) for metrics in (beside, own) for padding in (1, 0)]
        tried += [(own, padding, not own) for padding in (1, 0)]
        for metrics, padding, agreement in tried:
            table = _table(self.results, metrics, padding, agreement)
            if console.measure(table, options=unbounded).maximum <= options.max_width:
                yield table
                return
        table = _table(self.results, own, 0, agreement=not own)    # names fold
        fits = console.measure(table, options=unbounded).minimum <= options.max_width
        yield table if fits else _table(self.results, [], 0, agreement=True)


@dataclass(frozen=True)
class _Column:
    """Figures of one kind."""

    heading: str
    cell: Callable[[Entry], str]


def _columns(results: Results, metrics: Sequence[Metric], agreement: bool) -> list[_Column]:
    """What is shown right of the names; without accuracy where nothing was judged."""
    judged = has_accuracy(results)
    quality = [
        _Column(f"{_ACCURACY.get(results.model.task, 'accuracy')}\n% ±95 %", _accuracy),
        *(_Column(metric.short, partial(cell, metric)) for metric in metrics),
    ]
    return [
        _Column("size\nkB", lambda entry: _scaled(entry.size_bytes / 1e3)),
        *(quality if judged else []),
        _Column("p50\nms", lambda entry: milliseconds(entry.p50_ms)),
        _Column("p95\nms", lambda entry: milliseconds(entry.p95_ms)),
        _Column("RSS\nMB", _resident),
        *([_Column("agree\n%", _agreement)] if judged and agreement else []),
    ]


_ACCURACY = {"segmentation": "pixel acc."}


def _table(results: Results, metrics: Sequence[Metric], padding: int, agreement: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, padding, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("runtime", overflow="fold", min_width=4)
    table.add_column("model", overflow="fold", min_width=4)
    table.add_column("type", no_wrap=True)
    columns = _columns(results, metrics, agreement)
    for column in columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    for entry in results.entries:
        names = (entry.runtime, stem(entry), entry.precision)
        table.add_row(*map(Text, (*names, *(column.cell(entry) for column in columns))))
    return table


def _resident(entry: Entry) -> str:
    return ABSENT if entry.peak_rss_bytes is None else _scaled(entry.peak_rss_bytes / 1e6)


def _agreement(entry: Entry) -> str:
    return ABSENT if entry.agreement_with_float is None else f"{entry.agreement_with_float * 100:.2f}"


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
