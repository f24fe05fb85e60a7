"""Compilers and emulators: found on the path, called with a time limit, absence and complaints explained."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edgecnn.errors import EdgecnnError
from edgecnn.mcu.targets import Target
from edgecnn.requirements import TOOLS

COMPILE_LIMIT_S = 300

VERSION_LIMIT_S = 20

_SHOWN_LINES = 12    # of a compiler's complaint
_BRACKETS = re.compile(r"\([^)]*\)+")
_VERSION = re.compile(r"\d+(\.\d+)+")


class MissingToolError(EdgecnnError):
    """A program is not installed."""


class BuildError(EdgecnnError):
    """A compiler or linker refused what it was given."""


def find_tool(names: Sequence[str], step: str) -> Path:
    """The first of some programs that is on the path.

    Args:
        names: Programs, any of which will do.
        step: What it is wanted for, as the beginning of a sentence.

    Raises:
        MissingToolError: None is there; the message has the command that installs it.
    """
    for name in names:
        if found := shutil.which(name):
            return Path(found)
    packages = next((tool.package or tool.name for tool in TOOLS if tool.name in names), names[0])
    raise MissingToolError(
        f"{step} needs {names[0]}, which is not installed. Get it with: sudo apt-get install {packages}"
    )


def compiler_of(target: Target) -> Path:
    """The target's compiler.

    Raises:
        MissingToolError: It is not installed.
    """
    return find_tool(target.compilers, f"compiling for {target.name}")


def emulator_of(target: Target) -> Path:
    """The QEMU that emulates the target.

    Raises:
        MissingToolError: It is not installed.
    """
    assert target.emulator is not None, f"{target.name} needs no emulator"
    return find_tool((target.emulator,), f"running {target.name} code")


def tool_version(program: Path) -> str:
    """Name and version of a compiler or emulator, such as ``qemu-system-arm 7.2.22``; the name alone if it tells none.

    Args:
        program: What ``find_tool`` found.
    """
    try:
        done = subprocess.run(
            [program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=VERSION_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return program.name
    # What stands in brackets is the distribution's own version.
    said = _BRACKETS.sub("", done.stdout.decode(errors="replace").partition("\n")[0])
    found = _VERSION.search(said)
    return f"{program.name} {found[0]}" if found and done.returncode == 0 else program.name


def require_tools(target: Target) -> None:
    """Find out that a program is missing before anything is done.

    Raises:
        MissingToolError: One is.
    """
    compiler_of(target)
    if target.emulator is not None:
        emulator_of(target)


def call(command: Sequence[str | Path], folder: Path, doing: str) -> None:
    """Run a compiler or linker.

    Args:
        command: The program and its arguments.
        folder: Where it runs.
        doing: For messages: ``compiling lenet5.c for cortex-m4``.

    Raises:
        BuildError: It refused, or did not end.
    """
    try:
        done = subprocess.run(
            list(map(str, command)),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMPILE_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(f"{doing}: {Path(command[0]).name} did not end within {COMPILE_LIMIT_S} s.") from None
    if done.returncode == 0:
        return
    said = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
    overflow = next((line for line in said if "overflowed by" in line), None)
    if overflow is not None:
        raise BuildError(f"{doing}: it does not fit into the board's memory: {overflow.split(': ', 1)[-1].strip()}.")
    shown = [line for line in said if "error" in line] or said
    raise BuildError("\n".join([f"{doing} failed:", *shown[:_SHOWN_LINES]]))
