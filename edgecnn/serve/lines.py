"""JSON lines: a request a line on standard input, an answer a line on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from edgecnn.errors import EdgecnnError, UsageError, first_line
from edgecnn.serve.predictor import Predictor
from edgecnn.serve.samples import SampleReader, from_request
from edgecnn.serve.stopping import Stopping

Emit = Callable[[dict[str, Any]], None]


def emit(document: dict[str, Any]) -> None:
    """One line of JSON in UTF-8 to standard output, at once.

    Half of a surrogate pair, which a request's id or a file's name may hold, is written as JSON's escape for it.
    """
    sys.stdout.buffer.write(as_line(document))
    sys.stdout.buffer.flush()


def as_line(document: dict[str, Any]) -> bytes:
    """A document as one line of UTF-8."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace") + b"\n"


def parse_json(data: bytes) -> Any:
    """A JSON document.

    Raises:
        UsageError: It is none.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:    # not UTF-8, not JSON, nested too deep
        raise UsageError(f"not JSON: {first_line(error)}.") from error


def guarded(sample: Callable[[], np.ndarray], predictor: Predictor) -> dict[str, Any]:
    """A prediction, or ``{"error": …}``: whatever one sample does, the service goes on.

    Args:
        sample: Reads it.
        predictor: The model.
    """
    try:
        return predictor.predict(sample()).document()
    except EdgecnnError as error:
        return {"error": str(error)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {first_line(error)} (a mistake in edgecnn itself; please report it)"}


def serve_lines(
    stream: BinaryIO, predictor: Predictor, reader: SampleReader, stop: Stopping, emit: Emit
) -> None:
    """Answer requests until the stream ends; an answer bears the request's ``id``, or its line's number, from 1.

    Args:
        stream: Lines of JSON; see ``samples.from_request``. Empty lines are passed over.
        predictor: The model.
        reader: Of its samples; a line may be half as long again as its files, for base64.
        stop: Ends the service between two lines.
        emit: Takes the answers.

    Raises:
        StopServingError: See ``stop``.
    """
    longest = 3 * reader.most_bytes // 2 + 1024
    number = 0
    while True:
        with stop.waiting():
            line = stream.readline(longest + 1)
        if not line:
            return
        number += 1
        if len(line) > longest:
            while line and not line.endswith(b"\n"):
                line = stream.readline(longest)
            emit({"id": number, "error": f"the line has more than {longest} bytes. Raise --max-bytes, or send less."})
        elif line.strip():
            emit(_answer(line, number, predictor, reader))


def _answer(line: bytes, number: int, predictor: Predictor, reader: SampleReader) -> dict[str, Any]:
    try:
        request = parse_json(line)
    except EdgecnnError as error:
        return {"id": number, "error": str(error)}
    name = request.get("id", number) if isinstance(request, dict) else number
    return {"id": name, **guarded(lambda: from_request(request, reader, files=True), predictor)}
