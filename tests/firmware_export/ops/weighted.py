"""Convolutions, fully connected layers and pools for tests: many of them side by side in one network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from firmware_export.compiler import Compiled, compile_model
from firmware_export.emit import emit
from firmware_export.errors import ModelError
from firmware_export.layer import Layer
from firmware_export.ops import check_graph
from firmware_export.schedule import plan
from firmware_export.tflite import read_model
from tests.firmware_export.c_build import SANITIZED, STRICT, build, build_compiled
from tests.firmware_export.evaluation import accumulating, evaluate
from tests.firmware_export.ops.common import integer_sample
from tests.networks import Network, tflite_micro

FLAGS = ("-O1", *STRICT, *SANITIZED, "-fno-var-tracking")    # half of gcc's time
ACTIVATIONS = ("NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1")


@dataclass(frozen=True)
class Case:
    """One node with an input.

    Attributes:
        op: TFLite's name.
        shape: Of the input.
        out: Of the output.
        weights: int8, or None for a pool.
        weight_scale: One, or one per channel.
        axis: What the channels run along.
        bias: int32, or None.
        quant: Scale and zero point of the input, then of the output.
        options: Of the node.
        weights_zero_point: Most often 0.
        dtype: Of input and output.
    """

    op: str
    shape: tuple[int, ...]
    out: tuple[int, ...]
    weights: Any = None
    weight_scale: Any = None
    axis: int = 0
    bias: Any = None
    quant: tuple[tuple[float, int], tuple[float, int]] = ((0.05, 3), (0.05, 3))
    options: Mapping[str, Any] = field(default_factory=dict)
    weights_zero_point: int = 0
    dtype: Any = np.int8

    def sample(self, random: np.random.Generator) -> Any:
        """An input; now and then only the ends of its type."""
        return integer_sample(random, self.shape, self.dtype)

    def __str__(self) -> str:
        weights = None if self.weights is None else self.weights.shape
        return f"{self.op} {self.shape} {weights} -> {self.out} {self.quant} {dict(self.options)}"


def network(cases: Sequence[Case]) -> bytes:
    """A network of all cases side by side, an input and an output for each."""
    made = Network()
    outputs = []
    for case in cases:
        operands = [made.input(case.shape, *case.quant[0], case.dtype)]
        if case.weights is not None:
            zero_point = case.weights_zero_point
            operands.append(made.constant(case.weights, case.weight_scale, zero_point, axis=case.axis))
        if case.op == "TRANSPOSE_CONV":
            operands = [made.constant(np.array(case.out, np.int32)), *operands[::-1]]
        if case.bias is not None:
            operands.append(made.constant(case.bias, np.multiply(case.weight_scale, case.quant[0][0])))
        outputs.append(made.op(case.op, operands, case.out, *case.quant[1], case.dtype, **case.options))
    return made.pack(*outputs)


def accepted(cases: Sequence[Case]) -> list[Case]:
    """Those that the compiler takes; the others it refuses for what their scales lead to."""
    kept = []
    for case in cases:
        try:
            check_graph(read_model(network([case])))
        except ModelError as refusal:
            reasons = ("sums that fit into int32", "scales above", "products fit into int32")
            assert any(reason in str(refusal) for reason in reasons), refusal
        else:
            kept.append(case)
    return kept


def some(random: np.random.Generator, make: Callable[[np.random.Generator], Case], count: int) -> list[Case]:
    """Random cases that the compiler takes, almost all of those made."""
    cases = accepted([make(random) for _ in range(count)])
    assert len(cases) > 0.85 * count
    return cases


def assert_reference_is_tflite_micro(cases: Sequence[Case], random: np.random.Generator) -> None:
    """The NumPy reference of each case against TFLite Micro."""
    for at in range(0, len(cases), 40):
        part = cases[at : at + 40]
        data = network(part)
        inputs = [case.sample(random) for case in part]
        expected = tflite_micro(data, *inputs, outputs=len(part))
        for case, result, wanted in zip(part, evaluate(read_model(data), *inputs), expected, strict=True):
            assert np.array_equal(result, wanted), str(case)
    assert_varied(cases, random)


def assert_varied(cases: Sequence[Case], random: np.random.Generator) -> None:
    """Most outputs are not the same number everywhere: a comparison of those would show little."""
    data = network(cases)
    results = evaluate(read_model(data), *[case.sample(random) for case in cases])
    assert sum(len(np.unique(result)) > 3 or result.size < 6 for result in results) > 0.6 * len(cases)


def assert_compiled_is_tflite_micro(cases: Sequence[Case], folder: Path, random: np.random.Generator) -> None:
    """The C as the planner wants it, and with every layer that can adding up, against TFLite Micro."""
    data = network(cases)
    forms = (
        build(data, folder / "whole", flags=FLAGS),
        build_compiled(all_accumulating(data), folder / "sums", flags=FLAGS),
    )
    samples = [[case.sample(random) for case in cases] for _ in range(3)]
    expected = [tflite_micro(data, *sample, outputs=len(cases)) for sample in samples]
    for built in forms:
        for case, results, *wanted in zip(cases, built.run_many(samples), *expected, strict=True):
            assert np.array_equal(results, np.reshape(wanted, results.shape)), str(case)


def all_accumulating(data: bytes) -> Compiled:
    """The network with every layer that can in its accumulating form."""
    compiled = compile_model(data, "net", "net")
    planned = plan(accumulating(compiled.plan.program))
    return replace(compiled, plan=planned, files=emit(planned, "", ()))


def layer_of(case: Case) -> Layer:
    """The one layer of a case, in the form that keeps its input."""
    (layer,) = compile_model(network([case]), "net", "net").plan.program.layers
    return layer


# --- Random cases ----------------------------------------------------------------------------------------------------


def random_quant(
    random: np.random.Generator, weights: Any, taps: int, channels: int, axis: int
) -> tuple[dict[str, Any], Any]:
    """Scales, zero points and a bias that spread the outputs over int8, more or less; sometimes they are extreme.

    Args:
        random: The source.
        weights: int8.
        taps: Products in a sum.
        channels: Output channels.
        axis: What the channels run along.

    Returns:
        Fields of a ``Case``.
    """
    per_channel = random.random() < 0.7
    spread = random.uniform(0.3, 1.0, channels) if per_channel else np.ones(1)
    sums = 40 * max(1.0, float(np.abs(weights).mean())) * taps**0.5    # about what a sum reaches
    gain = 10 ** (random.uniform(-2.5, 2.5) if random.random() < 0.2 else random.uniform(-0.4, 0.4))
    in_scale = 10 ** random.uniform(-4, 1)
    weight_scale = (spread * 10 ** random.uniform(-6, 0)).astype(np.float32)
    out_scale = in_scale * float(weight_scale.max()) * sums / (60 * gain)
    zero_points = [int(random.choice([-128, 127, 0, *random.integers(-128, 128, 4)])) for _ in range(2)]
    bias = None
    if random.random() < 0.85:
        bias = (random.normal(0, sums, channels) * random.choice([0.3, 0.3, 5])).astype(np.int32)
    quant = ((float(np.float32(in_scale)), zero_points[0]), (float(np.float32(out_scale)), zero_points[1]))
    return {"weight_scale": weight_scale, "bias": bias, "quant": quant, "axis": axis}


def random_weights(random: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """int8; now and then nothing but the ends, or zeros."""
    kind = random.random()
    if kind < 0.1:
        return random.choice(np.array([-128, 127], np.int8), shape)
    if kind < 0.15:
        return np.full(shape, -128, np.int8)
    return random.integers(-127, 128, shape).astype(np.int8)


@dataclass(frozen=True)
class Window:
    """Height and width of each."""

    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    same: bool

    @property
    def out(self) -> tuple[int, int]:
        """Of the output."""
        extents = [(taps - 1) * dilation + 1 for taps, dilation in zip(self.kernel, self.dilation, strict=True)]
        height, width = (
            -(-(size if self.same else size - extent + 1) // stride)
            for size, extent, stride in zip(self.size, extents, self.stride, strict=True)
        )
        return height, width

    @property
    def options(self) -> dict[str, Any]:
        """Without dilations, which pools lack."""
        padding = "SAME" if self.same else "VALID"
        return {"padding": padding, "stride_h": self.stride[0], "stride_w": self.stride[1]}

    @property
    def dilations(self) -> dict[str, Any]:
        """As the schema names them."""
        return {"dilation_h_factor": self.dilation[0], "dilation_w_factor": self.dilation[1]}


def random_window(random: np.random.Generator, dilated: bool = True) -> Window:
    """A window that fits, square or not; sometimes it sees every row at once."""
    while True:
        size = tuple(int(number) for number in random.integers(1, 13, 2))
        kernel = tuple(int(number) for number in random.choice([1, 1, 2, 3, 3, 3, 4, 5], 2))
        if random.random() < 0.15:
            kernel = (size[0], kernel[1])
        stride = tuple(int(number) for number in random.choice([1, 1, 1, 2, 2, 3, 7], 2))
        dilation = tuple(int(n) for n in random.choice([1, 2, 3], 2)) if dilated and random.random() < 0.25 else (1, 1)
        window = Window(size, kernel, stride, dilation, bool(random.random() < 0.6))
        if min(window.out) >= 1:
            return window


def random_conv(random: np.random.Generator) -> Case:
    """A CONV_2D, sometimes in groups."""
    window = random_window(random)
    groups = int(random.choice([1, 1, 1, 1, 2, 3]))
    depth = int(random.choice([1, 2, 3, 4, 7]))
    channels = groups * int(random.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16, 21]))
    weights = random_weights(random, (channels, *window.kernel, depth))
    return Case(
        "CONV_2D",
        (1, *window.size, groups * depth),
        (1, *window.out, channels),
        weights,
        options={**window.options, **window.dilations, "fused_activation_function": str(random.choice(ACTIVATIONS))},
        **random_quant(random, weights, weights[0].size, channels, 0),
    )


def random_depthwise(random: np.random.Generator) -> Case:
    """A DEPTHWISE_CONV_2D with any multiplier."""
    window = random_window(random)
    in_channels = int(random.choice([1, 2, 3, 7, 8, 9, 16, 18]))
    multiplier = int(random.choice([1, 1, 1, 2, 3, 8]))
    channels = in_channels * multiplier
    weights = random_weights(random, (1, *window.kernel, channels))
    return Case(
        "DEPTHWISE_CONV_2D",
        (1, *window.size, in_channels),
        (1, *window.out, channels),
        weights,
        options={
            **window.options,
            **window.dilations,
            "depth_multiplier": multiplier,
            "fused_activation_function": str(random.choice(ACTIVATIONS)),
        },
        **random_quant(random, weights, weights[0, ..., 0].size, channels, 3),
    )


def random_transpose_conv(random: np.random.Generator) -> Case:
    """A TRANSPOSE_CONV, sometimes with an output that is larger or smaller than its input reaches."""
    size = tuple(int(number) for number in random.integers(1, 7, 2))
    kernel = tuple(int(number) for number in random.integers(1, 6, 2))
    stride = tuple(int(number) for number in random.choice([1, 2, 2, 3, 4], 2))
    same = bool(random.random() < 0.5)
    out = [n * s + (0 if same else max(0, k - s)) for n, k, s in zip(size, kernel, stride, strict=True)]
    if random.random() < 0.3:
        out = [max(1, n + int(random.integers(-2, 3))) for n in out]
    in_channels, channels = int(random.choice([1, 2, 3, 5])), int(random.choice([1, 2, 3, 4, 8, 9, 13]))
    weights = random_weights(random, (channels, *kernel, in_channels))
    taps = in_channels * max(1, kernel[0] // stride[0]) * max(1, kernel[1] // stride[1])
    return Case(
        "TRANSPOSE_CONV",
        (1, *size, in_channels),
        (1, *out, channels),
        weights,
        options={
            "padding": "SAME" if same else "VALID",
            "stride_h": stride[0],
            "stride_w": stride[1],
            "fused_activation_function": str(random.choice(ACTIVATIONS)),
        },
        **random_quant(random, weights, taps, channels, 0),
    )


def random_dense(random: np.random.Generator) -> Case:
    """A FULLY_CONNECTED of any rank; weights with one scale may have a zero point."""
    rank = int(random.integers(1, 5))
    shape = tuple(int(number) for number in random.choice([1, 2, 3, 5, 8], rank))
    keep = rank > 1 and random.random() < 0.3
    in_size = shape[-1] if keep or random.random() < 0.4 else int(np.prod(shape))
    channels = int(random.choice([1, 2, 3, 4, 5, 7, 8, 10, 12, 17]))
    rows = int(np.prod(shape)) // in_size
    weights = random_weights(random, (channels, in_size))
    made = random_quant(random, weights, in_size, channels, 0)
    zero_point = int(random.integers(-128, 128)) if len(made["weight_scale"]) == 1 and random.random() < 0.4 else 0
    return Case(
        "FULLY_CONNECTED",
        shape,
        (*shape[:-1], channels) if keep else (rows, channels),
        weights,
        options={"keep_num_dims": bool(keep), "fused_activation_function": str(random.choice(ACTIVATIONS))},
        weights_zero_point=zero_point,
        **made,
    )


def random_pool(random: np.random.Generator, op: str) -> Case:
    """A pool; the output has the input's scale."""
    window = random_window(random, dilated=False)
    channels = int(random.choice([1, 2, 3, 8, 9]))
    scale = float(np.float32(10 ** random.uniform(-3, -0.5)))
    quant = (scale, int(random.choice([-128, 127, *random.integers(-128, 128, 6)])))
    return Case(
        op,
        (1, *window.size, channels),
        (1, *window.out, channels),
        quant=(quant, quant),
        options={
            **window.options,
            "filter_height": window.kernel[0],
            "filter_width": window.kernel[1],
            "fused_activation_function": str(random.choice(ACTIVATIONS)),
        },
    )


def as_int16(random: np.random.Generator, case: Case) -> Case:
    """A case with int16 activations: scales of 1/256 of what they were, and a bias as converters write it, or int32.

    Without zero points, as the type has none; a few weights become so many that sums leave int32.
    """
    quant = tuple((float(np.float32(scale / 256)), 0) for scale, _ in case.quant)
    bias = case.bias
    if bias is not None:
        bias = bias.astype(np.int64) << 8
        if random.random() < 0.3 and case.op != "DEPTHWISE_CONV_2D":
            bias = np.clip(bias, -(1 << 30), 1 << 30).astype(np.int32)
        elif random.random() < 0.2:
            bias = bias + (random.integers(-(1 << 34), 1 << 34, bias.shape))    # wider than int32
    return replace(case, quant=(quant[0], quant[1]), bias=bias, dtype=np.int16, weights_zero_point=0)


def some_int16(random: np.random.Generator, make: Callable[[np.random.Generator], Case], count: int) -> list[Case]:
    """Random cases with int16 activations that the compiler takes."""
    return some(random, lambda source: as_int16(source, make(source)), count)
