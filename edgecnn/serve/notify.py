"""Telling systemd that the service is ready and lives: sd_notify(3), by a datagram to the socket that it names."""

from __future__ import annotations

import contextlib
import os
import socket
import time

from edgecnn.serve.stopping import Stopping


class Notifier:
    """Speaks to the socket in ``NOTIFY_SOCKET``; without one it does nothing.

    Attributes:
        interval: Seconds after which ``alive`` should be called again; None where nobody waits for it.
    """

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the zero byte of Linux's abstract sockets.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.interval = self._watchdog() if address else None
        self._last = 0.0

    def ready(self, status: str) -> None:
        """The model is loaded and requests are taken."""
        self._send(f"READY=1\nSTATUS={status}")

    def alive(self) -> None:
        """For the watchdog; sent no more often than is needed."""
        now = time.monotonic()
        if self.interval is not None and now - self._last >= self.interval / 2:
            self._last = now
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The service ends."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address or not hasattr(socket, "AF_UNIX"):
            return
        # A service manager that does not listen is no reason to stop predicting.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(self._address)
            sender.sendall(text.encode())

    @staticmethod
    def _watchdog() -> float | None:
        """A third of the time that the watchdog waits, where it is this process that it watches."""
        microseconds, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID")
        if not microseconds.isdecimal() or process not in (None, str(os.getpid())):
            return None
        return int(microseconds) / 3e6


def pause(seconds: float, stop: Stopping, notifier: Notifier) -> None:
    """Wait, and tell meanwhile that the service lives.

    Args:
        seconds: How long; at 0 or below only the end is looked for.
        stop: Ends the waiting and the service.
        notifier: That is told.

    Raises:
        StopServingError: See ``stop``.
    """
    end = time.monotonic() + seconds
    while True:
        notifier.alive()
        rest = max(0.0, end - time.monotonic())
        step = min(rest, notifier.interval or rest)
        with stop.waiting():
            time.sleep(step)
        if step == rest:
            return
