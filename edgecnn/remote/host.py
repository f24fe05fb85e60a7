"""A machine over ssh on which measuring processes run: ``edgecnn.bench.host.Host``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from edgecnn.errors import EdgecnnError
from edgecnn.files import readable_os_errors, sha256_file
from edgecnn.remote import facts as machine
from edgecnn.remote.address import Address
from edgecnn.remote.bundle import make_harness
from edgecnn.remote.connection import Connection, RemoteProcess, connect
from edgecnn.remote.facts import Facts
from edgecnn.remote.transfer import DEVICE, transfer
from edgecnn.remote.wheels import wheels_for

READY = "EDGECNN ready"
"""What ``on_device_child`` says before the protocol begins."""
CHILD = Path(__file__).with_name("on_device_child.py")


def _silent(*told: object) -> None:
    del told


class SshHost:
    """A machine over ssh, with edgecnn installed on it for measuring (``.harness`` in ``on_device``).

    Attributes:
        name: ``user@host:port``, or what the fleet file calls it.
        facts: Of the machine.
    """

    def __init__(
        self,
        address: Address,
        *,
        name: str = "",
        accept_new: bool = False,
        say: Callable[[str], None] = _silent,
        advance: Callable[[int, int], None] = _silent,
    ) -> None:
        """Connect, check the machine, and install what measuring needs, unless it is there.

        Args:
            address: The machine.
            name: What it is called; empty for its address.
            accept_new: See ``connect``.
            say: Told what the user should know.
            advance: Told how many bytes were sent since the last call, and how many there are in all.

        Raises:
            MissingDependencyError: asyncssh is not installed.
            EdgecnnError: It cannot be reached, edgecnn cannot run there, or the installation failed.
        """
        self.name = name or address.name
        self._connection: Connection = connect(address, accept_new)
        self._there: set[str] = set()
        self._lock = threading.Lock()
        try:
            for remark in self._connection.remarks:
                say(remark)
            self.facts: Facts = machine.gather(self._connection)
            machine.require(self.facts, self.name)
            bundle = make_harness(self.facts, wheels_for(self.facts, say))
            transfer(self._connection, bundle, advance)
            parameters = {"action": "harness", "root": machine.ROOT, "manifest": bundle.manifest.model_dump()}
            answer = self._connection.call(DEVICE, parameters)
            self._folder, self._files = str(answer["folder"]), str(answer["files"])
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> SshHost:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection and what runs over it."""
        self._connection.close()

    def start(self) -> RemoteProcess:
        """A measuring process; see ``Host.start``."""
        process = self._connection.start(CHILD, {"folder": self._folder})
        for line in process.lines():    # what a shell prints at login comes before
            if line == READY:
                return process
        said = process.last_words().decode(errors="replace").strip().splitlines()
        process.close()
        raise EdgecnnError(f"{self.name}: the measuring process did not start. {said[-1] if said else ''}")

    def put(self, path: Path) -> str:
        """A file to the machine, once for the same content; see ``Host.put``."""
        with readable_os_errors(path, "read"):
            sha = sha256_file(path)
        file = sha + path.suffix
        place = f"{self._files}/{file}"
        with self._lock:
            if file not in self._there:
                asked = {"action": "has", "root": machine.ROOT, "file": file, "sha256": sha}
                if not self._connection.call(DEVICE, asked):
                    self._connection.upload(path, place)
                self._there.add(file)
        return place

    def get(self, path: str, to: Path) -> None:
        """A file of the machine's to here; see ``Host.get``."""
        self._connection.download(path, to)
