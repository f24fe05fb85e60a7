"""From a bundle here to its blobs there: what is there already is not sent again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgecnn.remote.bundle import Bundle
from edgecnn.remote.connection import Connection
from edgecnn.remote.facts import ROOT

DEVICE = Path(__file__).with_name("on_device.py")
"""The installer; see there for its actions."""


def transfer(connection: Connection, bundle: Bundle, advance: Callable[[int, int], None]) -> int:
    """Send what is missing, the small first.

    Args:
        connection: To the machine.
        bundle: For it.
        advance: Told how many bytes were sent since the last call, and how many there are in all.

    Returns:
        Bytes sent.

    Raises:
        EdgecnnError: There is no room, or the connection is cut.
    """
    manifest = bundle.manifest
    answer = connection.call(DEVICE, {"action": "begin", "root": ROOT, "manifest": manifest.model_dump()})
    sizes = {entry.sha256: entry.bytes for entry in (*manifest.files, manifest.code, *manifest.wheels)}
    wanted = sorted(answer["wanted"], key=lambda sha: sizes[sha])
    total = sum(sizes[sha] for sha in wanted)
    advance(0, total)
    for sha in wanted:
        connection.upload(bundle.blobs[sha], f"{answer['incoming']}/{sha}", lambda count: advance(count, total))
    return total
