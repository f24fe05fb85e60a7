"""The line between this machine and a device: a loopback port that counts bytes and that can break."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable

_PIECE = 1 << 14    # bytes; a break comes at the very byte all the same

Answer = Callable[[socket.socket], "subprocess.Popen[bytes]"]
"""Starts what serves a connection; the socket is the server's end."""


class Line:
    """Listens on 127.0.0.1 and carries each connection to a server process of its own.

    Attributes:
        port: Where it listens; 0 before ``open()``.
        sent: Bytes carried to the device so far, over all connections.
        received: Bytes carried from it.
    """

    def __init__(self, answer: Answer) -> None:
        self.port = self.sent = self.received = 0
        self._answer = answer
        self._listener: socket.socket | None = None
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._left: int | None = None    # bytes to the device before the line breaks; 0: it is broken

    def open(self) -> None:
        """Takes a free port and begins to answer."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Stops listening and breaks what is open."""
        if self._listener is not None:
            self._listener.close()
        self.break_after(0)

    def break_after(self, count: int) -> None:
        """Breaks every connection when ``count`` more bytes have gone to the device; new ones fail until ``mend()``."""
        with self._lock:
            self._left = count
        if count == 0:
            self._break()

    def mend(self) -> None:
        """Carries again."""
        with self._lock:
            self._left = None

    def _break(self) -> None:
        with self._lock:
            ends = list(self._ends)
        for end in ends:
            with contextlib.suppress(OSError):    # it ended by itself meanwhile
                end.shutdown(socket.SHUT_RDWR)

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:    # closed
                return
            if self._left == 0:
                client.close()
            else:
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        near, far = socket.socketpair()
        with client, near:
            with self._lock:
                self._ends |= {client, near}
            with far:
                server = self._answer(far)
            back = threading.Thread(target=self._carry, args=(near, client, False), daemon=True)
            back.start()
            self._carry(client, near, True)
            back.join()
            server.wait()
            with self._lock:
                self._ends -= {client, near}

    def _carry(self, source: socket.socket, sink: socket.socket, to_device: bool) -> None:
        with contextlib.suppress(OSError):    # whoever closes first, the other side learns it from the shutdown
            while piece := source.recv(_PIECE):
                allowed = self._count(len(piece), to_device)
                sink.sendall(piece[:allowed])
                if self._left == 0:
                    self._break()
                    return
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _count(self, size: int, to_device: bool) -> int:
        """Counts a piece: how many of its bytes still get through."""
        with self._lock:
            if not to_device:
                self.received += size
                return size
            if self._left is not None:
                size = min(size, self._left)
                self._left -= size
            self.sent += size
            return size
