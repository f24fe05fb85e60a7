"""Measures a compiled model on an emulated core: ``benchmarks/mcu.py``."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edgecnn.mcu.counting import count_instructions
from edgecnn.mcu.samples import random_samples
from edgecnn.mcu.sizes import measure
from edgecnn.mcu.targets import Target
from firmware_export.choice import Goal, Optimize
from firmware_export.compiler import Compiled, compile_model
from firmware_export.emit.names import names_of

NAME = "net"


@dataclass(frozen=True)
class LayerCount:
    """A layer: its kernel's function, its multiply-accumulates, the instructions that it takes."""

    kernel: str
    macs: int
    instructions: int


@dataclass(frozen=True)
class Measured:
    """A model on a core. Sizes are in bytes.

    Attributes:
        model: Name of its file.
        target: The core.
        optimize: What the compiler chose kernels for.
        optimization: Flag of the C compiler.
        macs: Multiply-accumulates.
        instructions: Of an inference, from the entry of ``<name>_run`` to its return; the mean over the samples.
        per_mac: Instructions for each multiply-accumulate.
        arena: Memory for activations.
        stack: The deepest path, by static analysis.
        code: Instructions in flash.
        weights: Weights, biases, requantization, look-up tables.
        tables: Other constants in flash.
        layers: By name, in their order; empty where they were not asked for.
        functions: Instructions by C function, of all samples together.
    """

    model: str
    target: str
    optimize: str
    optimization: str
    macs: int
    instructions: float
    per_mac: float
    arena: int
    stack: int
    code: int
    weights: int
    tables: int
    layers: Mapping[str, LayerCount]
    functions: Mapping[str, int]


class Meter:
    """Measures, and remembers: goals that lead to the same C are measured once."""

    def __init__(self, samples: int = 1, layers: bool = False) -> None:
        self.samples, self.layers = samples, layers
        self._known: dict[tuple[str, str, str], Measured] = {}

    def measure(self, path: Path, target: Target, optimize: Optimize, optimization: str) -> Measured:
        """One model on one core.

        Raises:
            ModelError: The compiler does not take it.
            EdgecnnError: It cannot be built or does not run.
        """
        goal = Goal(optimize, core=target.name)
        compiled = compile_model(
            path.read_bytes(), str(path), NAME, instruction_set=target.instruction_set, optimize=goal
        )
        key = (target.name, optimization, "".join(compiled.files.values()))
        if key not in self._known:
            self._known[key] = self._measured(compiled, path, target, optimization)
        return replace(self._known[key], optimize=optimize)

    def _measured(self, compiled: Compiled, path: Path, target: Target, optimization: str) -> Measured:
        program = compiled.plan.program
        inputs = random_samples(compiled.graph, self.samples)
        with tempfile.TemporaryDirectory(prefix="edgecnn-count-") as folder:
            counts = count_instructions(compiled, target, optimization, inputs, Path(folder))
        layers = {}
        if self.layers:
            with tempfile.TemporaryDirectory(prefix="edgecnn-count-") as folder:
                parts = count_instructions(compiled, target, optimization, inputs, Path(folder), layers=True)
            each = zip(names_of(program).layers, program.layers, parts.layers, strict=True)
            layers = {
                name: LayerCount(layer.function, layer.macs, round(count / parts.runs)) for name, layer, count in each
            }
            layers["between"] = LayerCount("", 0, round(parts.rest / parts.runs))
        sizes = measure(compiled.files, NAME, target, optimization)
        macs = sum(layer.macs for layer in program.layers)
        return Measured(
            model=path.name,
            target=target.name,
            optimize="",
            optimization=optimization,
            macs=macs,
            instructions=counts.each,
            per_mac=counts.each / macs if macs else 0.0,
            arena=compiled.plan.arena_bytes,
            stack=sizes.stack,
            code=sizes.code,
            weights=sizes.weights,
            tables=sizes.tables,
            layers=layers,
            functions=counts.functions,
        )
