"""What the harness adds to what it measures: LiteRT through ``edgecnn bench``'s measuring process against a bare loop.

The bare loop is the three calls that an inference takes, between two readings of the clock, and nothing of edgecnn.
Twice they take turns, A B A B …: first in one process over one interpreter, so that nothing but the loops differs; then
each in processes of its own, several one after the other, which is how figures are made, and where the places that
memory falls on add their noise. Printed is the ratio of the medians with its 95 % interval; the target is to stay
within 3 %.

    python benchmarks/harness_overhead.py MODEL.tflite [RUNS]
"""

from __future__ import annotations

import io
import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from edgecnn.bench.child import Measurement, Reporter, latency_inputs
from edgecnn.bench.figures import Turns, median_ratio
from edgecnn.bench.host import LocalHost
from edgecnn.bench.interleave import LEAD_IN_S, share_out
from edgecnn.bench.messages import Load
from edgecnn.bench.parent import Worker
from edgecnn.bench.steady import LIMIT_S, warm_up

TARGET = 1.03
TURN = 20    # runs

BARE = """
import gc, itertools, json, sys, time
import numpy as np
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
end, out = interpreter.get_input_details()[0], interpreter.get_output_details()[0]["index"]
generator, index = np.random.default_rng(0), end["index"]
if end["dtype"] == np.float32:
    inputs = generator.random((32, *end["shape"]), dtype=np.float32)
else:
    limits = np.iinfo(end["dtype"])
    inputs = generator.integers(limits.min, limits.max, (32, *end["shape"]), dtype=end["dtype"], endpoint=True)
samples = itertools.cycle([np.ascontiguousarray(sample) for sample in inputs])
gc.collect()
gc.disable()
for line in sys.stdin:
    runs, lead_in = json.loads(line)
    stop = time.perf_counter() + lead_in
    while time.perf_counter() < stop:
        interpreter.set_tensor(index, next(samples))
        interpreter.invoke()
        interpreter.get_tensor(out)
    taken = []
    for _ in range(runs):
        sample = next(samples)
        begin = time.perf_counter_ns()
        interpreter.set_tensor(index, sample)
        interpreter.invoke()
        interpreter.get_tensor(out)
        taken.append((time.perf_counter_ns() - begin) / 1e6)
    print(json.dumps(taken), flush=True)
"""


class Bare:
    """The bare loop in a process of its own."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", BARE, str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )    # fmt: skip

    def measure(self, runs: int, lead_in_s: float) -> np.ndarray:
        """Milliseconds of ``runs`` inferences."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([runs, lead_in_s]) + "\n")
        self._process.stdin.flush()
        return np.array(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


def measure(path: Path, runs: int) -> tuple[Turns, Turns]:
    """Latencies through the harness, and those of the bare loop."""
    ours, bare = [], []
    for sizes in share_out(runs):
        loop = Bare(path)
        with Worker(LocalHost(), "litert") as worker:
            worker.load(Load(runtime="litert", path=str(path)))
            worker.warm(0, LIMIT_S)
            loop.measure(1, LIMIT_S / 4)
            turns = [
                (np.array(worker.measure(size, LEAD_IN_S).latencies_ms), loop.measure(size, LEAD_IN_S))
                for size in sizes
            ]
        loop.close()
        ours.append(tuple(one for one, _ in turns))
        bare.append(tuple(other for _, other in turns))
    return Turns(tuple(ours)), Turns(tuple(bare))


def measure_in_one_process(path: Path, runs: int) -> tuple[Turns, Turns]:
    """The same over one interpreter: the harness's loop and the bare one in turns of some runs."""
    measurement = Measurement(Load(runtime="litert", path=str(path)), Reporter(io.StringIO()))
    inner = measurement.session.run.__self__    # type: ignore[attr-defined]    # a bound method of the LiteRTSession
    interpreter, index, out = inner._set.__self__, inner._input, inner._output
    samples = itertools.cycle(latency_inputs(measurement.session, None, None))

    def bare(count: int) -> list[float]:
        taken = []
        for sample in itertools.islice(samples, count):
            begin = time.perf_counter_ns()
            interpreter.set_tensor(index, sample)
            interpreter.invoke()
            interpreter.get_tensor(out)
            taken.append((time.perf_counter_ns() - begin) / 1e6)
        return taken

    warm_up(measurement.timed, 0, LIMIT_S)
    turns = [(np.array(measurement.timed(TURN)), np.array(bare(TURN))) for _ in range(max(1, runs // TURN))]
    return Turns((tuple(one for one, _ in turns),)), Turns((tuple(other for _, other in turns),))


def main() -> None:
    """Print the ratios; exit code 1 where one is above the target by more than its interval."""
    path, runs = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 4000
    above = False
    for where, how in (("one process", measure_in_one_process), ("processes of their own", measure)):
        ours, bare = how(path, runs)
        ratio = median_ratio(ours, bare, paired=True)
        medians = [float(np.median(one.latencies)) * 1e3 for one in (ours, bare)]
        print(f"{path.name}, {where}: harness {medians[0]:.2f} us, bare loop {medians[1]:.2f} us, {runs} runs each")
        print(f"ratio {ratio.value:.4f}, 95 % interval {ratio.low:.4f} to {ratio.high:.4f}; target at most {TARGET}")
        above |= ratio.low > TARGET
    sys.exit(1 if above else 0)


if __name__ == "__main__":
    main()
