"""Fit what kernels cost on a core to counted instructions and built code: ``choice/costs/<core>/*.csv`` there.

    python benchmarks/costs.py cortex-m4 cortex-m3
    python benchmarks/costs.py cortex-m4 --networks 40 --dry-run

Every model of the repository up to ``LARGEST`` multiply-accumulates, those of ../shared/models and random networks
are compiled in as many ways as their layers have forms, run under QEMU, and counted layer by layer. Each function's
instructions are fitted as a sum over ``costs.FEATURES`` with the least relative errors, no factor below 0.
Prints how far the sums are off.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from edgecnn.errors import EdgecnnError  # noqa: E402
from edgecnn.mcu.counting import count_instructions  # noqa: E402
from edgecnn.mcu.samples import random_samples  # noqa: E402
from edgecnn.mcu.sizes import measure  # noqa: E402
from edgecnn.mcu.targets import Target, load_target  # noqa: E402
from firmware_export.choice.costs import FEATURES, FOLDER, LAYER, NETWORK, features  # noqa: E402
from firmware_export.compiler import Compiled, compile_model  # noqa: E402
from firmware_export.errors import ModelError  # noqa: E402
from tests.firmware_export.forms import every_form  # noqa: E402
from tests.firmware_export.random_networks import random_network  # noqa: E402

LARGEST = 20_000_000
"""Multiply-accumulates of a network."""

UNCERTAIN = 200.0
"""Instructions that are added to what an error is relative to: short layers are not what matters."""


@dataclass
class Found:
    """What was counted and built on a core.

    Attributes:
        counts: By function: features and instructions of each layer.
        built: Of each build: its layers' kernels, and bytes without weights for speed and for size.
    """

    counts: dict[str, list[tuple[tuple[int, ...], float]]] = field(default_factory=dict)
    built: list[tuple[list[str], tuple[int, int]]] = field(default_factory=list)


def networks(count: int) -> Iterator[tuple[str, bytes]]:
    """Names and files."""
    for folder in (ROOT / "models", ROOT.parent / "shared" / "models"):
        for path in sorted(folder.glob("**/*int8.tflite")):
            yield f"{path.parent.name}/{path.name}", path.read_bytes()
    for seed in range(count):
        yield f"random {seed}", random_network(seed).data


def macs_of(data: bytes) -> int:
    """Multiply-accumulates of a network."""
    return sum(layer.macs for layer in compile_model(data, "net", "net").plan.program.layers)


def look_at(compiled: Compiled, target: Target, found: Found) -> None:
    """Count a network's layers and build it."""
    layers = compiled.plan.program.layers
    with tempfile.TemporaryDirectory(prefix="edgecnn-costs-") as folder:
        counts = count_instructions(compiled, target, "-O2", random_samples(compiled.graph, 1), Path(folder), True)
    for layer, count in zip(layers, counts.layers, strict=True):
        found.counts.setdefault(layer.function, []).append((features(layer), count / counts.runs))
    amounts = np.sum([features(layer) for layer in layers], axis=0)
    found.counts.setdefault(NETWORK, []).append((tuple(amounts.tolist()), counts.rest / counts.runs))
    fast, small = (measure(compiled.files, "net", target, flag) for flag in ("-O2", "-Os"))
    kernels = [layer.kernel for layer in layers]
    found.built.append((kernels, (fast.flash - fast.weights, small.flash - small.weights)))


