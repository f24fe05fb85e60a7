"""One measuring process from this side: it is asked, and says what went wrong when it does not come back."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from pydantic import BaseModel

from edgecnn.bench import messages
from edgecnn.bench.host import Host
from edgecnn.child_process import said_lines, signal_name
from edgecnn.errors import EdgecnnError
from edgecnn.results import Sustained

Answer = TypeVar("Answer", bound=BaseModel)


class Worker:
    """A measuring process on a machine; it is gone when the block ends, whatever happens.

    Args:
        host: Where it runs.
        what: What it measures, for messages: ``litert with model.tflite``.
        done: Told now and then how many of a request's runs and samples are done.

    Raises:
        EdgecnnError: It cannot be started. Each method: the runtime refused the file, or the process crashed.
    """

    def __init__(self, host: Host, what: str, done: Callable[[int], None] | None = None) -> None:
        self._host = host
        self._what = f"{what} on {host.name}" if host.name else what
        self._done = done
        self._process = host.start()
        self._lines = self._process.lines()
        self._asked = False    # and not answered yet

    def __enter__(self) -> Worker:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self.close()

    def close(self) -> None:
        """End the process. May be called twice."""
        if self._process.returncode is None and not self._asked:
            with contextlib.suppress(EdgecnnError):    # a machine that is gone has ended it already
                self._process.send(messages.End().model_dump_json())
                for _line in self._lines:    # until it has ended: it removes its files
                    pass
        self._process.close()

    def describe(self) -> messages.Described:
        """The machine as it is now."""
        return self._ask(messages.Describe(), messages.Described)

    def load(self, request: messages.Load) -> messages.Loaded:
        """Load the model; once."""
        return self._ask(request, messages.Loaded)

    def warm(self, at_least: int, seconds: float) -> messages.Warmed:
        """Run until latency is steady."""
        return self._ask(messages.Warm(at_least=at_least, seconds=seconds), messages.Warmed)

    def measure(self, runs: int, lead_in_s: float) -> messages.Measured:
        """One turn."""
        return self._ask(messages.Measure(runs=runs, lead_in_s=lead_in_s), messages.Measured)

    def profile(self, runs: int) -> messages.Profiled:
        """What each layer takes."""
        return self._ask(messages.Profile(runs=runs), messages.Profiled)

    def sustain(self, seconds: float, windows: int) -> Sustained:
        """Inference after inference."""
        return self._ask(messages.Sustain(seconds=seconds, windows=windows), Sustained)

    def evaluate(self, to: Path) -> None:
        """Run all samples; their outputs ``[N, ...]`` go to the ``.npy`` file ``to``."""
        self._host.get(self._ask(messages.Evaluate(), messages.Evaluated).outputs, to)

    def _ask(self, request: BaseModel, kind: type[Answer]) -> Answer:
        self._asked = True
        self._process.send(request.model_dump_json())
        for line in self._lines:
            message: dict[str, object] = json.loads(line)
            self._asked = "done" in message
            if "answer" in message:
                return kind.model_validate(message["answer"])
            if "error" in message:
                raise EdgecnnError(f"{self._what}: {message['error']}")
            if self._done is not None:
                self._done(int(str(message["done"])))
        raise EdgecnnError(f"{self._what}: the measuring process {self._ending()}.{self._last_words()}")

    def _ending(self) -> str:
        code = self._process.returncode
        if code is None:
            return "went without a word"
        return f"was ended by {signal_name(-code)}" if code < 0 else f"ended with code {code} and no answer"

    def _last_words(self) -> str:
        """The last line of what the process wrote to standard error, where the reason most often stands."""
        lines = said_lines(self._process.last_words())
        if os.environ.get("EDGECNN_DEBUG") == "1":
            return " It wrote:\n" + "\n".join(lines)
        if not lines:
            return " It wrote nothing: a crash in native code, or no memory left."
        return f" Its last words: {lines[-1][:300]}"
