"""Start-up time of ``edgecnn --help`` beside that of ``python -c "import click, numpy"``, as a ratio in one run.

    python benchmarks/startup.py [RUNS]

Both are fresh processes of this interpreter, run in turn, so that whatever else the machine does hits both alike.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "import click, numpy": [sys.executable, "-c", "import click, numpy"],
    "edgecnn --help": [sys.executable, "-m", "edgecnn", "--help"],
}
LIMIT = 2.0


def measure(runs: int) -> dict[str, list[float]]:
    """Wall-clock seconds of each command, ``runs`` times each in turn, after one uncounted run."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(runs + 1):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            if number > 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def main() -> None:
    """Measure, print the table, and fail when the ratio is at the limit or above."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    seconds = measure(runs)
    print(f"{runs} runs of each, in turn, milliseconds:")
    for name, values in seconds.items():
        milliseconds = [value * 1000 for value in values]
        print(f"  {name:<22} median {statistics.median(milliseconds):6.1f}   least {min(milliseconds):6.1f}")
    base, own = (statistics.median(values) for values in seconds.values())
    print(f"  ratio of the medians   {own / base:.2f} (limit {LIMIT})")
    sys.exit(own / base >= LIMIT)


if __name__ == "__main__":
    main()
