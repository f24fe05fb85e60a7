"""Random int8 networks: the compiled C against TFLite Micro, byte for byte, on many of them.

    python benchmarks/random_networks.py 2000 --seed 1 --jobs 2
    python benchmarks/random_networks.py 2000 --on cortex-m4,cortex-m55,cortex-m3,riscv32
    python benchmarks/random_networks.py 200 --converted

The networks are built straight as flatbuffers, or with ``--converted`` by Keras and TensorFlow's converter. Each runs
whole and, where it has one image as its input, with its rows pushed in. What the compiler optimizes for changes from
seed to seed. The kernels are those of the target's instruction set. On this machine the C is built with the address
and the undefined-behaviour sanitizer; elsewhere with -O2 and -Os in turn, on boards with guards around its memory. A
network that the compiler refuses counts under the operator and the reason. Results lie in ``build/random_networks``:
a run that was stopped goes on where it was, as long as the code is the same. What fails is kept there as a
``.tflite`` with what was found, cut down as far as it still fails.
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
from itertools import cycle
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from edgecnn.mcu.targets import HOST, Target, load_targets  # noqa: E402
from firmware_export.emit.kernels import FOLDER as KERNELS  # noqa: E402
from firmware_export.tflite import read_model  # noqa: E402
from tests.firmware_export.c_build import SANITIZED  # noqa: E402
from tests.firmware_export.comparing import Outcome, compare, refusal_of, shortest  # noqa: E402
from tests.firmware_export.oracle import Oracle  # noqa: E402
from tests.firmware_export.random_networks import RandomNetwork, random_network  # noqa: E402

EMULATED_FLAGS = ("-O2", "-Os")
"""Of one program and of the next."""


@dataclass(frozen=True)
class Task:
    """What a worker does at once: the networks of some seeds, in one program."""

    target: Target
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
        outcomes = compare(networks, folder, oracle, task.samples, task.flags, task.target)
        for network, outcome in zip(networks, outcomes, strict=True):
            if outcome.kind == "failed":
                task.failures.mkdir(parents=True, exist_ok=True)
                place = task.failures / str(network.seed)
                place.with_suffix(".tflite").write_bytes(network.data)
                text = f"{outcome.detail}\n\n{read_model(network.data)}\n"
                if smaller := shortest(network, folder, oracle, task.flags, task.target):
                    part, said = smaller
                    place.with_suffix(".small.tflite").write_bytes(part.data)
                    text = f"{said.detail}\n\n{read_model(part.data)}\n\n\nThe whole network:\n{text}"
                place.with_suffix(".txt").write_text(text, encoding="utf-8")
    return outcomes


def fingerprint() -> str:
    """Of everything that a result depends on."""
    digest = hashlib.sha256()
    for folder in ("firmware_export", "edgecnn/mcu", "tests/firmware_export"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".h", ".c", ".S", ".ld", ".toml") and not path.name.startswith("test_"):
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def operator_table(outcomes: list[Outcome]) -> list[str]:
    """How often each operator came, and how often in a network that is equal."""
    networks, nodes, equal = Counter[str](), Counter[str](), Counter[str]()
    for outcome in outcomes:
        for op, count in outcome.ops.items():
            networks[op] += 1
            nodes[op] += count
            equal[op] += count if outcome.kind == "equal" else 0
    lines = [f"{'operator':<26}{'networks':>9}{'nodes':>8}{'equal':>8}"]
    return lines + [f"{op:<26}{networks[op]:>9}{nodes[op]:>8}{equal[op]:>8}" for op in sorted(networks)]


def kernel_table(outcomes: list[Outcome], instruction_set: str) -> list[str]:
    """How many equal networks used each kernel of a set, and which were not used."""
    folder = KERNELS / instruction_set
    kernels = {path.stem for path in folder.glob("*.h") if f"struct ec_{path.stem} {{" in path.read_text("utf-8")}
    kernels -= {stem for stem in kernels if stem.endswith("_int16")}    # the networks are int8
    networks, layers = Counter[str](), Counter[str]()
    for outcome in outcomes:
        if outcome.kind == "equal":
            for name, count in outcome.functions.items():
                networks[name] += 1
                layers[name] += count
    own = [name for name in sorted(networks) if name.split()[0] in kernels]
    title = f"kernel of {instruction_set}, function"
    lines = [f"{title:<58}{'networks':>9}{'layers':>8}"]
    lines += [f"{name:<58}{networks[name]:>9}{layers[name]:>8}" for name in own]
    unused = sorted(kernels - {name.split()[0] for name in own})
    return lines + ([f"not used: {', '.join(unused)}"] if unused else [])


def table(outcomes: list[Outcome], target: Target) -> str:
    """What there is to know."""
    lines = [*operator_table(outcomes), "", *kernel_table(outcomes, target.instruction_set)]
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
        f"{target.name}: networks {len(outcomes)}, equal {kinds['equal']} (of them {pushed} also with rows pushed in), "
        f"refused {kinds['refused']}, not taken by TFLite Micro {kinds['no oracle']}",
        f"differences and crashes = {len(failed)}",
        *(f"  seed {outcome.seed}: {outcome.detail.strip().splitlines()[-1][:150]}" for outcome in failed),
    ])


def main() -> None:
    """Run what is missing, print the table, and fail when a network did."""
    parser = argparse.ArgumentParser(description="Random networks, compiled, against TFLite Micro.")
    parser.add_argument("count", type=int, nargs="?", default=2000)
    parser.add_argument("--on", default=HOST, help="targets, separated by commas (default: this machine)")
    parser.add_argument("--seed", type=int, default=1, help="of the first network; the others follow")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--converted", action="store_true", help="random Keras models through TensorFlow's converter")
    parser.add_argument("--batch", type=int, default=20, help="networks in one program")
    parser.add_argument("--samples", type=int, default=4, help="inputs for each network")
    parser.add_argument("--only", default="", help="operators, separated by commas; default all")
    parser.add_argument("--flags", help="for the C compiler, instead of those of the description")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "random_networks")
    arguments = parser.parse_args()
    found = [run_all(target, arguments) for target in load_targets(arguments.on.split(","))]
    sys.exit(any(outcome.kind == "failed" for outcomes in found for outcome in outcomes))


def run_all(target: Target, arguments: argparse.Namespace) -> list[Outcome]:
    """All networks on one target; prints what came of them."""
    only = frozenset(filter(None, arguments.only.split(",")))
    usual = EMULATED_FLAGS if target.emulator else (" ".join(("-O1", *SANITIZED, "-fno-var-tracking")),)
    flags = (arguments.flags,) if arguments.flags else usual
    told = f"{target} {sorted(only)} {arguments.converted} {flags} {arguments.samples}"
    store = arguments.folder / f"{fingerprint()}-{hashlib.sha256(told.encode()).hexdigest()[:6]}.jsonl"
    store.parent.mkdir(parents=True, exist_ok=True)
    known: dict[int, Outcome] = {}
    if store.is_file():
        for line in store.read_text(encoding="utf-8").splitlines():
            outcome = Outcome(**json.loads(line))
            known[outcome.seed] = outcome
    seeds = range(arguments.seed, arguments.seed + arguments.count)
    missing = [seed for seed in seeds if seed not in known]
    parts = [tuple(missing[at : at + arguments.batch]) for at in range(0, len(missing), arguments.batch)]
    failures = arguments.folder / "failures" / target.name
    tasks = [
        Task(target, part, arguments.converted, only, tuple(each.split()), arguments.samples, failures)
        for part, each in zip(parts, cycle(flags), strict=False)
    ]
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
            print(f"\r{target.name}: {done} networks, {failed} failed", end="", file=sys.stderr, flush=True)
    seconds = time.perf_counter() - start
    outcomes = [known[seed] for seed in seeds]
    print(file=sys.stderr)
    print(table(outcomes, target))
    print(f"{len(missing)} networks in {seconds:.0f} s\n")
    return outcomes


if __name__ == "__main__":
    main()
