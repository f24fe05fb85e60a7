"""Turns for real: what is asked of which process and when, pinned, sustained, and idle while others run."""

from __future__ import annotations

import json
import os
import re
from itertools import groupby
from pathlib import Path

import pytest

from edgecnn.artefacts import resolve
from edgecnn.bench.harness import Places, bench
from edgecnn.bench.host import LocalHost, Place, Process
from edgecnn.bench.interleave import PROCESSES, TURNS, Inputs, Settings, measure_in_turns, share_out
from edgecnn.bench.messages import Load
from edgecnn.bench.parent import Worker
from edgecnn.bench.plan import plan_rows
from edgecnn.errors import EdgecnnError
from tests.tflite_builder import pack, small_model


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.tflite"
    path.write_bytes(pack(small_model()))
    return path


@pytest.mark.parametrize("runs", [1, 7, 49, 50, 200, 333, 10_000])
def test_runs_are_shared_out_evenly(runs: int) -> None:
    rounds = share_out(runs)
    sizes = [size for turns in rounds for size in turns]
    assert sum(sizes) == runs
    assert max(sizes) - min(sizes) <= 1
    assert len(rounds) == (PROCESSES if runs >= 50 else 1)
    assert len(sizes) == min(runs, TURNS)
    assert len({len(turns) for turns in rounds}) == 1


class Overheard(LocalHost):
    """This machine, with what is asked of its processes: pairs of the process's number and the request."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str]] = []
        self.started = 0

    def start(self) -> Process:
        """A process that is listened to."""
        process, number = super().start(), self.started
        self.started += 1
        send = process.send

        def overheard(line: str) -> None:
            self.asked.append((number, json.loads(line)["do"]))
            send(line)

        process.send = overheard    # type: ignore[method-assign]
        return process


def test_entries_take_turns(small: Path, tmp_path: Path) -> None:
    host = Overheard()
    rows = plan_rows(list(resolve(str(small)).artefacts), ["litert", "litert-ref"], None, None, [])
    found = measure_in_turns(host, rows, Settings(runs=50, warmup=0), Inputs(None, 0, False, tmp_path))
    assert host.started == 2 * PROCESSES
    for number in range(PROCESSES):
        first, second = 2 * number, 2 * number + 1
        own = [(process, what) for process, what in host.asked if process in (first, second)]
        assert own[:4] == [(first, "load"), (first, "warm"), (second, "load"), (second, "warm")]
        turns = [process for process, what in own if what == "measure"]
        assert turns == [first, second] * (TURNS // PROCESSES)
        assert [what for _, what in own[-2:]] == ["end", "end"]
    assert [number for number, _ in groupby(process // 2 for process, _ in host.asked)] == list(range(PROCESSES))
    assert [one.turns.sizes for one in found] == [share_out(50)] * 2
    assert [len(one.loaded) for one in found] == [PROCESSES] * 2


def test_a_runtime_that_fails_leaves_the_turns_to_the_others(small: Path, tmp_path: Path) -> None:
    rows = plan_rows(list(resolve(str(small)).artefacts), ["litert", "litert-ref"], None, None, [])
    inputs = Inputs(tmp_path / "no.npy", 3, False, tmp_path)
    (tmp_path / "no.npy").write_bytes(b"")
    small.write_bytes(b"no model")
    host = Overheard()
    found = measure_in_turns(host, rows, Settings(runs=50), inputs)
    assert all(re.match(r"litert(-ref)? with small\.tflite: ", str(one.error)) for one in found)
    assert host.started == 2    # and not again in each round
    with pytest.raises(EdgecnnError, match=r"^litert with"):
        measure_in_turns(host, rows, Settings(runs=50), inputs, stop_at_failure=True)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no processor affinity")
def test_a_pinned_process_stays_on_its_core(small: Path) -> None:
    core = max(os.sched_getaffinity(0))
    results = bench(resolve(str(small)), ["litert"], section=None, settings=Settings(runs=5, warmup=0, pin=core))
    assert results.entries[0].pinned_core == core
    missing = core + 1
    words = f"litert with small.tflite: there is no core {missing} to pin to"
    with pytest.raises(EdgecnnError, match=words):
        bench(resolve(str(small)), ["litert"], section=None, settings=Settings(runs=5, warmup=0, pin=missing))
    with Worker(LocalHost(), "litert") as worker:
        worker.load(Load(runtime="litert", path=str(small), pin=core))
        pid = worker._process._process.pid    # type: ignore[attr-defined]
        threads = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
        assert all(os.sched_getaffinity(thread) == {core} for thread in threads)


def test_a_sustained_run_is_a_row_of_windows(small: Path) -> None:
    settings = Settings(runs=5, warmup=0, sustain_s=1.2)
    found = bench(resolve(str(small)), ["litert"], section=None, settings=settings).entries[0].sustained
    assert found is not None
    lists = (found.seconds, found.runs, found.p50_ms, found.p95_ms, found.temperature_c, found.frequency_mhz)
    assert {len(one) for one in lists} == {60}
    assert found.seconds == sorted(found.seconds)
    assert found.seconds[-1] >= 1.2
    assert min(found.runs) >= 1
    assert all(p50 <= p95 for p50, p95 in zip(found.p50_ms, found.p95_ms, strict=True))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the kernel does not tell what a process took")
def test_a_process_that_waits_takes_no_processor_time(small: Path) -> None:
    """XNNPACK's pool of two threads spins for a moment before it sleeps."""
    runtime = "litert"
    with Worker(LocalHost(), runtime) as waiting, Worker(LocalHost(), runtime) as running:
        for worker in (waiting, running):
            worker.load(Load(runtime=runtime, path=str(small), threads=2))
        waiting.measure(10, 0.01)
        running.measure(10, 0.1)
        before = _ticks(waiting)
        running.measure(10, 0.5)
        assert _ticks(waiting) - before <= 1


def _ticks(worker: Worker) -> int:
    """Processor time of all its threads, in the kernel's ticks of 10 ms."""
    pid = worker._process._process.pid    # type: ignore[attr-defined]
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_machine_that_is_down_does_not_stop_the_rest(small: Path) -> None:
    class Other(LocalHost):
        name = "pi@kitchen"

    def down() -> LocalHost:
        raise EdgecnnError("pi@attic: no answer after 10 s.")

    failures: list[str] = []
    places = Places(hosts=(Place("pi@attic", down), Place("pi@kitchen", Other)))
    settings = Settings(runs=5, warmup=0)
    target = resolve(str(small))
    results = bench(target, ["litert"], section=None, settings=settings, places=places, failed=failures.append)
    assert [entry.device for entry in results.entries] == ["pi@kitchen"]
    assert list(results.devices) == ["pi@kitchen"]
    assert failures == ["pi@attic: no answer after 10 s."]
    assert "Not measured: pi@attic: no answer after 10 s." in results.notes
    with pytest.raises(EdgecnnError, match="no answer"):
        bench(target, ["litert"], section=None, settings=settings, places=places)


def test_a_request_that_nobody_knows_is_refused_in_words() -> None:
    process = LocalHost().start()
    process.send('{"do": "dance"}')
    answer = json.loads(next(process.lines()))
    process.close()
    assert "install the same edgecnn on both" in answer["error"]
