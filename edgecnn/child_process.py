"""Starts Python processes that import what this one would, whatever lies in the working folder."""

from __future__ import annotations

import signal
import sys


def python_command(program: str, *arguments: str) -> list[str]:
    """The command line of a fresh Python that searches modules where this process does.

    ``python -m`` and ``python -c`` put the working folder first: a user's own ``random.py`` or ``keras.py`` there would
    come into the process.

    Args:
        program: Python source on one line, such as ``from package.module import main; main()``.
        arguments: What the program finds in ``sys.argv[1:]``.
    """
    return [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {program}", *arguments]


def said_lines(stderr: bytes) -> list[str]:
    """What a process wrote to standard error, line by line, without indentation and empty lines."""
    return [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]


def signal_name(number: int) -> str:
    """What ended a process: ``SIGSEGV`` for 11, ``signal 99`` for a number without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
