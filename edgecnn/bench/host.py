"""Where a measuring process runs: on this machine, or on another one that ``edgecnn.remote`` reaches."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgecnn.bench.temporary import writing_temporary
from edgecnn.child_process import python_command
from edgecnn.files import readable_os_errors

CHILD = "from edgecnn.bench.child import main; main()"
"""The program of a measuring process."""


class Process(Protocol):
    """A measuring process (``edgecnn.bench.child``): lines of JSON go in and come out.

    Attributes:
        returncode: Of the process once it has ended, as ``subprocess.Popen`` gives it: negative for a signal; None
            before, and where nobody can tell.
    """

    @property
    def returncode(self) -> int | None:
        """See above."""

    def send(self, line: str) -> None:
        """One line to its standard input; ``line`` has no line end.

        Raises:
            EdgecnnError: The way to the machine is cut. A process that has ended is no error here: ``lines`` ends.
        """

    def lines(self) -> Iterator[str]:
        """Lines of its standard output, until it ends; may be called again to go on reading."""

    def close(self) -> None:
        """End it, whatever it does, and wait until it has ended. May be called twice."""

    def last_words(self) -> bytes:
        """What it wrote to standard error; complete once it has ended."""


class Host(Protocol):
    """A machine on which measuring processes run; its facts and condition are asked of a process (``describe``).

    Attributes:
        name: Empty for this machine, otherwise ``user@host:port``, or what the fleet file calls it.
    """

    @property
    def name(self) -> str:
        """See above."""

    def start(self) -> Process:
        """A fresh process that runs ``CHILD``.

        Raises:
            EdgecnnError: It cannot be started.
        """

    def put(self, path: Path) -> str:
        """A file to the machine; the same content is sent once.

        Returns:
            Its path there, with the suffix of ``path``.

        Raises:
            EdgecnnError: It cannot be read here or written there.
        """

    def close(self) -> None:
        """No more is asked of it; its processes end. May be called twice."""

    def get(self, path: str, to: Path) -> None:
        """A file that a process left on the machine, to ``to`` here; it need not stay there.

        Raises:
            EdgecnnError: It cannot be read there or written here.
        """


class LocalProcess:
    """A measuring process on this machine; see ``Process``."""

    def __init__(self) -> None:
        with contextlib.ExitStack() as stack:
            with writing_temporary():
                self._held = stack.enter_context(tempfile.TemporaryFile())
            self._process = subprocess.Popen(
                python_command(CHILD),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._held,
                encoding="utf-8",
            )
            self._stack = stack.pop_all()
        self._said = b""

    @property
    def returncode(self) -> int | None:
        """See ``Process``."""
        return self._process.poll()

    def send(self, line: str) -> None:
        """See ``Process``."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):    # it has ended: its output ends, too
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def lines(self) -> Iterator[str]:
        """See ``Process``."""
        assert self._process.stdout is not None
        yield from self._process.stdout
        self._process.wait()

    def close(self) -> None:
        """See ``Process``."""
        if self._held.closed:
            return
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        self._held.seek(0)
        self._said = self._held.read()
        self._stack.close()

    def last_words(self) -> bytes:
        """See ``Process``."""
        if not self._held.closed:
            self._held.seek(0)
            return self._held.read()
        return self._said


class LocalHost:
    """This machine; see ``Host``. Files are where they are."""

    name = ""

    def start(self) -> Process:
        """See ``Host``."""
        return LocalProcess()

    def put(self, path: Path) -> str:
        """See ``Host``."""
        return str(path.resolve())

    def close(self) -> None:
        """See ``Host``."""

    def get(self, path: str, to: Path) -> None:
        """See ``Host``."""
        with readable_os_errors(to, "write"):
            shutil.move(path, to)


@dataclass(frozen=True)
class Place:
    """A machine that was named and is not reached yet.

    Attributes:
        name: As ``Host.name``.
        open: Reaches it; raises ``EdgecnnError`` where it cannot be.
    """

    name: str
    open: Callable[[], Host]


HERE = Place("", LocalHost)
"""This machine."""
