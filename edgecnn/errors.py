"""Errors a user may see.

Every message says where, what was found, what is supported and what to do next. The command line prints the
message alone and leaves with ``exit_code``; a traceback is for our own mistakes only (``--debug`` shows it always).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class EdgecnnError(Exception):
    """Something outside the program's control is wrong: a file, a data set, a missing tool."""

    exit_code = 1


class UsageError(EdgecnnError):
    """What the user typed or wrote cannot be meant: an unknown name, a wrong type, a missing option."""

    exit_code = 2


class MissingDependencyError(EdgecnnError):
    """A Python package that this step needs is not installed.

    Args:
        package: Import name that failed, such as ``tensorflow``.
        extra: The edgecnn extra that brings it, such as ``train``; None for what the base install has.
        step: What was being done, as a noun phrase.
        get: What brings it where no extra does.
    """

    def __init__(self, package: str, extra: str | None, step: str, get: str = "") -> None:
        get = get or f"pip install 'edgecnn[{extra}]'"
        super().__init__(f"{step} needs {package}, which is not installed. Get it with: {get}")
        self.package = package
        self.extra = extra


def unknown_name(kind: str, name: str, known: Iterable[str], hint: str = "") -> UsageError:
    """The error for a name that is in no table, with the closest match.

    Args:
        kind: What the name should be, such as ``model``.
        name: What was typed.
        known: The names that exist; a sequence is listed in its order, anything else by the alphabet.
        hint: A last sentence on what else would be accepted.
    """
    names = list(known) if isinstance(known, Sequence) else sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    tail = f" {hint}" if hint else ""
    return UsageError(f"unknown {kind} {name!r}.{guess} Known: {', '.join(names) or 'none'}.{tail}")


def first_line(error: BaseException) -> str:
    """What a library's exception says, on one line and short enough for a sentence; without its full stop.

    Args:
        error: Any exception; one without a message is told by its type's name.

    Returns:
        At most 200 characters, never empty.
    """
    text = " ".join(str(error).split()).rstrip(". ") or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
