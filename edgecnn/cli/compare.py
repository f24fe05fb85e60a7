"""``edgecnn compare``: what changed between two measurements, and whether it is more than noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edgecnn.cli._common import Output, common_options

if TYPE_CHECKING:
    from rich.table import Table

    from edgecnn.comparing import BoardComparison, Comparison, EntryComparison, Pair


@click.command(no_args_is_help=True)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@common_options
def command(a: str, b: str, output: Output) -> None:
    """Compare two measurements, runtime by runtime: B against A.

    A and B are results.json files, folders that hold one, or names of runs. A ratio of latencies stands with its 95 %
    interval; where that holds 1, the difference is noise. Instructions of boards are exact.

    \b
    Example:
      edgecnn compare runs/fashion_mnist_cnn/before fashion_mnist_cnn
      edgecnn compare bench-old/results.json bench-new --json
    """
    from edgecnn.comparing import compare, results_file
    from edgecnn.results import read_results

    paths = results_file(a), results_file(b)
    found = compare(read_results(paths[0]), read_results(paths[1]), (a, b))
    lines: list[Table | str] = [f"A  {paths[0]}\nB  {paths[1]}\n"]
    if found.entries:
        lines += [_entries(found), ""]
    if found.boards:
        lines += [_boards(found), ""]
    if not found.entries and not found.boards:
        lines.append("Nothing was measured on the same runtime, precision, threads and device in both.\n")
    lines.append("\n".join(_remarks(found)))
    output.result(found.model_dump(mode="json"), *lines)


def _entries(found: Comparison) -> Table:
    table = _table("runtime", "type", "A\nms", "B\nms", "B / A\n95 %", "", "accuracy\nB - A, points")
    for one in found.entries:
        table.add_row(*_entry_cells(one))
    return table


def _entry_cells(one: EntryComparison) -> list[str]:
    from edgecnn.formats import ABSENT, milliseconds

    where = f" at {one.device}" if one.device else ""
    threads = f" ×{one.threads}" if one.threads > 1 else ""
    accuracy = ABSENT
    if one.difference is not None and one.difference_low is not None and one.difference_high is not None:
        ends = f"{one.difference_low * 100:+.2f} to {one.difference_high * 100:+.2f}"
        accuracy = f"{one.difference * 100:+.2f} ({ends}) {one.accuracy_verdict}"
        if one.difference_low == one.difference_high == 0:
            accuracy = "same file, same result"
    return [
        f"{one.runtime}{threads}{where}",
        one.precision,
        milliseconds(one.p50_ms.a),
        milliseconds(one.p50_ms.b),
        f"{one.ratio:.3f} ({one.ratio_low:.3f} to {one.ratio_high:.3f})",
        one.verdict,
        accuracy,
    ]


def _boards(found: Comparison) -> Table:
    table = _table("board", "type", "instructions\nA", "B", "B / A", "arena\nB - A", "code\nB - A", "weights\nB - A")
    for one in found.boards:
        table.add_row(*_board_cells(one))
    return table


def _board_cells(one: BoardComparison) -> list[str]:
    from edgecnn.formats import ABSENT

    ratio = one.instructions.ratio
    return [
        one.target,
        one.precision,
        f"{one.instructions.a:,.0f}",
        f"{one.instructions.b:,.0f}",
        ABSENT if ratio is None else f"{ratio:.4f}",
        *(_bytes(pair) for pair in (one.arena_bytes, one.code_bytes, one.weights_bytes)),
    ]


def _bytes(pair: Pair | None) -> str:
    from edgecnn.formats import ABSENT

    return ABSENT if pair is None else f"{pair.b - pair.a:+,.0f} B" if pair.a != pair.b else "same"


def _table(*headings: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="left" if index < 2 or not heading else "right", overflow="fold")
    return table


def _remarks(found: Comparison) -> list[str]:
    """Sentences below the tables: sizes that differ, what has no counterpart, what to mind."""
    from edgecnn.formats import size

    lines = []
    seen = set()
    for one in found.entries:
        if one.size_bytes.a != one.size_bytes.b and one.artefacts not in seen:
            seen.add(one.artefacts)
            sizes = f"{size(int(one.size_bytes.a))} in A, {size(int(one.size_bytes.b))} in B"
            lines.append(f"Size    {one.artefacts[1]}: {sizes}")
    if found.only_a:
        lines.append(f"Only A  {'; '.join(found.only_a)}")
    if found.only_b:
        lines.append(f"Only B  {'; '.join(found.only_b)}")
    lines += [f"Note    {note}" for note in found.notes]
    if any(one.verdict == "noise" for one in found.entries):
        lines.append("Noise: the interval of the ratio holds 1, so the two may well be equally fast.")
    return lines
