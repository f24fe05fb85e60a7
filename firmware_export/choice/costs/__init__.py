"""What layers cost on a core: expected instructions, and expected bytes of code. Tables, fitted to what was counted.

``<core>/instructions.csv`` has a line for each kernel's function: instructions, built with -O2, for each
multiply-accumulate, byte written, byte read (rows as often as they are read), byte written and row that it comes from
(``windows``), and step. ``median_error_percent`` and ``layers`` say how well that fits the layers that it was fitted
to. ``<core>/code.csv`` has a line for each kernel's file: the bytes that a network gains with it, built for speed (-O2)
and for size (-Os). In both, ``network`` is what belongs to no kernel. ``python benchmarks/costs.py`` makes them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from firmware_export.layer import Layer

FOLDER = Path(__file__).parent

FEATURES = ("macs", "written", "read", "windows", "steps")
"""Of a layer, that instructions are a sum of."""

NETWORK = "network"
"""The line of what belongs to no kernel: finding rows, and the order of steps."""

USUAL_CODE = 800
"""Bytes of a kernel's code."""

LAYER = "layer"
"""The line of what code grows by with every layer: its call and its parameters."""

CORES: Mapping[str, str] = {
    "packed": "cortex-m3",
    "arm_dsp": "cortex-m4",
    "arm_mve": "cortex-m55",
}
"""By instruction set: the core whose costs stand for it, unless another one with that set is named."""


@dataclass(frozen=True)
class Costs:
    """The tables of a core.

    Attributes:
        core: Its name, as that of its target.
        functions: By kernel's function: instructions for each of ``FEATURES``.
        files: By kernel's file: bytes of code, for speed and for size.
        errors: By kernel's function: how far off the expected instructions of a layer are, as a fraction (median).
    """

    core: str
    functions: Mapping[str, tuple[float, ...]]
    files: Mapping[str, tuple[int, int]]
    errors: Mapping[str, float]

    def instructions(self, layer: Layer) -> float | None:
        """Of all steps of a layer; None for a kernel that was never counted."""
        weights = self.functions.get(layer.function)
        return None if weights is None else _sum(weights, features(layer))

    def between(self, layers: Iterable[Layer]) -> float:
        """Instructions that belong to no layer: to find rows, and which step is next."""
        weights = self.functions.get(NETWORK, (0.0,) * len(FEATURES))
        return sum(_sum(weights, features(layer)) for layer in layers)

    def code(self, layers: Iterable[Layer], for_size: bool) -> int:
        """Bytes of code and of what is constant beside weights."""
        used = list(layers)
        kernels = {layer.kernel for layer in used}
        around = self.file(NETWORK, for_size) + self.file(LAYER, for_size) * len(used)
        return around + sum(self.file(kernel, for_size) for kernel in kernels)

    def file(self, kernel: str, for_size: bool) -> int:
        """Bytes of code that a network gains with a kernel; of one that was never built, as much as is usual."""
        return self.files.get(kernel, (USUAL_CODE, USUAL_CODE))[for_size]


def features(layer: Layer) -> tuple[int, ...]:
    """``FEATURES`` of a layer."""
    written = layer.rows * layer.row_bytes
    read = sum(read.count * read.row_bytes for read in layer.reads)
    high = max((read.count for read in layer.reads), default=0)
    return layer.macs, written, layer.steps * read, written * high, layer.steps


def weight_bytes(layer: Layer) -> int:
    """Of the tables that a layer has in flash."""
    return sum(field.data.nbytes for field in layer.fields.values() if not isinstance(field, (int, float)))


@cache
def load_costs(core: str | None) -> Costs | None:
    """The tables of a core; None if there are none."""
    if core is None or not (FOLDER / core).is_dir():
        return None
    rows = _rows(core, "instructions")
    functions = {row["function"]: tuple(float(row[name]) for name in FEATURES) for row in rows}
    errors = {row["function"]: float(row["median_error_percent"]) / 100 for row in rows}
    files = {row["file"]: (int(row["speed"]), int(row["size"])) for row in _rows(core, "code")}
    return Costs(core, functions, files, errors)


def _rows(core: str, table: str) -> list[dict[str, str]]:
    with (FOLDER / core / f"{table}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _sum(weights: tuple[float, ...], amounts: tuple[int, ...]) -> float:
    return sum(weight * amount for weight, amount in zip(weights, amounts, strict=True))
