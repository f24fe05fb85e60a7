"""Random int8 networks, straight as flatbuffers: every operator, odd shapes, branches, extreme scales, saturation.

``random_network(seed)`` grows the same network from the same seed. Nothing here knows what the compiler supports: what
it does not take it has to refuse by name, and the rest must give TFLite Micro's bytes.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tests.firmware_export.growing import Grower, Input, NotHere, Quantization, Value
from tests.firmware_export.random_operators import OPERATORS
from tests.firmware_export.reals import resize

MAX_OUTPUTS = 6

_CONVOLUTIONAL = (
    "CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MAX_POOL_2D", "CONCATENATION", "AVERAGE_POOL_2D", "PAD", "MUL",
)
_USUAL = (
    "CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "FULLY_CONNECTED", "MAX_POOL_2D", "AVERAGE_POOL_2D", "MEAN", "SOFTMAX",
)


@dataclass(frozen=True)
class RandomNetwork:
    """A generated network.

    Attributes:
        seed: What it grew from.
        data: The ``.tflite`` file.
        inputs: What the caller may put in.
        outputs: How many there are.
        ops: How often each operator stands in it.
        growths: How many times something was added; a smaller number gives a shorter network of the same beginning.
        only: The operators that it was limited to.
    """

    seed: int
    data: bytes
    inputs: tuple[Input, ...]
    outputs: int
    ops: Mapping[str, int]
    growths: int
    only: frozenset[str]

    def one_output(self, position: int) -> RandomNetwork:
        """The same without the nodes that this output does not need."""
        model = schema.ModelT.InitFromPackedBuf(self.data, 0)
        graph = model.subgraphs[0]
        graph.outputs = [int(graph.outputs[position])]
        needed, kept = set(graph.outputs), []
        for node in reversed(graph.operators):
            if needed.intersection(map(int, node.outputs)):
                kept.append(node)
                needed.update(int(index) for index in node.inputs)
        graph.operators = kept[::-1]
        builder = flatbuffers.Builder(4096)
        builder.Finish(model.Pack(builder), b"TFL3")
        return replace(self, data=bytes(builder.Output()), outputs=1, ops=ops_of(bytes(builder.Output())))

    def samples(self, count: int) -> list[list[NDArray[Any]]]:
        """Inputs: noise, both ends of the range, one number everywhere, small numbers; the same ones every time."""
        random = np.random.default_rng([self.seed, 1])
        return [[_sample(given, random, kind % 4) for given in self.inputs] for kind in range(count)]


def _sample(given: Input, random: np.random.Generator, kind: int) -> NDArray[Any]:
    low, high = given.low, given.high
    middle = (low + high) / 2
    if kind == 0:
        numbers = random.uniform(low - 0.5, high + 0.5, given.shape)
    elif kind == 1:
        numbers = random.choice([low, high], given.shape)
    elif kind == 2:
        numbers = np.full(given.shape, random.uniform(low, high))
    else:
        numbers = middle + random.normal(0, max(1.0, (high - low) / 16), given.shape)
    numbers = np.clip(numbers, low, high)
    if given.dtype == "float32":
        return numbers.astype(np.float32)
    whole: NDArray[Any] = np.rint(numbers).astype(given.dtype)
    return whole


def random_network(seed: int, growths: int | None = None, only: frozenset[str] = frozenset()) -> RandomNetwork:
    """Grow a network of 1 to about 25 nodes.

    Args:
        seed: Any number.
        growths: Stop after so many additions; None for as many as the seed wants.
        only: Add nothing but these of ``OPERATORS`` (what they bring along, such as a QUANTIZE before a CONCATENATION,
            comes too); all of them if it is empty.
    """
    # One in eight has scales that no converter writes, one in ten forms that somebody may well refuse. Every other one
    # has channels and windows as trained networks have them.
    chance = np.random.default_rng([seed, 0])
    wild, odd = bool(chance.random() < 0.125), bool(chance.random() < 0.1)
    g = Grower(seed, wild, odd, usual=bool(np.random.default_rng([seed, 2]).random() < 0.5))
    wanted = int(chance.choice([1, 2, 3, 4, 6, 8, 10, 12, 16, 20]))
    names = [name for name in OPERATORS if not only or name in only]
    borders = "QUANTIZE" in names
    _begin(g, 0.1 if borders else 0.0)
    weights = np.array([OPERATORS[name][1] for name in names])
    if chance.random() < 0.35 or g.usual:
        often = _USUAL if g.usual else _CONVOLUTIONAL
        weights = weights * np.array([6.0 if name in often else 1.0 for name in names])
    weights /= weights.sum()
    added = tries = 0
    while added < min(wanted, wanted if growths is None else growths) and tries < 30 * wanted:
        tries += 1
        grow, _ = OPERATORS[names[int(g.random.choice(len(names), p=weights))]]
        before = g.nodes
        with contextlib.suppress(NotHere):
            grow(g)
        added += g.nodes > before
    outputs = _end(g, 0.08 if borders else 0.0)
    data = g.network.pack(*outputs)
    return RandomNetwork(seed, data, tuple(g.inputs), len(outputs), ops_of(data), added, only)


def _begin(g: Grower, real: float) -> None:
    """One input or several: images, sequences, vectors; as int8, or as float32 that a node quantizes."""
    kind = g.real(0, 1)
    shapes: list[tuple[int, ...]]
    if g.usual and kind < 0.8:
        shapes = [(1, g.between(3, 14), g.between(3, 14), g.pick((1, 3, 4, 8, 8, 16, 16, 32)))]
    elif kind < 0.65:
        shapes = [(1, g.between(1, 20), g.between(1, 20), g.pick((1, 1, 2, 3, 3, 4, 5, 8)))]
    elif kind < 0.75:
        shapes = [(1, g.between(1, 40), g.between(1, 10))]
    elif kind < 0.82:
        shapes = [(1, g.between(1, 70))]
    elif kind < 0.87:
        rank = g.pick((1, 3, 4, 5) if g.odd else (3, 4))
        shapes = [tuple(g.between(1, 6) for _ in range(rank))]
    else:
        first = (1, g.between(1, 12), g.between(1, 12), g.between(1, 6))
        near = tuple(size if g.chance(0.7) else 1 for size in first)
        shapes = [first, g.pick((first, near, (1, 1, 1, first[3])))]
        if g.chance(0.3):
            shapes.append((1, g.between(1, 10)))
    for shape in shapes:
        if g.chance(real):
            high = g.power(-3, 6)
            value = g.add_input(Input(shape, "float32", -high * g.pick((0.0, 1.0)), high))
            g.fresh("QUANTIZE", [value], value.real)
        else:
            g.add_input(Input(shape, "int8"))


def _end(g: Grower, real: float) -> list[int]:
    """Outputs: what nobody read, now and then also a value in the middle; some as float32."""
    if g.nodes == 0:    # nothing fitted: at least one node
        value = g.values[0]
        if value.quant is None:
            g.fresh("QUANTIZE", [value], value.real)
        elif len(value.shape) == 4:
            size = [value.shape[1], 2 * value.shape[2]]
            g.same("RESIZE_NEAREST_NEIGHBOR", [value, g.integers(size)], resize(value.real, *size))
        else:
            logistic = 1 / (1 + np.exp(-np.clip(value.real, -60, 60)))
            g.node("LOGISTIC", [value], [g.value(logistic, Quantization(1 / 256, -128))])
    given = {value.index for value in g.values[: len(g.inputs)]}
    unread = [value for value in g.values if value.index in g.unread and value.dtype == "int8"]
    unread = [value for value in unread if value.index not in given or g.odd] or [g.values[-1]]
    while len(unread) > MAX_OUTPUTS:    # not all of them: the rest is dead code
        unread.pop(int(g.random.integers(len(unread) - 1)))
    if g.chance(0.12):
        taken = {*given, *(value.index for value in unread)}
        computed = [value for value in g.values if value.index not in taken and value.dtype == "int8"]
        if computed:
            unread.append(g.pick(computed))
    outputs = []
    for value in unread:
        if g.chance(real):
            value = _dequantized(g, value)
        outputs.append(value.index)
    return outputs


def _dequantized(g: Grower, value: Value) -> Value:
    real = Value(g.network.tensor(value.shape, dtype=np.float32), value.real, None, "float32")
    g.node("DEQUANTIZE", [value], [real])
    return real


def ops_of(data: bytes) -> dict[str, int]:
    """How often each operator stands in a file."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    name_of = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    codes = [name_of[code.builtinCode] for code in model.operatorCodes]
    return dict(Counter(codes[node.opcodeIndex] for node in model.subgraphs[0].operators))
