"""All artefacts and runtimes of a machine in turns, A B A B …, so that what drifts hits all of them alike.

The counted runs of each are shared out to several rounds. A round starts a fresh process for each, warms it up, and
then goes round: a turn for the first, a turn for the second, and so on, while the others wait.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgecnn.bench import messages
from edgecnn.bench.figures import Turns
from edgecnn.bench.host import Host
from edgecnn.bench.parent import Worker
from edgecnn.bench.plan import Row
from edgecnn.bench.steady import LIMIT_S
from edgecnn.errors import EdgecnnError
from edgecnn.results import LayerTime, Sustained

TURNS = 20
"""Turns of each entry, as far as the runs go round."""

PROCESSES = 5
"""Rounds, and so processes of each entry, where there are enough runs."""

WORTH_PROCESSES = 50
"""With fewer counted runs, one process takes all turns: this is a look, not a figure to quote."""

LEAD_IN_S = 0.03
"""Uncounted runs at the start of a turn: caches hold what ran before, and clocks may have fallen while waiting."""

PROFILED_RUNS = 100
"""At most; as many as are counted where those are fewer."""

WINDOWS = 60
"""Of a sustained run."""


class Progress(Protocol):
    """The part of ``rich.progress.Progress`` that is used; tasks have a field ``note``."""

    def add_task(self, description: str, *, total: float | None, note: str) -> Any:
        """A new line; returns its id."""

    def update(self, task_id: Any, *, completed: float, note: str) -> None:
        """How far it is."""


@dataclass(frozen=True)
class Settings:
    """How each entry is measured.

    Attributes:
        runs: Counted inferences, over all its processes.
        warmup: Inferences before the first counted one of a process, at least.
        threads: Of one inference.
        pin: Processor to stay on.
        profile: Measure what each layer takes, on runtimes that can tell.
        sustain_s: Seconds of inference after inference; None for none.
    """

    runs: int = 200
    warmup: int = 20
    threads: int = 1
    pin: int | None = None
    profile: bool = False
    sustain_s: float | None = None


@dataclass
class Measured:
    """What was found of a row; a row that failed has an ``error`` and no figures worth reading.

    Attributes:
        host: Where.
        row: What.
        loaded: What each process said when it had loaded the model.
        warmed: What each said when it was warm.
        processes: Latencies in milliseconds: of each process, of each turn.
        frequencies_mhz: After each turn, where the system tells.
        peak_rss_bytes: The highest of the processes.
        outputs: ``[N, ...]`` real values of all samples.
    """

    host: Host
    row: Row
    loaded: list[messages.Loaded] = field(default_factory=list)
    warmed: list[messages.Warmed] = field(default_factory=list)
    processes: list[list[np.ndarray]] = field(default_factory=list)
    frequencies_mhz: list[float] = field(default_factory=list)
    peak_rss_bytes: int | None = None
    profile: list[LayerTime] | None = None
    sustained: Sustained | None = None
    outputs: np.ndarray | None = None
    error: EdgecnnError | None = None

    @property
    def turns(self) -> Turns:
        """The latencies for ``edgecnn.bench.figures``."""
        return Turns(tuple(tuple(turns) for turns in self.processes))


@dataclass(frozen=True)
class Inputs:
    """What the rows are measured on.

    Attributes:
        samples: ``.npy`` of raw samples, or None for random inputs.
        count: Samples in it.
        judged: Run all of them, too, for the accuracy.
        folder: For temporary files.
    """

    samples: Path | None
    count: int
    judged: bool
    folder: Path


def share_out(runs: int) -> list[list[int]]:
    """Counted runs of each turn of each round: ``TURNS`` turns in ``PROCESSES`` rounds where there are enough.

    Returns:
        Rounds of turns; their sum is ``runs``, and none is 0.
    """
    turns = [len(part) for part in np.array_split(np.arange(runs), min(runs, TURNS))]
    rounds = PROCESSES if runs >= WORTH_PROCESSES else 1
    each = len(turns) // rounds
    return [turns[start : start + each] for start in range(0, len(turns), each)]


def measure_in_turns(
    host: Host,
    rows: Sequence[Row],
    settings: Settings,
    inputs: Inputs,
    progress: Progress | None = None,
    stop_at_failure: bool = False,
) -> list[Measured]:
    """Measure all rows on one machine.

    Args:
        host: The machine.
        rows: What to measure, in this order.
        settings: How.
        inputs: On what.
        progress: Shown while it works.
        stop_at_failure: Raise the first failure instead of going on without that row.

    Returns:
        One for each row.

    Raises:
        EdgecnnError: A measurement failed, with ``stop_at_failure``.
    """
    lines = [_Line(host, row, settings, inputs, progress) for row in rows]
    rounds = share_out(settings.runs)
    for number, sizes in enumerate(rounds):
        with contextlib.ExitStack() as stack:
            for line in lines:
                with line.failing(stop_at_failure):
                    stack.enter_context(line.started())
            for size in sizes:
                for line in lines:
                    with line.failing(stop_at_failure):
                        line.turn(size)
            if number == len(rounds) - 1:
                for line in lines:
                    with line.failing(stop_at_failure):
                        line.finish()
    return [line.found for line in lines]


class _Line:
    """A row on its way through the rounds. Nothing is done any more once it has failed."""

    def __init__(
        self, host: Host, row: Row, settings: Settings, inputs: Inputs, progress: Progress | None
    ) -> None:
        self.found = Measured(host, row)
        self._settings, self._inputs, self._progress = settings, inputs, progress
        self._worker: Worker | None = None
        self._counted = 0
        self._judging = False
        self._total = settings.runs + (inputs.count if inputs.judged else 0)
        self._what = f"{row.runtime} with {row.artefact.path.name}"
        self._task = None
        if progress is not None:
            shown = f"{row.artefact.path.name} on {row.runtime}" + (f", {host.name}" if host.name else "")
            self._task = progress.add_task(shown, total=self._total, note="")

    @contextlib.contextmanager
    def failing(self, stop: bool) -> Iterator[None]:
        """Keep an error in ``found``, or let it through with ``stop``."""
        try:
            yield
        except EdgecnnError as error:
            if stop:
                raise
            self.found.error = error
            self._show("failed")

    @contextlib.contextmanager
    def started(self) -> Iterator[None]:
        """A fresh process for a round: loaded and warm while the block lasts."""
        if self.found.error is not None:
            yield
            return
        host, row, settings = self.found.host, self.found.row, self._settings
        self._show("loading")
        samples = self._inputs.samples
        request = messages.Load(
            runtime=row.runtime,
            path=host.put(row.artefact.path),
            threads=settings.threads,
            pin=settings.pin,
            contract=row.contract,
            samples=None if samples is None else host.put(samples),
        )
        with Worker(host, self._what, self._more) as worker:
            self._worker = worker
            self.found.loaded.append(worker.load(request))
            self._show("warming up")
            self.found.warmed.append(worker.warm(settings.warmup, LIMIT_S))
            self.found.processes.append([])
            self._show("waiting for its turn")
            yield

    def turn(self, size: int) -> None:
        """So many counted runs."""
        if self.found.error is not None or self._worker is None:
            return
        answer = self._worker.measure(size, LEAD_IN_S)
        self.found.processes[-1].append(np.array(answer.latencies_ms))
        self._counted += size
        if answer.frequency_mhz is not None:
            self.found.frequencies_mhz.append(answer.frequency_mhz)
        peaks = [peak for peak in (self.found.peak_rss_bytes, answer.peak_rss_bytes) if peak is not None]
        self.found.peak_rss_bytes = max(peaks, default=None)
        self._show("")

    def finish(self) -> None:
        """What is measured once: the profile, the sustained run, and at last the outputs of all samples."""
        if self.found.error is not None or self._worker is None:
            return
        settings, worker = self._settings, self._worker
        if settings.profile and self.found.loaded[-1].profiles:
            self._show("layer by layer")
            self.found.profile = worker.profile(min(settings.runs, PROFILED_RUNS)).layers
        if settings.sustain_s is not None:
            self._show(f"running for {settings.sustain_s:.0f} s")
            self.found.sustained = worker.sustain(settings.sustain_s, WINDOWS)
        if self._inputs.judged and self._inputs.samples is not None:
            path = self._inputs.folder / f"outputs-{id(self)}.npy"
            self._show("accuracy")
            self._judging = True
            worker.evaluate(path)
            self.found.outputs = np.load(path)
            path.unlink()
            self._counted = self._total
        self._show("")

    def _more(self, count: int) -> None:
        """Progress that a process reports; only in the accuracy run does it count."""
        if self._judging and self._progress is not None:
            self._progress.update(self._task, completed=min(self._counted + count, self._total), note="accuracy")

    def _show(self, note: str) -> None:
        if self._progress is not None:
            self._progress.update(self._task, completed=self._counted, note=note)
