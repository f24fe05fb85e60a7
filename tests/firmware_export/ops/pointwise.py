"""Elementwise operators for tests: many of them side by side in one network, against TFLite Micro."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.compiler import compile_model
from firmware_export.errors import ModelError
from firmware_export.layer import Layer
from firmware_export.tflite import read_model
from tests.firmware_export.c_build import build
from tests.firmware_export.evaluation import evaluate
from tests.firmware_export.ops.common import taken
from tests.networks import Network, tflite_micro

TOGETHER = 40
"""Nodes in one network."""

EVERY_BYTE = np.arange(256, dtype=np.uint8)

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Side:
    """An operand, or the output. Without a scale it has no quantization; ``constant`` is a constant's values."""

    shape: Shape
    scale: Any = 0.1
    zero_point: Any = 0
    dtype: Any = np.int8
    constant: Any = None

    def sample(self, random: np.random.Generator) -> Any:
        """Values of the type; now and then only its ends."""
        if np.dtype(self.dtype).kind == "f":
            return random.normal(0, 10, self.shape).astype(self.dtype)
        limits = np.iinfo(self.dtype)
        if random.random() < 0.2:
            return np.asarray(random.choice([limits.min, limits.max], self.shape), self.dtype)
        return np.asarray(random.integers(limits.min, limits.max + 1, self.shape), self.dtype)


@dataclass(frozen=True)
class Case:
    """One node."""

    op: str
    operands: tuple[Side, ...]
    output: Side
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[Side, ...]:
        """The operands that the caller gives."""
        return tuple(side for side in self.operands if side.constant is None)

    def with_operand(self, position: int = 0, **changes: Any) -> Case:
        """The case with another operand."""
        operands = list(self.operands)
        operands[position] = replace(operands[position], **changes)
        return replace(self, operands=tuple(operands))

    def with_output(self, **changes: Any) -> Case:
        """The case with another output."""
        return replace(self, output=replace(self.output, **changes))


def network(cases: Sequence[Case]) -> bytes:
    """A network of all cases side by side."""
    made = Network()
    outputs = []
    for case in cases:
        operands = [
            made.input(side.shape, side.scale, side.zero_point, side.dtype)
            if side.constant is None
            else made.constant(np.asarray(side.constant, side.dtype), side.scale, side.zero_point)
            for side in case.operands
        ]
        out = case.output
        outputs.append(made.op(case.op, operands, out.shape, out.scale, out.zero_point, out.dtype, **case.options))
    return made.pack(*outputs)


def accepted(cases: Sequence[Case]) -> list[Case]:
    """Those that the compiler takes."""
    return taken(cases, network)


def refusal(case: Case) -> str:
    """Why the compiler does not take a case, without the model's and the node's name."""
    with pytest.raises(ModelError) as caught:
        compile_model(network([case]), "model", "model")
    head = f"model: node 0 {case.op} "
    assert str(caught.value).startswith(head)
    return str(caught.value).removeprefix(head)


def layer_of(case: Case) -> Layer:
    """The one layer that a case becomes."""
    (layer,) = compile_model(network([case]), "model", "model").plan.program.layers
    return layer


def every_byte(case: Case) -> Case:
    """A case on one operand with 256 elements, to be given every byte."""
    return case.with_operand(shape=(256,)).with_output(shape=(256,))


def inputs_of(cases: Sequence[Case], random: np.random.Generator) -> list[Any]:
    """Samples of all inputs; every byte once where there are 256 elements."""
    return [
        EVERY_BYTE.view(side.dtype).copy()
        if side.shape == (256,) and np.dtype(side.dtype).itemsize == 1
        else side.sample(random)
        for case in cases
        for side in case.inputs
    ]


def assert_same(cases: Sequence[Case], found: Sequence[Any], wanted: Sequence[Any]) -> None:
    """Bit for bit, the sign of a zero included."""
    for case, ours, theirs in zip(cases, found, wanted, strict=True):
        if ours.tobytes() != theirs.tobytes():
            wrong = np.atleast_1d(ours != theirs.reshape(ours.shape))
            found, expected = np.atleast_1d(ours)[wrong], np.ravel(theirs)[wrong.ravel()]
            pytest.fail(f"{case}: {found[:5]}, TFLite Micro gives {expected[:5]}")


def assert_reference_is_tflite_micro(cases: Sequence[Case], random: np.random.Generator) -> None:
    """The NumPy reference of each case."""
    for at in range(0, len(cases), TOGETHER):
        part = cases[at : at + TOGETHER]
        data = network(part)
        inputs = inputs_of(part, random)
        wanted = tflite_micro(data, *inputs, outputs=len(part))
        assert_same(part, evaluate(read_model(data), *inputs), wanted)


def assert_compiled_is_tflite_micro(
    cases: Sequence[Case], folder: Path, random: np.random.Generator, samples: int = 3
) -> None:
    """The C of all cases in one network."""
    data = network(cases)
    built = build(data, folder)
    for _ in range(samples):
        inputs = inputs_of(cases, random)
        assert_same(cases, built.run(*inputs), tflite_micro(data, *inputs, outputs=len(cases)))


def random_scale(random: np.random.Generator, wild: bool) -> float:
    """As networks have it, or anything that is still a float32."""
    return float(np.float32(10.0 ** (random.uniform(-8, 6) if wild else random.uniform(-3, 0))))


def random_zero_point(random: np.random.Generator, dtype: Any = np.int8) -> int:
    """Often at an end."""
    limits = np.iinfo(dtype)
    return int(random.choice([limits.min, limits.max, 0, random.integers(limits.min, limits.max + 1)]))


