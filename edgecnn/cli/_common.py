"""What all commands share: options, consoles, and how a result is printed."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Function = TypeVar("Function", bound=Callable[..., Any])


class Output:
    """Where a command's words go: results to standard output, progress and remarks to standard error.

    Attributes:
        json: Print one JSON document instead of text.
        quiet: Print no remarks and no progress.
    """

    def __init__(self, json: bool, quiet: bool) -> None:
        self.json = json
        self.quiet = quiet
        # Off a terminal rich would guess 80 columns and cut tables; wide enough loses nothing in a file.
        self.out = Console(width=None if sys.stdout.isatty() else 120, highlight=False, soft_wrap=False)
        self.err = Console(stderr=True, width=None if sys.stderr.isatty() else 120, highlight=False)

    def say(self, text: str) -> None:
        """A remark on what is being done; not shown with ``--quiet``."""
        if not self.quiet:
            self.err.print(text, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Something that the user should know, shown always."""
        self.err.print(f"Warning: {text}", style="yellow", markup=False, soft_wrap=True)

    def result(self, document: dict[str, Any] | list[Any], *renderables: RenderableType) -> None:
        """The command's result: ``document`` with ``--json``, otherwise the renderables."""
        if self.json:
            click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
            return
        for renderable in renderables:
            self.out.print(renderable)

    def progress(self) -> Progress:
        """A progress display on a terminal; nothing elsewhere or with ``--quiet``."""
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.err,
            transient=True,
            disable=self.quiet or not self.err.is_terminal,
        )


def common_options(function: Function) -> Function:
    """``--json``, ``--quiet`` and ``--debug``; the function gets an ``Output`` as ``output``."""

    @click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
    @click.option("-q", "--quiet", is_flag=True, help="No progress, no remarks: the result alone.")
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @functools.wraps(function)
    def wrapper(*args: Any, as_json: bool, quiet: bool, debug: bool, **kwargs: Any) -> Any:
        del debug    # read by main(), before any command runs
        return function(*args, output=Output(as_json, quiet), **kwargs)

    return wrapper    # type: ignore[return-value]


def split_names(text: str) -> list[str]:
    """``"a, b"`` to ``["a", "b"]``."""
    return [part.strip() for part in text.split(",") if part.strip()]


def joined(names: Iterable[str]) -> str:
    """Names as a list in a sentence."""
    return ", ".join(names)
