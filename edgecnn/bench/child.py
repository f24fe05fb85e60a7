"""The measuring process: one artefact on one runtime in a fresh interpreter that imports nothing else.

``main`` reads a ``Request`` as JSON from standard input and writes lines of JSON to standard output: ``{"done": n}``
while it works, then one ``{"answer": …}`` or ``{"error": "…"}``. ``edgecnn.bench.parent`` is the other side.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

import numpy as np
from pydantic import BaseModel, ConfigDict

from edgecnn.bench.temporary import save_array
from edgecnn.contract import Contract
from edgecnn.errors import EdgecnnError
from edgecnn.predict import check_classes, check_samples, input_contract, random_inputs, run_outputs
from edgecnn.runtimes import Session, load_session, runtime_module

_CYCLE = 32    # different samples in turn, so that no figure hangs on one image
_REPORT_NS = 500_000_000
_WORTH_SHARING_S = 5.0    # a shorter accuracy run is left on one core


class Request(BaseModel):
    """What is to be measured."""

    model_config = ConfigDict(extra="forbid")

    runtime: str
    path: Path
    threads: int
    runs: int
    warmup: int
    cores: int
    contract: Contract | None = None
    samples: Path | None = None    # .npy of raw samples [N, ...]; None: random inputs
    outputs: Path | None = None    # where to write the outputs of all samples, .npy; None: latency alone


class Answer(BaseModel):
    """What was found."""

    model_config = ConfigDict(extra="forbid")

    runtime_version: str
    init_ms: float
    first_ms: float
    latencies_ms: list[float]
    peak_rss_bytes: int | None
    base_rss_bytes: int | None    # Python, NumPy and edgecnn, before the runtime was imported


class Reporter:
    """Progress lines to the parent, at most two a second.

    Args:
        stream: Where the parent listens.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._done = 0
        self._last = time.perf_counter_ns()
        self._lock = threading.Lock()

    def advance(self, count: int) -> None:
        """``count`` more of the runs and samples are done."""
        with self._lock:
            self._done += count
            now = time.perf_counter_ns()
            if now - self._last > _REPORT_NS:
                self._last = now
                self.send({"done": self._done})

    def send(self, message: dict[str, object]) -> None:
        """One line."""
        self._stream.write(json.dumps(message) + "\n")
        self._stream.flush()


def peak_rss_bytes() -> int | None:
    """Peak resident memory of this process, or None where the system does not tell.

    Linux's ``ru_maxrss`` starts from what the parent held when it forked, so the kernel's own mark for this address
    space comes first (``VmHWM``, proc_pid_status(5)).
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:    # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure(request: Request, reporter: Reporter) -> Answer:
    """Load, warm up, time the runs, read the memory, and only then run all test samples.

    Raises:
        EdgecnnError: The runtime does not take the file, the samples do not fit it, or its outputs cannot be written.
    """
    base = peak_rss_bytes()
    runtime_module(request.runtime).start(request.threads)
    started = time.perf_counter_ns()
    session = load_session(request.runtime, request.path, request.threads)
    init_ms = (time.perf_counter_ns() - started) / 1e6
    raw = np.load(request.samples, mmap_mode="r") if request.samples is not None else None
    if raw is not None and request.contract is not None:
        contract = request.contract
        check_samples(contract.name, session.input, contract.preprocess.sample_shape(raw))
        check_classes(contract.name, session.output, len(contract.labels), contract.task)
    inputs = latency_inputs(session, request.contract, raw)
    first_ms = _timed(session, inputs, 1, None)[0]
    _timed(session, inputs, request.warmup, reporter)
    latencies = _timed(session, inputs, request.runs, reporter)
    peak = peak_rss_bytes()
    if raw is not None and request.contract is not None and request.outputs is not None:
        expected_s = float(np.median(latencies)) / 1e3 * len(raw)
        save_array(request.outputs, _run_all(request, session, raw, expected_s, reporter))
    return Answer(
        runtime_version=session.version,
        init_ms=init_ms,
        first_ms=first_ms,
        latencies_ms=latencies,
        peak_rss_bytes=peak,
        base_rss_bytes=base,
    )


def latency_inputs(session: Session, contract: Contract | None, raw: np.ndarray | None) -> list[np.ndarray]:
    """Encoded inputs that the runs go through in turn: real samples, or random ones of a fixed seed.

    Args:
        session: The loaded model.
        contract: Its preprocessing, with ``raw``.
        raw: ``[N, ...]`` raw samples, or None.

    Returns:
        Each of the session's input shape and type.
    """
    shape = session.input.shape
    if raw is not None and contract is not None:
        chosen = raw[np.linspace(0, len(raw) - 1, min(_CYCLE, len(raw)), dtype=int)]
        encoded = input_contract(session, contract).quantize(contract.preprocess.apply(chosen))
        return [np.ascontiguousarray(sample.reshape(shape)) for sample in encoded]
    return [np.ascontiguousarray(sample.reshape(shape)) for sample in random_inputs(session.input, _CYCLE)]


def _timed(session: Session, inputs: list[np.ndarray], count: int, reporter: Reporter | None) -> list[float]:
    """Milliseconds of ``count`` inferences; the clock runs around one ``session.run`` and nothing else."""
    run, clock = session.run, time.perf_counter_ns
    durations = np.empty(count, dtype=np.int64)
    gc.collect()
    gc.disable()
    try:
        for index, sample in zip(range(count), itertools.cycle(inputs), strict=False):
            begin = clock()
            run(sample)
            durations[index] = clock() - begin
            if reporter is not None:
                reporter.advance(1)
    finally:
        gc.enable()
    return [float(duration) for duration in durations / 1e6]


def _run_all(
    request: Request, session: Session, raw: np.ndarray, expected_s: float, reporter: Reporter
) -> np.ndarray:
    """Outputs for all samples, ``[N, ...]``; where it would take long, on one session per core."""
    assert request.contract is not None
    contract = request.contract
    workers = 1
    # Keras already spreads one inference over TensorFlow's own threads, and loads slowly.
    if expected_s > _WORTH_SHARING_S and request.runtime != "keras":
        workers = max(1, request.cores // request.threads)
    sessions = [session, *(load_session(request.runtime, request.path, request.threads) for _ in range(workers - 1))]
    parts = np.array_split(np.arange(len(raw)), workers)
    with ThreadPoolExecutor(workers) as pool:
        jobs = [
            pool.submit(run_outputs, one, contract, raw[part[0] : part[-1] + 1], reporter.advance)
            for one, part in zip(sessions, parts, strict=True)
            if len(part)
        ]
        return np.concatenate([job.result() for job in jobs])


def main() -> None:
    """Answer one request."""
    # Libraries that print to standard output would break the protocol: it gets a descriptor of its own.
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    reporter = Reporter(stream)
    try:
        request = Request.model_validate_json(sys.stdin.read())
        reporter.send({"answer": measure(request, reporter).model_dump(mode="json")})
    except EdgecnnError as error:
        reporter.send({"error": str(error)})
    except (KeyboardInterrupt, BrokenPipeError):    # the parent is gone or going
        os._exit(130)
