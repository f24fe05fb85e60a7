"""Instructions, memory and flash of compiled models on every core, the same figures every run.

    python benchmarks/mcu.py [FILE ...] [--on cortex-m4,riscv32] [--optimize speed,size] [--opt 2,s] [--layers]
    python benchmarks/mcu.py --keep | --diff

Without FILE: the MLPerf Tiny models in ../shared/models, where they are. The instructions are those that the core
executes from the entry of <name>_run to its return, counted by a QEMU plugin (edgecnn/mcu/counting.py) on the whole
firmware image, on seeded random inputs; no cycles: QEMU knows none. Stack is the deepest path by static analysis, code
and weights are those of the object file. "fewer" says how many times the instructions TFLite Micro executes with
CMSIS-NN (mcu_reference.toml).

--keep writes all figures, of every core, to mcu_figures.json. --diff measures the same again, prints what changed, and
ends with exit code 1 where a figure got worse by more than half a per cent.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import get_args

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mcu_figures import KEPT, changes, figures_of, figures_text, load_figures, markdown, reference  # noqa: E402
from mcu_measuring import Measured, Meter  # noqa: E402

from edgecnn.errors import EdgecnnError  # noqa: E402
from edgecnn.mcu.image import OPTIMIZATIONS  # noqa: E402
from edgecnn.mcu.targets import Target, load_target, target_names  # noqa: E402
from edgecnn.mcu.toolchain import (  # noqa: E402
    MissingToolError,
    compiler_of,
    emulator_of,
    require_tools,
    tool_version,
)
from firmware_export.choice import Optimize  # noqa: E402
from firmware_export.errors import ModelError  # noqa: E402

MODELS = ROOT.parent / "shared" / "models"
DEFAULT_MODELS = ("ic_resnet8_int8.tflite", "kws_dscnn_int8.tflite")
GOALS: tuple[Optimize, ...] = get_args(Optimize)


@dataclasses.dataclass(frozen=True)
class Task:
    """A model on a core in several ways, measured by one process."""

    path: Path
    target: Target
    ways: tuple[tuple[Optimize, str], ...]
    samples: int
    layers: bool


def run(task: Task) -> list[Measured]:
    """Measure."""
    meter = Meter(task.samples, task.layers)
    return [meter.measure(task.path, task.target, optimize, flag) for optimize, flag in task.ways]


def print_table(measured: Sequence[Measured], functions: bool) -> None:
    """A line for each, with its layers and functions below it if they were asked for."""
    widths = (18, 11, 10, 4)
    headings = ("model", "core", "for", "")
    print("".join(f"{heading:<{width}}" for heading, width in zip(headings, widths, strict=True)), end="")
    print(f"{'instructions':>13}{'per MAC':>9}{'fewer':>7}", end="")
    print("".join(f"{heading:>8}" for heading in ("arena", "stack", "code", "tables", "weights")))
    for one in measured:
        theirs = reference(one.model, one.target).get("instructions")
        cells = (Path(one.model).stem, one.target, one.optimize, one.optimization)
        print("".join(f"{cell:<{width - 1}} " for cell, width in zip(cells, widths, strict=True)), end="")
        print(f"{one.instructions:>13,.0f}{one.per_mac:>9.3f}", end="")
        print(f"{theirs / one.instructions:>7.2f}" if theirs else f"{'':>7}", end="")
        print("".join(f"{size:>8,}" for size in (one.arena, one.stack, one.code, one.tables, one.weights)))
        for name, layer in one.layers.items():
            per_mac = f"{layer.instructions / layer.macs:>9.3f}" if layer.macs else ""
            print(f"    {name:<24}{layer.kernel:<32}{layer.instructions:>13,}{per_mac}")
        for name, count in one.functions.items() if functions else ():
            print(f"    {name:<56}{count:>13,}")


def tools_of(targets: Sequence[Target]) -> dict[str, str]:
    """Compilers and emulators with their versions, by the target's name."""
    return {one.name: f"{tool_version(compiler_of(one))}, {tool_version(emulator_of(one))}" for one in targets}


