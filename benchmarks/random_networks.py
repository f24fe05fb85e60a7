"""Random int8 networks: the compiled C against TFLite Micro, byte for byte, on many of them.

    python benchmarks/random_networks.py 2000 --seed 1 --jobs 2
    python benchmarks/random_networks.py 200 --converted

The networks are built straight as flatbuffers, or with ``--converted`` by Keras and TensorFlow's converter. Each runs
whole and, where it has one image as its input, with its rows pushed in; the C is built with the address and the
undefined-behaviour sanitizer. A network that the compiler refuses counts under the operator and the reason. Results
lie in ``build/random_networks``: a run that was stopped goes on where it was, as long as the code is the same. What
fails is kept there as a ``.tflite`` with what was found, cut down as far as it still fails.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from firmware_export.tflite import read_model  # noqa: E402
from tests.firmware_export.c_build import SANITIZED  # noqa: E402
from tests.firmware_export.comparing import Outcome, compare, refusal_of, shortest  # noqa: E402
from tests.firmware_export.oracle import Oracle  # noqa: E402
from tests.firmware_export.random_networks import RandomNetwork, random_network  # noqa: E402


@dataclass(frozen=True)
class Task:
    """What a worker does at once: the networks of some seeds, in one program."""

    seeds: tuple[int, ...]
    converted: bool
    only: frozenset[str]
    flags: tuple[str, ...]
    samples: int
    failures: Path


def network_of(task: Task, seed: int) -> RandomNetwork:
    """The network of a seed."""
    if not task.converted:
        return random_network(seed, only=task.only)
    from tests.firmware_export.converted_networks import converted_network  # imports TensorFlow

    return converted_network(seed)


def run(task: Task) -> list[Outcome]:
    """Compare, and keep what fails."""
    with tempfile.TemporaryDirectory() as name, Oracle() as oracle:
        folder = Path(name)
        networks = [network_of(task, seed) for seed in task.seeds]
        outcomes = compare(networks, folder, oracle, task.samples, task.flags)
        for network, outcome in zip(networks, outcomes, strict=True):
            if outcome.kind == "failed":
                task.failures.mkdir(parents=True, exist_ok=True)
                place = task.failures / str(network.seed)
                place.with_suffix(".tflite").write_bytes(network.data)
                text = f"{outcome.detail}\n\n{read_model(network.data)}\n"
                if smaller := shortest(network, folder, oracle, task.flags):
                    part, said = smaller
                    place.with_suffix(".small.tflite").write_bytes(part.data)
                    text = f"{said.detail}\n\n{read_model(part.data)}\n\n\nThe whole network:\n{text}"
                place.with_suffix(".txt").write_text(text, encoding="utf-8")
    return outcomes


def fingerprint() -> str:
    """Of everything that a result depends on."""
    digest = hashlib.sha256()
    for folder in ("firmware_export", "tests/firmware_export"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".h") and not path.name.startswith("test_"):
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def table(outcomes: list[Outcome]) -> str:
    """What there is to know."""
    networks, nodes, equal = Counter[str](), Counter[str](), Counter[str]()
    for outcome in outcomes:
        for op, count in outcome.ops.items():
            networks[op] += 1
            nodes[op] += count
            equal[op] += count if outcome.kind == "equal" else 0
    lines = [f"{'operator':<26}{'networks':>9}{'nodes':>8}{'equal':>8}"]
    lines += [f"{op:<26}{networks[op]:>9}{nodes[op]:>8}{equal[op]:>8}" for op in sorted(networks)]
    for kind, title in (("refused", "refused by the compiler"), ("no oracle", "not taken by TFLite Micro")):
        reasons = Counter(refusal_of(outcome.detail) for outcome in outcomes if outcome.kind == kind)
        lines += ["", f"{title}: {sum(reasons.values())}"]
        lines += [f"{count:>6}  {op}: {reason}" for (op, reason), count in sorted(reasons.items(), key=lambda i: -i[1])]
    failed = [outcome for outcome in outcomes if outcome.kind == "failed"]
    kinds = Counter(outcome.kind for outcome in outcomes)
    pushed = sum(outcome.pushed for outcome in outcomes)
    return "\n".join([
        *lines,
        "",
        f"networks {len(outcomes)}, equal {kinds['equal']} (of them {pushed} also with rows pushed in), "
        f"refused {kinds['refused']}, not taken by TFLite Micro {kinds['no oracle']}",
        f"differences and crashes = {len(failed)}",
        *(f"  seed {outcome.seed}: {outcome.detail.strip().splitlines()[-1][:150]}" for outcome in failed),
    ])


def main() -> None:
    """Run what is missing, print the table, and fail when a network did."""
    parser = argparse.ArgumentParser(description="Random networks, compiled, against TFLite Micro.")
    parser.add_argument("count", type=int, nargs="?", default=2000)
    parser.add_argument("--seed", type=int, default=1, help="of the first network; the others follow")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--converted", action="store_true", help="random Keras models through TensorFlow's converter")
    parser.add_argument("--batch", type=int, default=20, help="networks in one program")
    parser.add_argument("--samples", type=int, default=4, help="inputs for each network")
    parser.add_argument("--only", default="", help="operators, separated by commas; default all")
    parser.add_argument("--flags", default=" ".join(("-O1", *SANITIZED)), help="for gcc")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "random_networks")
    arguments = parser.parse_args()
    only = frozenset(filter(None, arguments.only.split(",")))
    told = f"{sorted(only)} {arguments.converted} {arguments.flags} {arguments.samples}"
    store = arguments.folder / f"{fingerprint()}-{hashlib.sha256(told.encode()).hexdigest()[:6]}.jsonl"
    store.parent.mkdir(parents=True, exist_ok=True)
    known: dict[int, Outcome] = {}
    if store.is_file():
        for line in store.read_text(encoding="utf-8").splitlines():
            outcome = Outcome(**json.loads(line))
            known[outcome.seed] = outcome
    seeds = range(arguments.seed, arguments.seed + arguments.count)
    missing = [seed for seed in seeds if seed not in known]
    flags = tuple(arguments.flags.split())
    parts = [tuple(missing[at : at + arguments.batch]) for at in range(0, len(missing), arguments.batch)]
    failures = arguments.folder / "failures"
    tasks = [Task(part, arguments.converted, only, flags, arguments.samples, failures) for part in parts]
    start = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.jobs, context) as pool, store.open("a", encoding="utf-8") as file:
        done = len(known)
        for future in as_completed([pool.submit(run, task) for task in tasks]):
            for outcome in future.result():
                known[outcome.seed] = outcome
                done += 1
                file.write(json.dumps(asdict(outcome)) + "\n")
            file.flush()
            failed = sum(outcome.kind == "failed" for outcome in known.values())
            print(f"\r{done} networks, {failed} failed", end="", file=sys.stderr, flush=True)
    seconds = time.perf_counter() - start
    outcomes = [known[seed] for seed in seeds]
    print(file=sys.stderr)
    print(table(outcomes))
    print(f"{len(missing)} networks in {seconds:.0f} s")
    sys.exit(any(outcome.kind == "failed" for outcome in outcomes))


if __name__ == "__main__":
    main()
