"""Reductions for tests: random cases, many of them side by side in one network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from firmware_export.compiler import Compiled, compile_model
from firmware_export.emit import emit
from firmware_export.errors import ModelError
from firmware_export.schedule import plan
from firmware_export.tflite import read_model
from tests.firmware_export.c_build import build, build_compiled
from tests.firmware_export.evaluation import accumulating, evaluate
from tests.networks import Network, tflite_micro


@dataclass(frozen=True)
class Case:
    """One node with its input; scales and zero points are (input, output)."""

    op: str
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    keep: bool = True
    scales: tuple[float, float] = (0.1, 0.1)
    zero_points: tuple[int, int] = (0, 0)
    extreme: bool = False
    dtype: Any = np.int8

    @property
    def out(self) -> tuple[int, ...]:
        """The output's shape."""
        over = {axis % len(self.shape) for axis in self.axes}
        sizes = enumerate(self.shape)
        return tuple(1 if axis in over else size for axis, size in sizes if self.keep or axis not in over)

    def sample(self, random: np.random.Generator) -> Any:
        """An input; every second one where the case is extreme has only one end of its type."""
        ends = np.iinfo(self.dtype)
        if self.extreme and random.random() < 0.5:
            return np.full(self.shape, random.choice([ends.min, ends.max]), self.dtype)
        return random.integers(ends.min, ends.max + 1, self.shape).astype(self.dtype)


def random_case(random: np.random.Generator, op: str, rank: int, largest: int = 6) -> Case:
    """Any shape and axes: some counted from the end, some named twice; scales far apart now and then."""
    shape = [int(size) for size in random.integers(1, largest + 1, rank)]
    if random.random() < 0.6:
        shape[0] = 1
    axes = [int(axis) for axis in random.choice(rank, random.integers(1, rank + 1), replace=False)]
    axes = [axis - rank if random.random() < 0.3 else axis for axis in axes]
    if random.random() < 0.1:
        axes.append(axes[0])
    extreme = bool(random.random() < 0.3)
    first = float(np.float32(np.exp(random.uniform(-5, 1))))
    second = first * float(np.exp(random.uniform(-7, 25) if extreme else random.uniform(-1, 3)))
    zero_points = (int(random.integers(-128, 128)), int(random.integers(-128, 128)))
    if op.startswith("REDUCE") or random.random() < 0.2:
        second, zero_points = first, (zero_points[0],) * 2
    return Case(op, tuple(shape), tuple(axes), bool(random.random() < 0.5), (first, second), zero_points, extreme)


def network(cases: list[Case]) -> bytes:
    """A network of all cases side by side, an input and an output for each."""
    made = Network()
    outputs = []
    for case in cases:
        image = made.input(case.shape, case.scales[0], case.zero_points[0], case.dtype)
        axes = made.constant(np.array(case.axes, np.int32))
        quant = case.scales[1], case.zero_points[1]
        outputs.append(made.op(case.op, [image, axes], case.out, *quant, case.dtype, keep_dims=case.keep))
    return made.pack(*outputs)


def accepted(cases: list[Case]) -> list[Case]:
    """Those that the compiler takes."""
    kept = []
    for case in cases:
        try:
            evaluate(read_model(network([case])), np.zeros(case.shape, case.dtype))
        except ModelError:
            continue
        kept.append(case)
    return kept


def assert_reference_is_tflite_micro(cases: list[Case], random: np.random.Generator) -> None:
    """The NumPy reference of each case against TFLite Micro."""
    for at in range(0, len(cases), 40):
        part = cases[at : at + 40]
        data = network(part)
        inputs = [case.sample(random) for case in part]
        expected = tflite_micro(data, *inputs, outputs=len(part))
        for case, result, wanted in zip(part, evaluate(read_model(data), *inputs), expected, strict=True):
            assert np.array_equal(result.reshape(-1), wanted.reshape(-1)), case


def compiled_accumulating(data: bytes) -> Compiled:
    """The network with every layer that can in its accumulating form."""
    compiled = compile_model(data, "net", "net")
    planned = plan(accumulating(compiled.plan.program))
    return replace(compiled, plan=planned, files=emit(planned, "", ()))


def assert_int16_is_tflite_micro(op: str, folder: Path) -> None:
    """Reference and C, in both forms, on random int16 cases."""
    random = np.random.default_rng(16)
    made = [random_case(random, op, rank) for rank in (1, 2, 3, 4, 4, 4, 5) for _ in range(8)]
    cases = accepted([replace(case, zero_points=(0, 0), dtype=np.int16) for case in made])
    assert len(cases) > 30
    assert_reference_is_tflite_micro(cases, random)
    part = cases[::4]
    data = network(part)
    inputs = [case.sample(random) for case in part]
    expected = tflite_micro(data, *inputs, outputs=len(part))
    for built in (build(data, folder / "whole"), build_compiled(compiled_accumulating(data), folder / "sums")):
        for case, result, wanted in zip(part, built.run(*inputs), expected, strict=True):
            assert np.array_equal(result, wanted.reshape(result.shape)), case
