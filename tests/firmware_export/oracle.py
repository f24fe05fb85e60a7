"""TFLite Micro in a process of its own, which a network may kill without harm to the caller."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from tests.networks import Refused, tflite_micro

ORACLE_LIMIT_S = 60


def _serve(connection: Connection) -> None:
    while True:
        data, samples, outputs = connection.recv()
        try:
            connection.send([tflite_micro(data, *sample, outputs=outputs) for sample in samples])
        except Refused as error:
            connection.send(str(error))


class Oracle:
    """TFLite Micro in a process that is started again when a network kills it."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._process: Any = None
        self._connection: Any = None

    def run(self, data: bytes, samples: Sequence[Sequence[Any]], outputs: int) -> list[list[Any]] | str:
        """The outputs of each sample, so many of them, or why there are none."""
        if self._process is None:
            self._connection, theirs = self._context.Pipe()
            self._process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
        try:
            self._connection.send((data, samples, outputs))
            if self._connection.poll(ORACLE_LIMIT_S):
                answer: list[list[Any]] | str = self._connection.recv()
                return answer
            reason = f"TFLite Micro takes more than {ORACLE_LIMIT_S} s"
        except (EOFError, OSError):
            self._process.join()
            reason = f"TFLite Micro dies with exit code {self._process.exitcode}"
        self.close()
        return reason

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
            self._process = None

    def __enter__(self) -> Oracle:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
