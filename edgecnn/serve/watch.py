"""A folder that is watched: each new file is predicted once it is complete.

By looking every so often, which works on every system and file system; a file is complete when its size and time are
the same at two looks. One that changes later is predicted again. Who writes with pauses longer than the time between
two looks should write under another name (one that begins with a dot) and rename the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.files import readable_os_errors, write_bytes
from edgecnn.serve.lines import Emit, as_line
from edgecnn.serve.notify import Notifier, pause
from edgecnn.serve.samples import holds_sample
from edgecnn.serve.stopping import Stopping

Mark = tuple[int, int, int]    # a file as it was seen: size in bytes, time of change in ns, inode


class Watch:
    """The files of a folder, and which of them are done.

    Attributes:
        folder: That is watched; not the folders in it.
    """

    def __init__(self, folder: Path, kind: str, existing: bool) -> None:
        """Look for the first time.

        Args:
            folder: Must exist.
            kind: Of the contract's preprocessing: which names are looked at.
            existing: The files that are there are to be predicted too.

        Raises:
            UsageError: There is no such folder.
        """
        if not folder.is_dir():
            raise UsageError(f"--watch {folder}: no such folder. Make it first: mkdir -p {folder}")
        self.folder, self._kind = folder, kind
        self._seen: dict[str, Mark] = {}
        self._done: dict[str, Mark] = {} if existing else self._look()

    def complete(self) -> list[Path]:
        """Files that are new or changed, and the same at this look as at the one before; each is given once.

        Raises:
            EdgecnnError: The folder cannot be read any more.
        """
        now = self._look()
        ready = [name for name, mark in now.items() if self._seen.get(name) == mark and self._done.get(name) != mark]
        self._seen = now
        self._done = {name: mark for name, mark in self._done.items() if name in now}
        self._done.update((name, now[name]) for name in ready)
        return [self.folder / name for name in ready]

    def _look(self) -> dict[str, Mark]:
        """Files by name, in the order of their names."""
        with readable_os_errors(self.folder, "read"), os.scandir(self.folder) as entries:
            paths = sorted(Path(entry.path) for entry in entries)
        found = {}
        for path in paths:
            if not holds_sample(path, self._kind):
                continue
            try:
                status = path.stat()
            except OSError:    # gone meanwhile
                continue
            found[path.name] = (status.st_size, status.st_mtime_ns, status.st_ino)
        return found


def serve_folder(
    watch: Watch,
    results: Path,
    interval: float,
    answer: Callable[[Path], dict[str, Any]],
    emit: Emit,
    stop: Stopping,
    notifier: Notifier,
) -> None:
    """Predict files for ever: a line each, and ``FILE.json`` with the same.

    Args:
        watch: The folder.
        results: Where ``FILE.json`` goes; made where it is not there.
        interval: Seconds between two looks.
        answer: Gives the prediction of a file, or its error.
        emit: Takes the lines.
        stop: Ends the service between two files.
        notifier: Told that the service lives.

    Raises:
        StopServingError: See ``stop``.
        EdgecnnError: The folder is gone, or ``FILE.json`` cannot be written.
    """
    if results != watch.folder:    # that one is not made again when it goes away
        with readable_os_errors(results, "write"):
            results.mkdir(parents=True, exist_ok=True)
    while True:
        for path in watch.complete():
            document = {"file": str(path), **answer(path)}
            try:
                write_bytes(results / f"{path.name}.json", as_line(document))
            except EdgecnnError as error:
                raise EdgecnnError(str(error).replace("--out", "--done")) from error
            emit(document)    # who reads it finds the file
            pause(0, stop, notifier)
        pause(interval, stop, notifier)
