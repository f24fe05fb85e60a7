"""The table that ends ``edgecnn bench`` and ``edgecnn run``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from edgecnn.formats import ABSENT, milliseconds
from edgecnn.report.conditions import device_line, method_line
from edgecnn.report.metrics import Metric, cell, known
from edgecnn.report.view import data_line, half_interval, has_accuracy, median_half, memory_line, scaled, stem
from edgecnn.results import BoardEntry, Entry, Results


def terminal_table(results: Results) -> RenderableType:
    """The figures of every entry and board, and what they were measured on, for a console of 80 columns or more.

    Names fold where the console is narrow; figures are never cut. Colour is the console's affair: off a terminal the
    same renderable comes out as plain text. Each device has a table of its own.
    """
    parts: list[RenderableType] = [Text(results.model.name, style="bold"), Text("")]
    devices = list(dict.fromkeys(entry.device for entry in results.entries))
    for device in devices:
        entries = [entry for entry in results.entries if entry.device == device]
        if len(devices) > 1 or device:
            parts += [Text(f"on {device}" if device else "on this machine", style="bold")]
        parts += [_Figures(results, entries), Text("")]
    if results.boards:
        parts += [Text("on emulated boards", style="bold"), _BoardFigures(results), Text("")]
    return Group(*parts, _remarks(results))


@dataclass(frozen=True)
class _Figures:
    """Entries of one device, with the columns as far apart as the console has room for, and as many of them."""

    results: Results
    entries: Sequence[Entry]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        beside = known(self.results.entries)
        own = [metric for metric in beside if not metric.everywhere]
        unbounded = options.update(width=1000)
        named = len({(entry.runtime, entry.precision) for entry in self.entries}) < len(self.entries)
        # Where it is narrow, the figure of the task tells more than how often int8 and float agree, and the file's
        # name says nothing that runtime and type do not say already.
        forms = [(beside, True, True), (own, True, True), (own, True, named), (own, not own, named)]
        tried = [(metrics, padding, agreement, model) for padding in (1, 0) for metrics, agreement, model in forms]
        for metrics, padding, agreement, model in tried:
            table = _table(self.results, self.entries, metrics, padding, agreement, model)
            if console.measure(table, options=unbounded).maximum <= options.max_width:
                yield table
                return
        table = _table(self.results, self.entries, own, 0, not own, named)    # names fold
        fits = console.measure(table, options=unbounded).minimum <= options.max_width
        yield table if fits else _table(self.results, self.entries, [], 0, True, named)


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
        _Column("size\nkB", lambda entry: _kilobytes(entry.size_bytes)),
        *(quality if judged else []),
        _Column("p50\nms ±95 %", _median),
        _Column("p95\nms", lambda entry: milliseconds(entry.p95_ms)),
        _Column("RSS\nMB", _resident),
        *([_Column("agree\n%", _agreement)] if judged and agreement else []),
    ]


_ACCURACY = {"segmentation": "pixel acc."}


def _table(
    results: Results, entries: Sequence[Entry], metrics: Sequence[Metric], padding: int, agreement: bool, model: bool
) -> Table:
    table = _empty(padding)
    table.add_column("runtime", overflow="fold", min_width=4)
    if model:
        table.add_column("model", overflow="fold", min_width=4)
    table.add_column("type", no_wrap=True)
    columns = _columns(results, metrics, agreement)
    for column in columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    for entry in entries:
        names = (entry.runtime, *([stem(entry)] if model else []), entry.precision)
        table.add_row(*map(Text, (*names, *(column.cell(entry) for column in columns))))
    return table


def _empty(padding: int) -> Table:
    return Table(box=box.SIMPLE_HEAD, padding=(0, padding, 0, 0), pad_edge=False, show_edge=False)


@dataclass(frozen=True)
class _BoardFigures:
    """The emulated boards."""

    results: Results

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        unbounded = options.update(width=1000)
        for padding, agreement in ((1, True), (0, True), (0, False)):
            table = self._table(padding, agreement)
            if console.measure(table, options=unbounded).maximum <= options.max_width:
                break
        yield table

    def _table(self, padding: int, agreement: bool) -> Table:
        boards = self.results.boards
        judged = any(board.accuracy is not None for board in boards)
        several = len({(board.artefact, board.optimization) for board in boards}) > 1
        table = _empty(padding)
        table.add_column("board", overflow="fold", min_width=4)
        if several:
            table.add_column("model", overflow="fold", min_width=4)
        headings = ["instruc-\ntions", "per\nMAC", "arena\nkB", "stack\nB", "code\nkB", "weights\nkB"]
        headings += ["accuracy\n% ±95 %", *(["agree\n%"] if agreement else [])] if judged else []
        for heading in headings:
            table.add_column(heading, justify="right", no_wrap=True)
        for board in boards:
            names = [board.target, *([f"{stem(board)} {board.optimization}"] if several else [])]
            judgement = [_accuracy(board), *([_agreement(board)] if agreement else [])] if judged else []
            table.add_row(*map(Text, (*names, *_board_cells(board), *judgement)))
        return table


def _board_cells(board: BoardEntry) -> list[str]:
    each = board.instructions_per_mac
    return [
        scaled(board.instructions),
        ABSENT if each is None else f"{each:.2f}" if each < 1e4 else f"{each:.1e}",
        _kilobytes(board.arena_bytes),
        ABSENT if board.stack_bytes is None else _scaled(board.stack_bytes).removesuffix(".0"),
        _kilobytes(board.code_bytes),
        _kilobytes(board.weights_bytes),
    ]


def _kilobytes(value: int | None) -> str:
    return ABSENT if value is None else _scaled(value / 1e3)


def _resident(entry: Entry) -> str:
    return ABSENT if entry.peak_rss_bytes is None else _scaled(entry.peak_rss_bytes / 1e6)


def _agreement(record: Entry | BoardEntry) -> str:
    return ABSENT if record.agreement_with_float is None else f"{record.agreement_with_float * 100:.2f}"


def _accuracy(record: Entry | BoardEntry) -> str:
    if record.accuracy is None:
        return ABSENT
    half = half_interval(record)
    return f"{record.accuracy * 100:.2f}" + ("" if half is None else f" ±{half * 100:.2f}")


def _median(entry: Entry) -> str:
    """The median with half its interval, which is never rounded down to nothing: ``0.0159 ±0.0027``."""
    text, half = milliseconds(entry.p50_ms), median_half(entry)
    if not math.isfinite(half) or "e" in text or half >= 1e5:
        return f"{text} ±{milliseconds(half)}"
    decimals = len(text.partition(".")[2])
    return f"{text} ±{max(half, 10.0**-decimals if half else 0.0):.{decimals}f}"


def _scaled(value: float) -> str:
    """One decimal as long as that says something: ``98.5``, ``1450.2``, ``12345``."""
    if value >= 1e7:
        return f"{value:.1e}"
    return f"{value:.1f}" if value < 10_000 else f"{value:.0f}"


def _remarks(results: Results) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    lines = [("Device", device_line(results.device))]
    lines += [("", f"{host}: {device_line(device)}") for host, device in results.devices.items()]
    lines.append(("Data", data_line(results)))
    lines.append(("How", method_line(results)))
    if (memory := memory_line(results)) is not None:
        lines.append(("Memory", memory))
    lines += [("Note", note) for note in results.notes]
    for name, text in lines:
        grid.add_row(name, Text(text))
    return grid
