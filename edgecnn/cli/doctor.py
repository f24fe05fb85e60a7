"""``edgecnn doctor``."""

from __future__ import annotations

import dataclasses
import textwrap
from typing import TYPE_CHECKING

import click

from edgecnn.cli._common import Output, common_options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edgecnn.doctor import Check

_MARKS = {"ok": "[green]✓[/green]", "missing": "[yellow]–[/yellow]", "broken": "[red]✗[/red]"}
_SECTIONS = {"base": "Base", "packages": "Packages", "tools": "Tools", "data": "Data sets", "folders": "Folders"}


@click.command()
@click.option("--deep", is_flag=True, help="Import each package too, in a process of its own (up to a minute).")
@common_options
def command(output: Output, deep: bool) -> None:
    """What is installed, what is missing for what, and the command that gets it.

    The exit code is 1 when not even the base works: when no .tflite file can be run here.

    \b
    Example:
      edgecnn doctor
      edgecnn doctor --deep       finds packages that do not import
    """
    from edgecnn import doctor

    with output.progress() as progress:
        task = progress.add_task("looking", total=None, note="")
        checks = doctor.examine(deep, lambda name: progress.update(task, note=name))
    works = doctor.base_works(checks)
    document = {
        **doctor.machine(),
        "base_works": works,
        "deep": deep,
        "checks": [dataclasses.asdict(check) for check in checks],
    }
    output.result(document, *_page(doctor.machine(), checks, works))
    if not works:
        raise click.exceptions.Exit(1)


def _page(machine: dict[str, str], checks: list[Check], works: bool) -> list[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    title = Text(f"edgecnn {machine['edgecnn']}, Python {machine['python']}, {machine['platform']}", style="bold")
    table = Table(box=None, pad_edge=False, show_header=False, width=80)
    table.add_column(width=9)
    table.add_column(width=1)
    table.add_column(width=23)
    table.add_column(overflow="fold")
    shown = ""
    for check in checks:
        heading = _SECTIONS[check.section] if check.section != shown else ""
        shown = check.section
        table.add_row(Text(heading, style="bold"), _MARKS[check.status], check.name, Text(check.found or "not found"))
    page: list[RenderableType] = [title, "", table, ""]
    # On lines of their own, where nothing folds them.
    page += [f"{check.name.capitalize()} are written to {check.path}" for check in checks if check.section == "folders"]
    page.append("")
    wrong = [check for check in checks if check.status != "ok"]
    if wrong:
        page += [Text("What is not there, what it is for, and how to get it:", style="bold"), _advice(wrong), ""]
    page.append(
        "The base works: .tflite files can be run and measured here."
        if works
        else Text("The base does not work: no .tflite file can be run here.", style="bold red")
    )
    return page


def _advice(wrong: list[Check]) -> RenderableType:
    from rich.text import Text

    # Not a table: a command that is broken over two cells cannot be copied.
    lines = []
    for check in wrong:
        lines.append(f"  {check.name}: {check.purpose}")
        lines += textwrap.wrap(
            check.get,
            79,
            initial_indent=" " * 6,
            subsequent_indent=" " * 6,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return Text("\n".join(lines), no_wrap=True, overflow="ignore")
