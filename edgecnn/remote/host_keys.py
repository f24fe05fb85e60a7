"""Which machine is on the other side: its key against the ones that are known."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from edgecnn.files import readable_os_errors

SYSTEM_FILE = Path("/etc/ssh/ssh_known_hosts")


def known_hosts_file() -> Path:
    """The user's own file, to which ``--accept-new`` adds."""
    return Path("~/.ssh/known_hosts").expanduser()


class HostKeys:
    """The keys that are known, and what became of the one that a machine showed.

    Args:
        accept_new: Trust the key of a machine that is not known yet, and remember it. A changed key is never trusted.

    Attributes:
        known: What asyncssh holds the key against.
        shown: Fingerprint of the key that the machine showed where it was not known; empty before.
        changed: Whether other keys of that machine are known.
        added: Whether the key was added to the file.
    """

    def __init__(self, accept_new: bool) -> None:
        import asyncssh

        self._accept_new = accept_new
        text = "".join(
            path.read_text(encoding="utf-8", errors="replace").rstrip("\n") + "\n"
            for path in (known_hosts_file(), SYSTEM_FILE)
            if path.is_file()
        )
        self.known: Any = asyncssh.import_known_hosts(text)
        self.shown, self.changed, self.added = "", False, False

    def judge(self, host: str, address: str, port: int, key: Any) -> bool:
        """Whether to trust a key that is not among the known ones; asked by asyncssh in the middle of connecting.

        Args:
            host: As it was connected to.
            address: What its name resolved to.
            port: Of the server.
            key: What the machine showed, an ``asyncssh.SSHKey``.
        """
        self.shown = f"{key.algorithm.decode()} {key.get_fingerprint()}"
        matched = self.known.match(host, address, port)
        self.changed = any(matched[index] for index in (0, 1, 2))    # trusted, authorities, revoked
        if self.changed or not self._accept_new:
            return False
        self._remember(host, port, key)
        self.added = True
        return True

    def _remember(self, host: str, port: int, key: Any) -> None:
        path = known_hosts_file()
        name = host if port == 22 else f"[{host}]:{port}"
        line = f"{name} {key.export_public_key('openssh').decode().strip()}\n"
        with readable_os_errors(path, "write"):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # One write to the end, as ssh does: nothing that another program adds meanwhile is lost.
            handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                end = os.lseek(handle, 0, os.SEEK_END)
                broken = end > 0 and os.pread(handle, 1, end - 1) != b"\n"
                os.write(handle, (("\n" if broken else "") + line).encode())
            finally:
                os.close(handle)