def keep_or_compare(measured: Sequence[Measured], targets: Sequence[Target], compare: bool) -> int:
    """Write the figures, or print what changed; what was not measured stays. Returns the exit code."""
    tools, old = load_figures()
    new, new_tools = figures_of(measured), tools_of(targets)
    if not compare:
        KEPT.write_text(figures_text({**tools, **new_tools}, {**old, **new}), encoding="utf-8")
        print(f"{len(new)} programs' figures written to {KEPT.relative_to(ROOT)}")
        return 0
    for name, version in new_tools.items():
        if tools.get(name, version) != version:
            print(f"{name}: kept with {tools[name]}, measured with {version}")
    lines, worse = changes(old, new)
    print("\n".join(lines) if lines else "nothing changed")
    return int(worse)


def emulated_targets() -> list[Target]:
    """Those whose compiler and emulator are here; says which are not."""
    found = []
    for name in target_names():
        target = load_target(name)
        if target.emulator is not None:
            try:
                require_tools(target)
                found.append(target)
            except MissingToolError as missing:
                print(f"{name} is left out: {missing}", file=sys.stderr)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="int8 .tflite files")
    parser.add_argument("--on", help="targets, separated by commas (default: all that QEMU emulates)")
    parser.add_argument(
        "--optimize", help=f"what the compiler chooses for, separated by commas, or all (default: balanced): {GOALS}"
    )
    parser.add_argument("--opt", help="the C compiler's optimization: 2 (default), s, or both separated by a comma")
    parser.add_argument("--samples", type=int, default=1, help="random inputs; the mean is shown (default: 1)")
    parser.add_argument("--layers", action="store_true", help="instructions by layer too")
    parser.add_argument("--functions", action="store_true", help="instructions by C function too")
    parser.add_argument("--jobs", type=int, default=2, help="programs at once (default: 2)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="everything as JSON")
    form.add_argument("--markdown", action="store_true", help="a table for a README")
    form.add_argument("--keep", action="store_true", help=f"write all figures to {KEPT.name}")
    form.add_argument("--diff", action="store_true", help="print what changed against them; exit code 1 if it is worse")
    asked = parser.parse_args()
    files = asked.files or [MODELS / name for name in DEFAULT_MODELS if (MODELS / name).is_file()]
    if not files:
        parser.error("no models in ../shared/models; name a FILE")
    kept = asked.keep or asked.diff
    goals = asked.optimize.split(",") if asked.optimize else list(GOALS) if kept else ["balanced"]
    goals = list(GOALS) if goals == ["all"] else goals
    flags = asked.opt.split(",") if asked.opt else ["2"]
    if wrong := [name for name in goals if name not in GOALS] + [name for name in flags if name not in OPTIMIZATIONS]:
        parser.error(f"unknown: {', '.join(wrong)}; known are {', '.join(GOALS)} and {', '.join(OPTIMIZATIONS)}")
    ways = [(goal, OPTIMIZATIONS[flag]) for goal in goals for flag in flags]
    if kept and not asked.opt:
        ways = [(goal, "-Os" if goal == "size" else "-O2") for goal in goals]    # as each is meant to be built
    try:
        targets = [load_target(name) for name in asked.on.split(",")] if asked.on else emulated_targets()
        if any(target.emulator is None for target in targets):
            parser.error("instructions are counted where QEMU runs the program")
        layers, samples = asked.layers or asked.json or kept, max(1, asked.samples)
        tasks = [Task(path, target, tuple(ways), samples, layers) for path in files for target in targets]
        with ProcessPoolExecutor(asked.jobs, multiprocessing.get_context("spawn")) as pool:
            measured = [one for found in pool.map(run, tasks) for one in found]
        if kept:
            sys.exit(keep_or_compare(measured, targets, asked.diff))
    except (EdgecnnError, ModelError, OSError) as error:
        sys.exit(f"Error: {error}")
    if asked.json:
        print(json.dumps([dataclasses.asdict(one) for one in measured], indent=2))
    elif asked.markdown:
        print(markdown(measured))
    else:
        print_table(measured, asked.functions)


if __name__ == "__main__":
    main()
