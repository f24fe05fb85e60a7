"""What all commands share: options, consoles, and how a result is printed."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

Function = TypeVar("Function", bound=Callable[..., Any])

USUAL_RUNTIMES = ("litert", "litert-ref", "onnxruntime")
"""What is measured on when nobody says, as far as installed."""


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
            self.err.print(Text(text), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Something that the user should know, shown always."""
        self.err.print(Text(f"Warning: {text}", style="yellow"), soft_wrap=True)

    def result(self, document: dict[str, Any] | list[Any], *renderables: RenderableType) -> None:
        """The command's result: ``document`` with ``--json``, otherwise the renderables.

        A string is printed as it is: brackets in it are no markup, and no line of it is folded or cut, so that a path
        can be copied.
        """
        if self.json:
            click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
            return
        for renderable in renderables:
            if isinstance(renderable, str):
                self.out.print(Text(renderable), soft_wrap=True)
            elif self.out.is_terminal:
                self.out.print(renderable)
            else:    # in a file, without the blanks that fill up a table's last column
                with self.out.capture() as printed:
                    self.out.print(renderable)
                lines = (line.rstrip() for line in printed.get().split("\n"))
                self.out.print(Text("\n".join(lines)), soft_wrap=True, end="")

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
        output = Output(as_json, quiet)
        with _listening(output):
            return function(*args, output=output, **kwargs)

    return wrapper    # type: ignore[return-value]


class _Remarks(logging.Handler):
    """Says what the library logs."""

    def __init__(self, output: Output) -> None:
        super().__init__(logging.INFO)
        self.output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message as a remark."""
        self.output.say(self.format(record))


@contextlib.contextmanager
def _listening(output: Output) -> Iterator[None]:
    """While it lasts, what edgecnn's modules log (that a download begins) is a remark of the command."""
    logger, handler = logging.getLogger("edgecnn"), _Remarks(output)
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False    # TensorFlow gives the root logger a handler, which would print it again
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]


def split_names(text: str) -> list[str]:
    """``"a, b"`` to ``["a", "b"]``."""
    return [part.strip() for part in text.split(",") if part.strip()]


def asked_runtimes(on: str | None) -> list[str] | None:
    """What ``--on`` takes: runtimes separated by commas, each of them known and installed, none of them twice.

    Args:
        on: The option's text, or None where it was not given.

    Returns:
        The names in the order given, or None where there is no ``--on``.

    Raises:
        UsageError: There is no name in it, or one that is no runtime's.
        MissingDependencyError: A runtime is not installed.
    """
    if on is None:
        return None
    from edgecnn.errors import UsageError
    from edgecnn.runtimes import installed, missing, runtime_spec

    names = list(dict.fromkeys(split_names(on)))
    if not names:
        raise UsageError(f"--on {on!r}: no runtime named. For example: --on {','.join(USUAL_RUNTIMES)}")
    for name in names:
        runtime_spec(name)
        if not installed(name):
            raise missing(name, f"--on {name}")
    return names


def usual_runtimes(output: Output) -> list[str]:
    """The runtimes that are measured when nobody names any: those of ``USUAL_RUNTIMES`` that are installed.

    Raises:
        EdgecnnError: None is.
    """
    from edgecnn.errors import EdgecnnError
    from edgecnn.runtimes import installed

    usable = [name for name in USUAL_RUNTIMES if installed(name)]
    if not usable:
        raise EdgecnnError("no runtime is installed. `edgecnn doctor` says how to get one.")
    if missing := [name for name in USUAL_RUNTIMES if name not in usable]:
        output.say(f"Not installed, so left out: {', '.join(missing)}. `edgecnn doctor` says how to get them.")
    return usable
