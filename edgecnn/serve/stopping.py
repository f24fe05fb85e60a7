"""An end between two predictions: what SIGTERM asks of a service."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Any


class StopServingError(Exception):
    """The service was asked to end, and nothing is in hand."""


class Stopping:
    """While entered, SIGTERM ends the service: at once where it waits, otherwise after the prediction in hand."""

    def __init__(self) -> None:
        self._asked = self._waiting = False
        self._before: Any = None

    def __enter__(self) -> Stopping:
        self._before = signal.signal(signal.SIGTERM, self._ask)
        return self

    def __exit__(self, *error: object) -> None:
        signal.signal(signal.SIGTERM, self._before)

    def _ask(self, number: int, frame: Any) -> None:
        del number, frame
        self._asked = True
        if self._waiting:
            self._waiting = False    # a second signal must not interrupt the way out
            raise StopServingError

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Around what waits for the next request.

        Raises:
            StopServingError: The end was asked for, before or meanwhile.
        """
        self._waiting = True
        try:
            if self._asked:
                raise StopServingError
            yield
        finally:
            self._waiting = False
