"""Operators that move elements, for tests: cases side by side in one network, and a case between two convolutions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from firmware_export.compiler import compile_model
from firmware_export.layer import Layer
from firmware_export.tflite import read_model
from tests.firmware_export.c_build import build
from tests.firmware_export.evaluation import evaluate
from tests.firmware_export.ops import common
from tests.networks import Network, tflite_micro

SCALE, ZERO_POINT = 0.05, -11
"""Of all int8 tensors, unless a case says otherwise."""


@dataclass(frozen=True)
class Data:
    """An operand whose elements are moved: the caller's, or a constant.

    Attributes:
        shape: Its own.
        constant: It lies in flash.
        dtype: None: the case's.
        below: Numbers from 0 up to here instead of any.
        quant: Scale and zero point.
    """

    shape: tuple[int, ...]
    constant: bool = False
    dtype: str | None = None
    below: int | None = None
    quant: tuple[float | None, int] = (SCALE, ZERO_POINT)

    def values(self, random: np.random.Generator, dtype: str) -> Any:
        """Numbers for it."""
        dtype = self.dtype or dtype
        if self.below is not None:
            return random.integers(0, self.below, self.shape).astype(dtype)
        if dtype == "float32":
            return random.normal(0, 100, self.shape).astype(np.float32)
        ends = np.iinfo(dtype)
        return random.integers(ends.min, ends.max, self.shape, endpoint=True).astype(dtype)


@dataclass(frozen=True)
class Case:
    """One node.

    Attributes:
        op: Its name.
        operands: Elements that are moved, arrays for constants that say how, ``None`` for an absent operand.
        outputs: Their shapes.
        options: Attributes.
        dtype: Of the elements.
        out_quant: Scale and zero point of the outputs.
    """

    op: str
    operands: tuple[Any, ...]
    outputs: tuple[tuple[int, ...], ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = "int8"
    out_quant: tuple[float | None, int] = (SCALE, ZERO_POINT)

    def __str__(self) -> str:
        told = [item.shape if isinstance(item, Data) else np.asarray(item).tolist() for item in self.operands]
        return f"{self.op} {told} -> {self.outputs} {dict(self.options)} {self.dtype}"

    def add(self, made: Network, random: np.random.Generator, feed: Callable[[Data], int] | None = None) -> list[int]:
        """Put the node into a network; ``feed`` makes the caller's operands instead."""
        indices = []
        for item in self.operands:
            if item is None:
                indices.append(-1)
            elif not isinstance(item, Data):
                indices.append(made.constant(item))
            elif feed is not None and not item.constant:
                indices.append(feed(item))
            else:
                dtype = item.dtype or self.dtype
                quant = item.quant if dtype == "int8" else (None, 0)
                if item.constant:
                    indices.append(made.constant(item.values(random, self.dtype), *quant))
                else:
                    indices.append(made.input(item.shape, *quant, dtype=dtype))
        quant = self.out_quant if self.dtype == "int8" else (None, 0)
        targets = [made.tensor(shape, *quant, dtype=self.dtype) for shape in self.outputs]
        made.node(self.op, indices, targets, **self.options)
        return targets

    def samples(self, random: np.random.Generator) -> list[Any]:
        """The caller's values."""
        return [i.values(random, self.dtype) for i in self.operands if isinstance(i, Data) and not i.constant]


def integers(*values: Any, dtype: Any = np.int32) -> Any:
    """A constant that says how elements move."""
    return np.array(values, dtype)


def network(cases: Sequence[Case], seed: int = 0) -> bytes:
    """A network of all cases side by side."""
    made, random = Network(), np.random.default_rng(seed)
    return made.pack(*[target for case in cases for target in case.add(made, random)])


def sampled(cases: Sequence[Case], random: np.random.Generator) -> list[Any]:
    """Values for all inputs of ``network(cases)``."""
    return [values for case in cases for values in case.samples(random)]