def random_unary(random: np.random.Generator, op: str, **options: Any) -> Case:
    """A case for every byte: scales far apart, near each other, a power of two apart, or equal."""
    wild = bool(random.random() < 0.3)
    scale = random_scale(random, wild)
    kind = random.random()
    if kind < 0.1:
        other = scale
    elif kind < 0.3:
        other = float(np.float32(scale * 2.0 ** random.integers(-8, 9)))
    else:
        other = random_scale(random, wild)
    given = Side((256,), scale, random_zero_point(random))
    return Case(op, (given,), Side((256,), other, random_zero_point(random)), options)


def unary_shapes(case: Case) -> list[Case]:
    """A case in shapes of every rank."""
    shapes = [(), (1,), (7,), (3, 5), (1, 4, 6), (1, 5, 3, 2), (2, 3, 2, 4), (1, 2, 3, 2, 3)]
    return [case.with_operand(shape=shape).with_output(shape=shape) for shape in shapes]


ACTIVATIONS = ("NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1")


def random_binary(random: np.random.Generator, op: str, fused: bool) -> Case:
    """Two tensors that broadcast, in any rank up to 5: computed, constant, or the same constant everywhere."""
    rank = int(random.choice([0, 1, 2, 3, 4, 4, 4, 5]))
    whole = tuple(int(size) for size in random.integers(1, 6, rank))

    def part() -> Shape:
        shape = tuple(size if random.random() < 0.6 else 1 for size in whole)
        return shape[int(random.integers(0, rank + 1)) :] if random.random() < 0.4 else shape

    shapes = [whole, whole] if random.random() < 0.3 else [part(), part()]
    wild = bool(random.random() < 0.2)
    sides = [Side(shape, random_scale(random, wild), random_zero_point(random)) for shape in shapes]
    if random.random() < 0.2:
        sides[1] = replace(sides[1], scale=sides[0].scale)
    constant = int(random.integers(-1, 4))
    if constant in (0, 1):
        values = sides[constant].sample(random)
        if random.random() < 0.4:
            values = np.full_like(values, values.reshape(-1)[0])
        sides[constant] = replace(sides[constant], constant=values)
    output = Side(np.broadcast_shapes(*shapes), random_scale(random, wild), random_zero_point(random))
    options = {"fused_activation_function": str(random.choice(ACTIVATIONS))} if fused else {}
    return Case(op, (sides[0], sides[1]), output, options)


BROADCASTS: tuple[tuple[Shape, Shape], ...] = (
    ((1, 4, 3, 5), (1, 4, 3, 5)),
    ((1, 4, 3, 5), ()),
    ((1, 4, 3, 5), (1,)),
    ((1, 4, 3, 5), (5,)),
    ((1, 4, 3, 5), (1, 1, 1, 5)),
    ((1, 4, 3, 5), (1, 4, 1, 1)),
    ((1, 4, 3, 5), (1, 1, 3, 1)),
    ((1, 4, 3, 5), (1, 1, 3, 5)),
    ((1, 4, 3, 5), (3, 5)),
    ((1, 4, 3, 5), (1, 4, 1, 5)),
    ((1, 4, 3, 1), (1, 1, 1, 5)),
    ((1, 1, 3, 5), (1, 4, 1, 1)),
    ((2, 1, 3, 1), (1, 4, 1, 5)),
    ((1, 2, 3, 4, 5), (1, 2, 1, 4, 1)),
    ((1, 2, 3, 1, 5), (1, 1, 3, 4, 1)),
    ((3, 1), (1, 4)),
    ((6,), (6,)),
    ((), ()),
)
"""Pairs of shapes; tests take each of them both ways round."""


def broadcasts(op: str, scales: tuple[float, float, float], zero_points: tuple[int, int, int]) -> list[Case]:
    """``BROADCASTS``, both ways round."""
    cases = []
    for pair in BROADCASTS:
        for shapes in (pair, pair[::-1]):
            left, right = (Side(shapes[at], scales[at], zero_points[at]) for at in (0, 1))
            cases.append(Case(op, (left, right), Side(np.broadcast_shapes(*shapes), scales[2], zero_points[2])))
    return cases


def as_int16(case: Case) -> Case:
    """A case with int16 in the place of int8: no zero points, scales of 1/256, and constants scaled with them."""

    def side(old: Side) -> Side:
        constant = None if old.constant is None else (np.asarray(old.constant, np.int16) << 8) + np.int16(77)
        scale = float(np.float32(old.scale / 256))
        return replace(old, scale=scale, zero_point=0, dtype=np.int16, constant=constant)

    return replace(case, operands=tuple(side(old) for old in case.operands), output=side(case.output))


def every_value(case: Case) -> Case:
    """A case on one int16 operand, that is given every value in order."""
    return case.with_operand(shape=(1 << 16,)).with_output(shape=(1 << 16,))


EVERY_INT16 = np.arange(-(1 << 15), 1 << 15).astype(np.int16)


def assert_every_int16_is_tflite_micro(cases: Sequence[Case], folder: Path) -> None:
    """Reference and C of cases on one operand, on every value."""
    data = network([every_value(case) for case in cases])
    inputs = [EVERY_INT16] * len(cases)
    wanted = tflite_micro(data, *inputs, outputs=len(cases))
    assert_same(cases, evaluate(read_model(data), *inputs), wanted)
    assert_same(cases, build(data, folder).run(*inputs), wanted)
