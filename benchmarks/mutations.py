"""Damaged models: whatever the file, the compiler gives C or a sentence, soon, in little memory.

    python benchmarks/mutations.py 20000 --seed 1 --jobs 2 [--models FOLDER]

Mutations of models that hold every operator, and of published ones (``--models``, where there are any):
truncations, changed bits, bytes and words, and well-formed files with nonsense in them. Each has a limit on time and
on memory. One of ``--every`` that compile all the same is built with the sanitizers and run on noise. What fails is
kept in ``build/mutations``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.firmware_export.c_build import SANITIZED, build_compiled  # noqa: E402
from tests.firmware_export.comparing import refusal_of  # noqa: E402
from tests.firmware_export.limits import TooLong, memory_limit, time_limit  # noqa: E402
from tests.firmware_export.mutating import Source, damaged, judged, sources  # noqa: E402

LARGEST_TO_RUN = 1 << 20
"""Bytes of inputs and outputs of a program that is run: a damaged shape may be large and still be right."""


@dataclass(frozen=True)
class Task:
    """Some seeds for one worker."""

    seeds: range
    models: Path | None
    seconds: float
    megabytes: int
    every: int
    folder: Path


@lru_cache(maxsize=1)
def known_sources(models: Path | None) -> list[Source]:
    """Made once in each worker."""
    return sources(models)


def run(task: Task) -> list[tuple[str, str, float]]:
    """For each seed what became of the file, why, and seconds."""
    results = []
    found = known_sources(task.models)
    for seed in task.seeds:
        data = damaged(found[seed % len(found)], seed)
        begin = time.perf_counter()
        try:
            with time_limit(task.seconds), memory_limit(task.megabytes << 20):
                outcome = judged(data)
        except (Exception, TooLong):
            results.append(_failed(task, seed, data, traceback.format_exc()))
            continue
        seconds = time.perf_counter() - begin
        if isinstance(outcome, str):
            results.append(("refused", outcome, seconds))
            continue
        program = outcome.plan.program
        bytes_given = sum(program.values[index].nbytes for index in (*program.inputs, *program.outputs))
        if seed % task.every or bytes_given + outcome.plan.arena_bytes > LARGEST_TO_RUN:
            results.append(("compiled", "", seconds))
            continue
        random = np.random.default_rng(seed)
        noise = [random.bytes(program.values[index].nbytes) for index in program.inputs]
        try:
            with tempfile.TemporaryDirectory() as place:
                ways = (False, True) if outcome.plan.push is not None else (False,)
                for push in ways:
                    built = build_compiled(outcome, Path(place), push, ("-O1", "-w", *SANITIZED))
                    built.run(*(np.frombuffer(block, np.uint8) for block in noise))
            results.append(("compiled and run", "", seconds))
        except Exception:
            results.append(_failed(task, seed, data, traceback.format_exc()))
    return results


def _failed(task: Task, seed: int, data: bytes, reason: str) -> tuple[str, str, float]:
    task.folder.mkdir(parents=True, exist_ok=True)
    (task.folder / f"{seed}.tflite").write_bytes(data)
    (task.folder / f"{seed}.txt").write_text(reason, encoding="utf-8")
    return ("failed", f"{seed}: {reason.strip().splitlines()[-1]}", 0.0)


def main() -> None:
    """Damage, judge, count; fail when the compiler did."""
    parser = argparse.ArgumentParser(description="Damaged models through the compiler.")
    parser.add_argument("count", type=int, nargs="?", default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--models", type=Path, help="folder of int8 .tflite files (default: ../shared/models)")
    parser.add_argument("--seconds", type=float, default=10, help="limit for a file")
    parser.add_argument("--megabytes", type=int, default=512, help="limit beyond what Python has with its modules")
    parser.add_argument("--every", type=int, default=25, help="of so many that compile one is built and run")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "mutations")
    arguments = parser.parse_args()
    usual = ROOT.parent / "shared" / "models"
    models = arguments.models or (usual if usual.is_dir() else None)
    last, step = arguments.seed + arguments.count, 100
    limits = (arguments.seconds, arguments.megabytes, arguments.every, arguments.folder)
    seeds = [range(at, min(at + step, last)) for at in range(arguments.seed, last, step)]
    tasks = [Task(some, models, *limits) for some in seeds]
    results: list[tuple[str, str, float]] = []
    begin = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.jobs, context) as pool:
        for future in as_completed([pool.submit(run, task) for task in tasks]):
            results += future.result()
            print(f"\r{len(results)} files", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    kinds = Counter(kind for kind, _, _ in results)
    said = [why.replace(".tflite", "", 1) for kind, why, _ in results if kind == "refused"]
    reasons = Counter(": ".join(refusal_of(why)) for why in said)
    for reason, count in reasons.most_common(40):
        print(f"{count:>6}  {reason[:110]}")
    print(f"{len(reasons)} different reasons; the longest took {max(seconds for _, _, seconds in results):.2f} s")
    for name in ("refused", "compiled", "compiled and run", "failed"):
        print(f"{name:<18}{kinds[name]:>7}")
    for _, why, _ in [result for result in results if result[0] == "failed"][:50]:
        print(f"  {why[:160]}")
    print(f"{len(results)} files in {time.perf_counter() - begin:.0f} s")
    sys.exit(kinds["failed"] > 0)


if __name__ == "__main__":
    main()
