"""The compiled C on this machine beside LiteRT with XNNPACK: one thread each, in one run, and the ratio of both.

Both go through ``edgecnn bench``'s measuring processes, which are pinned to a core and take turns, A B A B …, several
processes of each one after the other. Printed are the medians and the ratio C / LiteRT with its 95 % interval. The
target is a ratio of at most 1.5.

    python benchmarks/host.py MODEL.tflite... [--runs 2000]
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from edgecnn.bench.figures import Turns, median_interval, median_ratio
from edgecnn.bench.host import LocalHost
from edgecnn.bench.interleave import LEAD_IN_S, share_out
from edgecnn.bench.messages import Load
from edgecnn.bench.parent import Worker
from edgecnn.bench.steady import LIMIT_S

TARGET = 1.5
RUNTIMES = ("c", "litert")


def measure(path: Path, runs: int) -> tuple[Turns, Turns]:
    """Latencies in ms of the compiled C, and of LiteRT."""
    found: dict[str, list[tuple[np.ndarray, ...]]] = {name: [] for name in RUNTIMES}
    for sizes in share_out(runs):
        with Worker(LocalHost(), RUNTIMES[0]) as ours, Worker(LocalHost(), RUNTIMES[1]) as theirs:
            workers = dict(zip(RUNTIMES, (ours, theirs), strict=True))
            for name, worker in workers.items():
                worker.load(Load(runtime=name, path=str(path)))
                worker.warm(0, LIMIT_S)
            turns: dict[str, list[np.ndarray]] = {name: [] for name in RUNTIMES}
            for size in sizes:
                for name, worker in workers.items():
                    turns[name].append(np.array(worker.measure(size, LEAD_IN_S).latencies_ms))
            for name in RUNTIMES:
                found[name].append(tuple(turns[name]))
    ours_turns, their_turns = (Turns(tuple(found[name])) for name in RUNTIMES)
    return ours_turns, their_turns


def main() -> None:
    """Print the table; exit code 1 where a ratio is above the target by more than its interval."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="MODEL.tflite")
    parser.add_argument("--runs", type=int, default=2000, help="of each runtime and model (default: 2000)")
    asked = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})    # the measuring processes inherit it
    above = False
    print(f"{'model':40}  {'C, µs':>16}  {'LiteRT, µs':>16}  ratio, 95 %")
    for path in asked.files:
        ours, theirs = measure(path, asked.runs)
        medians = [median_interval(turns) for turns in (ours, theirs)]
        half = [max(one.high - one.value, one.value - one.low) for one in medians]
        times = [f"{one.value * 1e3:8.2f} ±{width * 1e3:6.2f}" for one, width in zip(medians, half, strict=True)]
        ratio = median_ratio(ours, theirs, paired=True)
        name = f"{path.resolve().parent.name}/{path.stem}"
        print(f"{name:40}  {'  '.join(times)}  {ratio.value:.3f} ({ratio.low:.3f} to {ratio.high:.3f})", flush=True)
        above |= ratio.low > TARGET
    sys.exit(1 if above else 0)


if __name__ == "__main__":
    main()
