"""What systemd is told, on a socket as systemd has it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.edgecnn.serve.serving import DIGITS, serving

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="sockets of Unix")


@pytest.mark.parametrize("source", ["http", "watch"])
def test_ready_alive_and_stopping(tmp_path: Path, source: str) -> None:
    """Alive also where nothing is to be done for longer than the watchdog waits."""
    (tmp_path / "in").mkdir()
    options = {"http": ["--http", "0"], "watch": ["--watch", "in", "--interval", "600"]}[source]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(120)
        settings = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
        with serving(tmp_path, DIGITS, *options, env=settings) as served:
            ready, status = manager.recv(4096).decode().split("\n")
            assert ready == "READY=1" and status.startswith("STATUS=digits_tiny ")
            assert [manager.recv(4096) for _ in range(3)] == [b"WATCHDOG=1"] * 3
            assert served.end() == 0
        manager.setblocking(False)
        said = []
        while not said or said[-1] != b"STOPPING=1":
            said.append(manager.recv(4096))
        assert set(said[:-1]) <= {b"WATCHDOG=1"}


def test_a_manager_that_is_gone_does_not_matter(tmp_path: Path) -> None:
    with serving(tmp_path, DIGITS, "--http", "0", env={"NOTIFY_SOCKET": "@nobody-is-there"}) as served:
        assert served.end() == 0
