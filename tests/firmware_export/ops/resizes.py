"""Resizes for tests: many of them side by side in one network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_export.tflite import read_model
from tests.firmware_export.evaluation import evaluate
from tests.firmware_export.ops.common import int8_sample, taken
from tests.networks import Network, tflite_micro


@dataclass(frozen=True)
class Case:
    """One node with its input."""

    op: str
    shape: tuple[int, int, int, int]
    size: tuple[int, int]
    align_corners: bool = False
    half_pixel_centers: bool = False
    quantized_alike: bool = True

    @property
    def out(self) -> tuple[int, int, int, int]:
        """The output's shape."""
        return (self.shape[0], *self.size, self.shape[3])

    def sample(self, random: np.random.Generator) -> Any:
        """An input; now and then only the ends of int8."""
        return int8_sample(random, self.shape)


def random_case(random: np.random.Generator, op: str, largest: int = 24) -> Case:
    """Up and down, odd factors, and each combination of the flags that TFLite Micro takes."""
    flags = [(False, False), (True, False), (False, True)]
    if op == "RESIZE_NEAREST_NEIGHBOR":
        flags.append((True, True))
    align, half = flags[random.integers(len(flags))]
    batches = 1 if random.random() < 0.8 else 2
    height, width = (int(size) for size in random.integers(1, largest + 1, 2))
    if random.random() < 0.4:
        factor = int(random.integers(1, 5))
        size = (height * factor, width * factor)
    else:
        size = (int(random.integers(1, 2 * largest)), int(random.integers(1, 2 * largest)))
    shape = (batches, height, width, int(random.integers(1, 5)))
    return Case(op, shape, size, align, half, bool(random.random() < 0.8))


def network(cases: list[Case]) -> bytes:
    """A network of all cases side by side, an input and an output for each."""
    made = Network()
    outputs = []
    for case in cases:
        image = made.input(case.shape, 0.1, 3)
        size = made.constant(np.array(case.size, np.int32))
        scale, zero_point = (0.1, 3) if case.quantized_alike else (0.3, -7)
        flags = {"align_corners": case.align_corners, "half_pixel_centers": case.half_pixel_centers}
        outputs.append(made.op(case.op, [image, size], case.out, scale, zero_point, **flags))
    return made.pack(*outputs)


def accepted(cases: list[Case]) -> list[Case]:
    """Those that the compiler takes."""
    return taken(cases, network)


def assert_reference_is_tflite_micro(cases: list[Case], random: np.random.Generator) -> None:
    """The NumPy reference of each case against TFLite Micro."""
    for at in range(0, len(cases), 40):
        part = cases[at : at + 40]
        data = network(part)
        inputs = [case.sample(random) for case in part]
        expected = tflite_micro(data, *inputs, outputs=len(part))
        for case, result, wanted in zip(part, evaluate(read_model(data), *inputs), expected, strict=True):
            assert np.array_equal(result, wanted), case
