"""The measuring process: a fresh interpreter that imports one runtime and measures one artefact on it.

``main`` reads requests (``edgecnn.bench.messages``) from standard input and answers them one by one; between two of
them it waits for input and takes no processor time. ``edgecnn.bench.parent`` is the other side.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

import numpy as np
from pydantic import BaseModel, ValidationError

from edgecnn.bench import messages
from edgecnn.bench.steady import warm_up
from edgecnn.bench.temporary import save_array, temporary_folder
from edgecnn.contract import Contract
from edgecnn.errors import EdgecnnError
from edgecnn.predict import check_classes, check_samples, input_contract, random_inputs, run_outputs
from edgecnn.results import Sustained
from edgecnn.runtimes import RUNTIMES, Profiler, Session, installed, load_session, runtime_module

_CYCLE = 32    # different samples in turn, so that no figure hangs on one image
_REPORT_NS = 500_000_000
_WORTH_SHARING_S = 5.0    # a shorter accuracy run is left on one core


class Reporter:
    """Lines to the other side; those on progress come at most two a second.

    Args:
        stream: Where it listens.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._done = 0
        self._last = time.perf_counter_ns()
        self._lock = threading.Lock()

    def restart(self) -> None:
        """Another request begins."""
        self._done = 0

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


class Measurement:
    """One artefact on one runtime, loaded.

    Attributes:
        session: The loaded model.
        loaded: What loading it showed.

    Args:
        request: What to load.
        reporter: Told of each run and sample.

    Raises:
        EdgecnnError: The runtime does not take the file, the samples do not fit it, or the process cannot be pinned.
    """

    def __init__(self, request: messages.Load, reporter: Reporter) -> None:
        if request.pin is not None:
            pin(request.pin)    # before the runtime starts threads, which inherit it
        base = peak_rss_bytes()
        runtime_module(request.runtime).start(request.threads)
        started = time.perf_counter_ns()
        self.session = load_session(request.runtime, Path(request.path), request.threads)
        init_ms = (time.perf_counter_ns() - started) / 1e6
        self._request, self._reporter = request, reporter
        self._raw = np.load(request.samples, mmap_mode="r") if request.samples is not None else None
        if self._raw is not None and request.contract is not None:
            contract = request.contract
            check_samples(contract.name, self.session.input, contract.preprocess.sample_shape(self._raw))
            check_classes(contract.name, self.session.output, len(contract.labels), contract.task)
        self._inputs = latency_inputs(self.session, request.contract, self._raw)
        self._next = itertools.cycle(self._inputs)
        # From here on no collector stops a run, or walks through memory between two of them and empties the caches.
        gc.collect()
        gc.disable()
        self._run_ms = first_ms = self.timed(1)[0]
        self.loaded = messages.Loaded(
            runtime_version=self.session.version,
            init_ms=getattr(self.session, "init_ms", init_ms),    # less than all that `load` did
            first_ms=first_ms,
            base_rss_bytes=base,
            arena_bytes=getattr(self.session, "arena_bytes", None),
            profiles=isinstance(self.session, Profiler),
        )

    def timed(self, count: int) -> list[float]:
        """Milliseconds of ``count`` inferences; the clock runs around one ``session.run`` and nothing else."""
        run, clock = self.session.run, time.perf_counter_ns
        durations = np.empty(count, dtype=np.int64)
        for index, sample in zip(range(count), self._next, strict=False):
            begin = clock()
            run(sample)
            durations[index] = clock() - begin
        self._reporter.advance(count)
        return [float(duration) for duration in durations / 1e6]

    def warm(self, request: messages.Warm) -> messages.Warmed:
        """See ``messages.Warm``."""
        runs, steady = warm_up(self.timed, request.at_least, request.seconds)
        return messages.Warmed(runs=runs, steady=steady)

    def measure(self, request: messages.Measure) -> messages.Measured:
        """See ``messages.Measure``."""
        from edgecnn.bench.device import frequency_mhz

        end = time.perf_counter() + request.lead_in_s
        run = self.session.run
        for sample in self._next:
            run(sample)
            if time.perf_counter() >= end:
                break
        latencies = self.timed(request.runs)
        self._run_ms = float(np.median(latencies))
        return messages.Measured(
            latencies_ms=latencies, frequency_mhz=frequency_mhz(), peak_rss_bytes=peak_rss_bytes()
        )

    def profile(self, request: messages.Profile) -> messages.Profiled:
        """See ``messages.Profile``; only where ``loaded.profiles``."""
        assert isinstance(self.session, Profiler)
        return messages.Profiled(layers=self.session.profile(self._inputs, request.runs))

    def sustain(self, request: messages.Sustain) -> Sustained:
        """See ``messages.Sustain``: ``windows`` of equal length, each with one run at least."""
        from edgecnn.bench.device import condition

        found = Sustained(seconds=[], runs=[], p50_ms=[], p95_ms=[], temperature_c=[], frequency_mhz=[])
        begin = time.perf_counter()
        for window in range(request.windows):
            end = begin + request.seconds * (window + 1) / request.windows
            taken = self.timed(1)
            while time.perf_counter() < end:
                left = (end - time.perf_counter()) * 1e3
                taken += self.timed(max(1, min(1000, int(left / max(taken[-1], 1e-3)))))
            now = condition()
            p50, p95 = (float(value) for value in np.percentile(taken, (50, 95)))
            found.seconds.append(round(time.perf_counter() - begin, 3))
            found.runs.append(len(taken))
            found.p50_ms.append(p50)
            found.p95_ms.append(p95)
            found.temperature_c.append(now.temperature_c)
            found.frequency_mhz.append(now.frequency_mhz)
        return found

    def evaluate(self, folder: Path) -> messages.Evaluated:
        """All samples' outputs, ``[N, ...]``; where it would take long, on one session per core.

        Args:
            folder: Where the file with the outputs goes.
        """
        from edgecnn.bench.device import usable_cores

        gc.enable()    # nothing is timed any more, and thousands of samples may leave much behind
        request, raw = self._request, self._raw
        contract = request.contract
        if raw is None or contract is None:
            raise EdgecnnError("there are no samples to evaluate on.")
        workers = 1
        # Keras already spreads one inference over TensorFlow's own threads, and loads slowly.
        if self._run_ms / 1e3 * len(raw) > _WORTH_SHARING_S and request.runtime != "keras":
            workers = max(1, usable_cores() // request.threads)
        others = [load_session(request.runtime, Path(request.path), request.threads) for _ in range(workers - 1)]
        parts = np.array_split(np.arange(len(raw)), workers)
        with ThreadPoolExecutor(workers) as pool:
            jobs = [
                pool.submit(run_outputs, one, contract, raw[part[0] : part[-1] + 1], self._reporter.advance)
                for one, part in zip([self.session, *others], parts, strict=True)
                if len(part)
            ]
            outputs = np.concatenate([job.result() for job in jobs])
        path = folder / "outputs.npy"
        save_array(path, outputs)
        return messages.Evaluated(outputs=str(path))


def pin(core: int) -> None:
    """Keep this process on one logical processor.

    Raises:
        EdgecnnError: The system cannot do it, or has no such processor for us.
    """
    if not hasattr(os, "sched_setaffinity"):
        raise EdgecnnError("this system cannot keep a process on a core. Measure without --pin.")
    cores = sorted(os.sched_getaffinity(0))
    if core not in cores:
        raise EdgecnnError(f"there is no core {core} to pin to. There are: {', '.join(map(str, cores))}.")
    # NumPy has started threads of its own already; those to come inherit it.
    tasks = [int(task.name) for task in Path("/proc/self/task").glob("[0-9]*")]
    for thread in (0, *tasks):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(thread, {core})


def serve(lines: Iterator[str], reporter: Reporter) -> None:
    """Answer requests until there are no more."""
    with contextlib.ExitStack() as stack:
        folder: Path | None = None
        measurement: Measurement | None = None
        for line in lines:
            body = messages.Request.model_validate_json(f'{{"body": {line}}}').body
            reporter.restart()
            answer: BaseModel
            if isinstance(body, messages.End):
                return
            if isinstance(body, messages.Describe):
                answer = describe()
            elif isinstance(body, messages.Load):
                measurement = Measurement(body, reporter)
                answer = measurement.loaded
            elif measurement is None:
                raise EdgecnnError(f"{body.do}: nothing was loaded.")
            elif isinstance(body, messages.Evaluate):
                folder = folder or stack.enter_context(temporary_folder())
                answer = measurement.evaluate(folder)
            elif isinstance(body, messages.Warm):
                answer = measurement.warm(body)
            elif isinstance(body, messages.Measure):
                answer = measurement.measure(body)
            elif isinstance(body, messages.Profile):
                answer = measurement.profile(body)
            else:
                answer = measurement.sustain(body)
            reporter.send({"answer": answer.model_dump(mode="json")})


def describe() -> messages.Described:
    """See ``messages.Describe``."""
    from edgecnn.bench.device import machine_now

    return messages.Described(device=machine_now(), runtimes=[name for name in RUNTIMES if installed(name)])


def main() -> None:
    """Answer requests from standard input; an error ends the process after it was told."""
    # Libraries that print to standard output would break the protocol: it gets a descriptor of its own.
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    reporter = Reporter(stream)
    try:
        serve(iter(sys.stdin.readline, ""), reporter)
    except EdgecnnError as error:
        reporter.send({"error": str(error)})
    except ValidationError as error:
        reporter.send({"error": f"the other side speaks another language, install the same edgecnn on both: {error}"})
    except (KeyboardInterrupt, BrokenPipeError):    # the parent is gone or going
        os._exit(130)