def fit(amounts: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Factors of 0 or more with the least sum of relative errors, by squares that are weighed anew a dozen times.

    Args:
        amounts: ``[cases, features]``.
        wanted: ``[cases]``.
    """
    base = wanted + UNCERTAIN
    weights = np.ones_like(wanted)
    factors = np.zeros(amounts.shape[1])
    for _ in range(12):
        scale = weights / base
        factors = least_squares(amounts * scale[:, None], wanted * scale, max(1, len(wanted) // 2))
        weights = 1 / np.sqrt(np.maximum(np.abs(amounts @ factors - wanted) / base, 0.01))
    return factors


def least_squares(amounts: NDArray[np.float64], wanted: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Factors of 0 or more, at most so many above it."""
    found = []
    for size in range(1, min(amounts.shape[1], most) + 1):
        for chosen in map(list, combinations(range(amounts.shape[1]), size)):
            part, *_ = np.linalg.lstsq(amounts[:, chosen], wanted, rcond=None)
            if (part >= 0).all():
                factors = np.zeros(amounts.shape[1])
                factors[chosen] = part
                found.append((float(((amounts @ factors - wanted) ** 2).sum()), tuple(factors)))
    return np.array(min(found)[1]) if found else np.zeros(amounts.shape[1])


def fit_instructions(found: Found) -> tuple[list[list[str]], float]:
    """Lines of the table, and the median error of all layers of 10,000 instructions or more."""
    lines, errors = [], []
    for function, cases in sorted(found.counts.items()):
        amounts, wanted = np.array([case[0] for case in cases], float), np.array([case[1] for case in cases])
        factors = fit(amounts, wanted)
        off = np.abs(amounts @ factors - wanted) / np.maximum(wanted, 1)
        errors += off[wanted >= 10_000].tolist()
        median = 100 * float(np.median(off))
        lines.append([function, *(f"{factor:.4g}" for factor in factors), f"{median:.1f}", str(len(cases))])
    return lines, float(np.median(errors))


def fit_code(found: Found) -> tuple[list[list[str]], float]:
    """Lines of the table, and the median error of all builds."""
    kernels = sorted({kernel for used, _ in found.built for kernel in used})
    amounts = np.array([[1, len(used), *(kernel in used for kernel in kernels)] for used, _ in found.built], float)
    columns, errors = [], []
    for flag in (0, 1):
        wanted = np.array([sizes[flag] for _, sizes in found.built], float)
        factors = nonnegative(amounts, wanted)
        columns.append(factors)
        errors += (np.abs(amounts @ factors - wanted) / wanted).tolist()
    names = [NETWORK, LAYER, *kernels]
    lines = [[name, f"{a:.0f}", f"{b:.0f}"] for name, a, b in zip(names, *columns, strict=True)]
    return lines, float(np.median(errors))


def nonnegative(amounts: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares without factors below 0, by coordinate descent."""
    factors = np.zeros(amounts.shape[1])
    rest = wanted.copy()
    squares = (amounts**2).sum(axis=0)
    for _ in range(20_000):
        for index in range(len(factors)):
            changed = max(0.0, factors[index] + amounts[:, index] @ rest / squares[index])
            rest -= amounts[:, index] * (changed - factors[index])
            factors[index] = changed
    return factors


def write(core: str, table: str, heading: Sequence[str], lines: list[list[str]]) -> None:
    """A table as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([heading, *lines])
    (FOLDER / core).mkdir(exist_ok=True)
    (FOLDER / core / f"{table}.csv").write_text(text.getvalue(), encoding="utf-8")


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cores", nargs="+", metavar="CORE", help="targets with an emulated board")
    parser.add_argument("--networks", type=int, default=60, help="random networks (default: 60)")
    parser.add_argument("--dry-run", action="store_true", help="print the errors, write nothing")
    asked = parser.parse_args()
    for core in asked.cores:
        target, found = load_target(core), Found()
        for name, data in networks(asked.networks):
            try:
                if macs_of(data) > LARGEST:
                    continue
                for compiled in every_form(data, target.instruction_set):
                    look_at(compiled, target, found)
            except (EdgecnnError, ModelError) as error:
                print(f"{core}: {name} is left out: {error}", file=sys.stderr)
        instructions, off = fit_instructions(found)
        code, code_off = fit_code(found)
        built = len(found.built)
        print(f"{core}: {built} builds; median error {off:.1%} of a layer's instructions, {code_off:.1%} of code")
        if not asked.dry_run:
            write(core, "instructions", ("function", *FEATURES, "median_error_percent", "layers"), instructions)
            write(core, "code", ("file", "speed", "size"), code)


if __name__ == "__main__":
    main()
