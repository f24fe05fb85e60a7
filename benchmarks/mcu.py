"""Instructions, memory and flash of compiled models on every core, the same figures every run.

    python benchmarks/mcu.py [FILE ...] [--on cortex-m4,riscv32] [--opt s] [--samples 1] [--functions] [--json]

Without FILE: the MLPerf Tiny models in ../shared/models, where they are. The instructions are those that the core
executes from the entry of <name>_run to its return, counted by a QEMU plugin (count_instructions.c) on the whole
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

from edgecnn.errors import EdgecnnError
from edgecnn.mcu.elf import read_elf
from edgecnn.mcu.image import OPTIMIZATIONS, Form, build_image
from edgecnn.mcu.interface import interface_of
from edgecnn.mcu.running import RunError, run_image, time_limit
from edgecnn.mcu.samples import random_samples
from edgecnn.mcu.sizes import measure
from edgecnn.mcu.targets import HOST, Target, load_target, target_names
from edgecnn.mcu.toolchain import call, find_tool
from firmware_export.compiler import Compiled, compile_model
from firmware_export.errors import ModelError

PLUGIN_SOURCE = Path(__file__).with_name("count_instructions.c")
PLUGIN_VERSIONS = (1, 2, 3, 4, 5, 6)
"""Of QEMU's plugin interface. Each QEMU takes a range of them; what the plugin uses is the same in all."""

NAME = "net"
MODELS = Path(__file__).resolve().parents[2] / "shared" / "models"
DEFAULT_MODELS = ("ic_resnet8_int8.tflite", "kws_dscnn_int8.tflite")


@dataclasses.dataclass(frozen=True)
class Counts:
    """Executed instructions.

    Attributes:
        runs: Inferences.
        functions: Instructions of all of them together, by function, the most first.
    """

    runs: int
    functions: dict[str, int]

    @property
    def each(self) -> float:
        """Instructions of an inference, the mean over the samples."""
        return sum(self.functions.values()) / self.runs


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


def build_plugin(folder: Path, version: int) -> Path:
    """Compile the plugin for a version of QEMU's interface."""
    library = folder / f"count{version}.so"
    compiler = find_tool(("gcc", "clang", "cc"), "building the plugin that counts")
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden"]
    command: list[str | Path] = [compiler, *flags, f"-DQEMU_PLUGIN_VERSION={version}", PLUGIN_SOURCE, "-o", library]
    call(command, folder, "building the plugin that counts")
    return library


def count_instructions(compiled: Compiled, target: Target, optimization: str, samples: int, folder: Path) -> Counts:
    """Run a model on an emulated board and count.

    Args:
        compiled: The model.
        target: A target with a board.
        optimization: ``-O2`` or ``-Os``.
        samples: How many random inputs.
        folder: An empty folder of its own.

    Raises:
        EdgecnnError: It cannot be built or does not run.
    """
    interface = interface_of(compiled.plan)
    image = build_image(compiled.files, interface, target, folder, Form(optimization))
    places = {symbol.name: symbol.value & ~1 for symbol in read_elf(image.path.read_bytes()).symbols}    # Thumb: bit 0
    begin, end = places[f"{interface.name}_run"], places["harness_ended"]
    inputs = random_samples(compiled.graph, samples)
    macs = sum(layer.macs for layer in compiled.plan.program.layers)
    counts = folder / "counts.txt"
    refused: RunError | None = None
    for version in PLUGIN_VERSIONS:
        library = build_plugin(folder, version)
        plugin = f"{library},begin={begin:#x},end={end:#x},out={counts}"
        try:
            run_image(image, inputs, 10 * time_limit(target, samples, macs), ("-plugin", plugin))
        except RunError as error:
            refused = refused or error
            if counts.is_file():    # it was not the plugin that QEMU refused
                raise
            continue
        return read_counts(counts.read_text(encoding="utf-8"))
    assert refused is not None
    raise refused


def read_counts(text: str) -> Counts:
    """The plugin's file; what the harness itself does between return and end is left out."""
    lines = [line.rsplit(" ", 1) for line in text.splitlines()]
    found = {name: int(number) for name, number in lines}
    runs = found.pop("runs")
    found.pop("harness_network", None)
    return Counts(runs, dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))))


def measure_model(path: Path, targets: list[Target], optimization: str, samples: int) -> list[Measured]:
    """One model on some cores.

    Raises:
        ModelError: The compiler does not take it.
        EdgecnnError: It cannot be built or does not run.
    """
    compiled = compile_model(path.read_bytes(), str(path), NAME)
    macs = sum(layer.macs for layer in compiled.plan.program.layers)
    found = []
    for target in targets:
        with tempfile.TemporaryDirectory(prefix="edgecnn-count-") as folder:
            counts = count_instructions(compiled, target, optimization, samples, Path(folder))
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
        found = [one for path in files for one in measure_model(path, targets, optimization, samples)]
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