def tflite(data: bytes, *inputs: Any) -> list[Any]:
    """The outputs of TFLite's reference operators, for forms that TFLite Micro does not take."""
    kind = OpResolverType.BUILTIN_REF
    interpreter = Interpreter(model_content=data, experimental_op_resolver_type=kind)
    interpreter.allocate_tensors()
    for detail, values in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def same(results: Sequence[Any], expected: Sequence[Any], told: object) -> None:
    """All outputs byte for byte; TFLite Micro may report another shape of a scalar."""
    for number, (result, wanted) in enumerate(zip(results, expected, strict=True)):
        assert result.dtype == wanted.dtype, (str(told), number)
        assert result.reshape(-1).tobytes() == wanted.reshape(-1).tobytes(), (str(told), number)


def assert_reference(cases: Sequence[Case], seed: int, oracle: str = "micro") -> None:
    """The NumPy reference of each case against TFLite Micro, or TFLite (``oracle="lite"``)."""
    random = np.random.default_rng(seed)
    for number, case in enumerate(cases):
        data = network([case], number)
        inputs = case.samples(random)
        micro = oracle == "micro"
        expected = tflite_micro(data, *inputs, outputs=len(case.outputs)) if micro else tflite(data, *inputs)
        same(evaluate(read_model(data, "net"), *inputs), expected, case)


def assert_compiled(cases: Sequence[Case], folder: Path, seed: int = 1, samples: int = 2) -> None:
    """The C of all cases, side by side in one network, against the references."""
    random = np.random.default_rng(seed)
    data = network(cases, seed)
    graph, built = read_model(data, "net"), build(data, folder)
    told = [case for case in cases for _ in case.outputs]
    for _ in range(samples):
        inputs = sampled(cases, random)
        for case, result, wanted in zip(told, built.run(*inputs), evaluate(graph, *inputs), strict=True):
            same([result], [wanted], case)


def layers_of(*cases: Case) -> tuple[Layer, ...]:
    """The layers that cases become."""
    return compile_model(network(cases), "net", "net").plan.program.layers


def between_convolutions(case: Case, seed: int = 0) -> bytes:
    """A 3x3 convolution, the case, and a 3x3 convolution on each of its outputs: rows come and go as others need them.

    All data operands are ``[1, H, W, C]`` with one height and width; each comes from a convolution of its own.
    """
    made, random = Network(), np.random.default_rng(seed)
    shape = next(item.shape for item in case.operands if isinstance(item, Data) and not item.constant)
    image = made.input((1, shape[1], shape[2], 2), SCALE, ZERO_POINT)
    outputs = []
    for target, out in zip(
        case.add(made, random, lambda item: _convolution(made, random, image, 2, item.shape)), case.outputs, strict=True
    ):
        outputs.append(_convolution(made, random, target, out[3], (*out[:3], 3)))
    return made.pack(*outputs)


def _convolution(made: Network, random: np.random.Generator, image: int, channels: int, out: Sequence[int]) -> int:
    weights = made.constant(random.integers(-127, 128, (out[3], 3, 3, channels)).astype(np.int8), 0.01)
    bias = made.constant(np.zeros(out[3], np.int32), SCALE * 0.01)
    options: dict[str, Any] = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
    return made.op("CONV_2D", [image, weights, bias], out, SCALE, ZERO_POINT, **options)


def assert_streams(case: Case, folder: Path, seed: int = 0) -> None:
    """The case between convolutions against TFLite Micro, with the input at once and row by row."""
    random = np.random.default_rng(seed)
    data = between_convolutions(case, seed)
    graph = read_model(data, "net")
    forms = [build(data, folder / f"push{push}", push=push) for push in (False, True)]
    for _ in range(2):
        image = random.integers(-128, 128, graph.tensors[graph.inputs[0]].shape).astype(np.int8)
        expected = tflite_micro(data, image, outputs=len(graph.outputs))
        for built in forms:
            same(built.run(image), expected, case)


def refusal(case: Case) -> str:
    """The message with which a case is refused."""
    return common.refusal(network([case]))


def shapes(random: np.random.Generator, rank: int, largest: int = 5) -> tuple[int, ...]:
    """A shape, odd or not, with dimensions of size 1 more often than by chance."""
    return tuple(1 if random.random() < 0.25 else int(random.integers(1, largest + 1)) for _ in range(rank))
