"""Instructions, memory and flash of compiled models on every core, the same figures every run.

    python benchmarks/mcu.py [FILE ...] [--on cortex-m4,riscv32] [--opt s] [--optimize speed] [--samples 1] [--functions] [--json]

Without FILE: the MLPerf Tiny models in ../shared/models, where they are. The instructions are those that the core
executes from the entry of <name>_run to its return, counted by a QEMU plugin (edgecnn/mcu/counting.py) on the whole
firmware image, on seeded random inputs; no cycles: QEMU knows none. Stack is the deepest path by static analysis, code
and weights are those of the object file.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from typing import get_args

from edgecnn.errors import EdgecnnError
from edgecnn.mcu.counting import count_instructions
from edgecnn.mcu.image import OPTIMIZATIONS
from edgecnn.mcu.samples import random_samples
from edgecnn.mcu.sizes import measure
from edgecnn.mcu.targets import HOST, Target, load_target, target_names
from firmware_export.compiler import compile_model
from firmware_export.errors import ModelError
from firmware_export.ops.base import Optimize

NAME = "net"
MODELS = Path(__file__).resolve().parents[2] / "shared" / "models"
DEFAULT_MODELS = ("ic_resnet8_int8.tflite", "kws_dscnn_int8.tflite")


@dataclasses.dataclass(frozen=True)
class Measured:
    """One model on one core. Sizes are in bytes."""

    model: str
    target: str
    optimization: str
    macs: int
    instructions: float
    per_mac: float
    arena: int
    stack: int
    code: int
    weights: int
    tables: int
    functions: dict[str, int]


def measure_model(
    path: Path, targets: list[Target], optimization: str, samples: int, optimize: Optimize = "balanced"
) -> list[Measured]:
    """One model on some cores.

    Raises:
        ModelError: The compiler does not take it.
        EdgecnnError: It cannot be built or does not run.
    """
    data = path.read_bytes()
    found = []
    for target in targets:
        compiled = compile_model(data, str(path), NAME, instruction_set=target.instruction_set, optimize=optimize)
        macs = sum(layer.macs for layer in compiled.plan.program.layers)
        inputs = random_samples(compiled.graph, samples)
        with tempfile.TemporaryDirectory(prefix="edgecnn-count-") as folder:
            counts = count_instructions(compiled, target, optimization, inputs, Path(folder))
        sizes = measure(compiled.files, NAME, target, optimization)
        found.append(
            Measured(
                model=path.name,
                target=target.name,
                optimization=optimization,
                macs=macs,
                instructions=counts.each,
                per_mac=counts.each / macs if macs else 0.0,
                arena=compiled.plan.arena_bytes,
                stack=sizes.stack,
                code=sizes.code,
                weights=sizes.weights,
                tables=sizes.tables,
                functions=counts.functions,
            )
        )
    return found


def main() -> None:
    """Measure and print."""
    boards = [name for name in target_names() if name != HOST]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="int8 .tflite files")
    parser.add_argument("--on", default=",".join(boards), help="targets, separated by commas (default: every board)")
    parser.add_argument("--opt", default="2", choices=OPTIMIZATIONS, help="for speed: 2 (default); for size: s")
    parser.add_argument("--optimize", default="balanced", choices=get_args(Optimize), help="what kernels are chosen for")
    parser.add_argument("--samples", type=int, default=1, help="random inputs; the mean is shown (default: 1)")
    parser.add_argument("--functions", action="store_true", help="instructions by function too")
    parser.add_argument("--json", action="store_true", help="everything as JSON")
    asked = parser.parse_args()
    files = asked.files or [MODELS / name for name in DEFAULT_MODELS if (MODELS / name).is_file()]
    if not files:
        parser.error("no models in ../shared/models; name a FILE")
    try:
        targets = [load_target(name) for name in asked.on.split(",")]
        if any(target.board is None for target in targets):
            parser.error("instructions are counted on emulated boards only")
        optimization, samples = OPTIMIZATIONS[asked.opt], max(1, asked.samples)
        found = [one for path in files for one in measure_model(path, targets, optimization, samples, asked.optimize)]
    except (EdgecnnError, ModelError, OSError) as error:
        sys.exit(f"Error: {error}")
    if asked.json:
        print(json.dumps([dataclasses.asdict(one) for one in found], indent=2))
        return
    print(f"{'model':<28} {'core':<11} {'opt':<4}{'instructions':>14}{'per MAC':>9}", end="")
    print("".join(f"{heading:>9}" for heading in ("arena", "stack", "code", "weights", "tables")))
    for one in found:
        print(f"{one.model:<28} {one.target:<11} {one.optimization:<4}", end="")
        print(f"{one.instructions:>14,.0f}{one.per_mac:>9.3f}", end="")
        print("".join(f"{size:>9,}" for size in (one.arena, one.stack, one.code, one.weights, one.tables)))
        if asked.functions:
            for name, count in one.functions.items():
                print(f"    {name:<40} {count:>14,}")


if __name__ == "__main__":
    main()
