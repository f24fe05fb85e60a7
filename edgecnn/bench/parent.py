"""Starts a measuring process, follows it, and says what went wrong when it does not come back."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from typing import IO

from edgecnn.bench.child import Answer, Request
from edgecnn.bench.temporary import writing_temporary
from edgecnn.child_process import python_command, said_lines, signal_name
from edgecnn.errors import EdgecnnError


def run_worker(request: Request, done: Callable[[int], None] | None = None) -> Answer:
    """Measure in a fresh process; it is gone when this returns, whatever happens.

    Args:
        request: What to measure.
        done: Told now and then how many of the runs and samples are done so far.

    Raises:
        EdgecnnError: The runtime refused the file, or the process crashed; the message names runtime and artefact.
    """
    with contextlib.ExitStack() as stack:
        with writing_temporary():
            held = stack.enter_context(tempfile.TemporaryFile())
        process = subprocess.Popen(
            python_command("from edgecnn.bench.child import main; main()"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=held,
            encoding="utf-8",
        )
        assert process.stdin is not None and process.stdout is not None
        try:
            message = _follow(process.stdin, process.stdout, request, done)
            process.wait()
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        where = f"{request.runtime} with {request.path.name}"
        if "answer" in message:
            return Answer.model_validate(message["answer"])
        if "error" in message:
            raise EdgecnnError(f"{where}: {message['error']}")
        raise EdgecnnError(f"{where}: the measuring process {_ending(process.returncode)}.{_last_words(held)}")


def _follow(
    stdin: IO[str], stdout: IO[str], request: Request, done: Callable[[int], None] | None
) -> dict[str, object]:
    """The last message of the process, or an empty one where it went without a word."""
    try:
        stdin.write(request.model_dump_json())
        stdin.close()
    except BrokenPipeError:
        return {}
    for line in stdout:
        message: dict[str, object] = json.loads(line)
        if "done" not in message:
            return message
        if done is not None:
            done(int(str(message["done"])))
    return {}


def _ending(code: int) -> str:
    if code < 0:
        return f"was ended by {signal_name(-code)}"
    return f"ended with code {code} and no answer"


def _last_words(held: IO[bytes]) -> str:
    """The last line of what the process wrote to standard error, where the reason most often stands."""
    held.seek(0)
    lines = said_lines(held.read())
    if os.environ.get("EDGECNN_DEBUG") == "1":
        return " It wrote:\n" + "\n".join(lines)
    if not lines:
        return " It wrote nothing: a crash in native code, or no memory left."
    return f" Its last words: {lines[-1][:300]}"
