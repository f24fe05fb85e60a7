"""``edgecnn doctor``."""

from __future__ import annotations

import dataclasses
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli._common import Output, common_options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edgecnn.doctor import Check
    from edgecnn.remote.facts import Fact

_MARKS = {"ok": "[green]✓[/green]", "missing": "[yellow]–[/yellow]", "broken": "[red]✗[/red]"}
_VERDICTS = {"ok": _MARKS["ok"], "warning": "[yellow]![/yellow]", "refused": _MARKS["broken"]}
_SECTIONS = {"base": "Base", "packages": "Packages", "tools": "Tools", "data": "Data sets", "folders": "Folders"}


@click.command()
@click.option("--deep", is_flag=True, help="Import each package too, in a process of its own (up to a minute).")
@click.option("--on", "on", metavar="ssh://…|FLEET.toml", help="What other machines are, before anything is copied.")
@click.option("--accept-new", is_flag=True, help="--on: trust a machine that ssh does not know yet.")
@common_options
def command(output: Output, deep: bool, on: str | None, accept_new: bool) -> int:
    """What is installed, what is missing for what, and the command that gets it.

    The exit code is 1 when not even the base works: when no .tflite file can be run here, or there with --on.

    \b
    Example:
      edgecnn doctor
      edgecnn doctor --deep       finds packages that do not import
      edgecnn doctor --on ssh://pi@raspberrypi.local
    """
    if on is not None:
        return _others(on, accept_new, output)
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
    return 0 if works else 1


def _others(on: str, accept_new: bool, output: Output) -> int:
    """Look at other machines; the exit code."""
    from edgecnn.fleet import Host, Outcome, load_fleet, on_all
    from edgecnn.remote.address import is_address, parse_address
    from edgecnn.remote.connection import connect
    from edgecnn.remote.facts import Facts, gather, judge

    if is_address(on):
        parse_address(on)    # refused in its own words
    hosts = [Host(address=on)] if is_address(on) else load_fleet(Path(on))

    def look(host: Host) -> tuple[Facts, list[Fact]]:
        with connect(host.where, accept_new) as connection:
            for remark in connection.remarks:
                output.say(remark)
            facts = gather(connection)
            return facts, judge(facts)

    with output.progress() as progress:
        progress.add_task("looking", total=None, note="")
        outcomes = on_all(hosts, look)
    if len(hosts) == 1 and outcomes[0].error is not None:
        raise outcomes[0].error
    page: list[RenderableType] = []
    documents: list[dict[str, Any]] = []

    def works(outcome: Outcome[tuple[Facts, list[Fact]]]) -> bool:
        return outcome.result is not None and all(fact.verdict != "refused" for fact in outcome.result[1])

    for outcome in outcomes:
        facts, judged = outcome.result or (None, [])
        page += _machine_page(outcome.host.title, judged, str(outcome.error) if outcome.error else "", works(outcome))
        documents.append({
            "host": outcome.host.title,
            "works": works(outcome),
            "error": str(outcome.error) if outcome.error else None,
            "checks": [fact.model_dump() for fact in judged],
            "facts": facts.model_dump() | {"architecture": facts.architecture} if facts is not None else None,
        })    # fmt: skip
    output.result(documents, *page)
    return 0 if all(works(outcome) for outcome in outcomes) else 1


def _machine_page(title: str, facts: list[Fact], error: str, works: bool) -> list[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    if error:
        return [f"{title}\n  {error}\n"]
    table = Table(box=None, pad_edge=False, show_header=False, width=80)
    table.add_column(width=1)
    table.add_column(width=13)
    table.add_column(overflow="fold")
    for fact in facts:
        table.add_row(_VERDICTS[fact.verdict], fact.name, Text(fact.found))
    advice = [f"  {fact.name}: {fact.advice}" for fact in facts if fact.advice]
    last = (
        "edgecnn can be deployed there."
        if works
        else Text("edgecnn cannot run there.", style="bold red")
    )
    return [f"{title}\n", table, "", *([*advice, ""] if advice else []), last, ""]


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
