"""The kernels for Arm's DSP extension under QEMU against the operators' NumPy references: every shape that they tell
apart, in one image for each operator."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edgecnn.mcu.image import Form, build_image
from edgecnn.mcu.interface import interface_of
from edgecnn.mcu.running import run_image
from edgecnn.mcu.targets import load_target
from edgecnn.mcu.toolchain import MissingToolError, require_tools
from firmware_export.compiler import Compiled
from firmware_export.layer import Layer
from firmware_export.tflite import read_model
from tests.firmware_export.evaluation import evaluate
from tests.firmware_export.forms import every_form
from tests.firmware_export.ops.common import integer_sample
from tests.firmware_export.ops.weighted import (
    Case,
    Window,
    accepted,
    network,
    random_dense,
    random_pool,
    random_quant,
    random_weights,
)
from tests.networks import Network

SET = "arm_dsp"
SAMPLES = 3
TIME_LIMIT_S = 60.0


def in_form(data: bytes, form: int = 0) -> Compiled:
    """All layers in one of their forms, counted from the fastest; those that have fewer in their last, the portable
    one."""
    return next(islice(every_form(data, SET), form, None))


def fastest_layers(data: bytes) -> tuple[Layer, ...]:
    """As they are lowered for the set."""
    return in_form(data).plan.program.layers


def assert_exact(data: bytes, folder: Path, random: np.random.Generator, form: int = 0) -> None:
    """All outputs of a network on an emulated Cortex-M4, for a few samples, some of them of extremes."""
    target = load_target("cortex-m4")
    try:
        require_tools(target)
    except MissingToolError as missing:
        pytest.skip(str(missing))
    graph = read_model(data)
    inputs = [
        np.stack([integer_sample(random, graph.tensors[index].shape, np.int8) for _ in range(SAMPLES)])
        for index in graph.inputs
    ]
    compiled = in_form(data, form)
    image = build_image(compiled.files, interface_of(compiled.plan), target, folder, Form())
    outputs = run_image(image, inputs, TIME_LIMIT_S).outputs
    for sample in range(SAMPLES):
        expected = evaluate(graph, *(batch[sample] for batch in inputs))
        for index, results, wanted in zip(graph.outputs, outputs, expected, strict=True):
            result = results[sample].reshape(wanted.shape)
            assert np.array_equal(result, wanted), f"output {index} of {wanted.shape}: {(result != wanted).sum()}"


# --- CONV_2D ---------------------------------------------------------------------------------------------------------


def convolution(
    random: np.random.Generator,
    size: tuple[int, int],
    depth: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    channels: int,
    same: bool,
    activation: str | None = None,
) -> Case:
    """One whose activation, if there is one, mostly begins at the zero point as in trained networks."""
    window = Window(size, kernel, stride, (1, 1), same)
    weights = random_weights(random, (channels, *kernel, depth))
    made = random_quant(random, weights, weights[0].size, channels, 0)
    activation = activation or str(random.choice(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"]))
    if activation != "NONE" and random.random() < 0.8:
        made["quant"] = (made["quant"][0], (made["quant"][1][0], -128))
    options = {**window.options, "fused_activation_function": activation}
    return Case("CONV_2D", (1, *size, depth), (1, *window.out, channels), weights, options=options, **made)


def three_by_threes(random: np.random.Generator) -> list[Case]:
    """What tiles take, and what is near it: rows of 7, channels that are no multiple of 8 or too many."""
    cases = []
    for width in (7, 8, 9, 10, 11, 13, 15, 16, 17, 19):
        for same in (False, True):
            size = (int(random.integers(1 if same else 3, 7)), width + 2 * (not same))
            for activation in ("NONE", "RELU"):
                depth, channels = int(random.choice([8, 8, 16, 24, 64, 12, 72])), int(random.integers(1, 10))
                cases.append(convolution(random, size, depth, (3, 3), (1, 1), channels, same, activation))
    return cases


def any_windows(random: np.random.Generator) -> list[Case]:
    """Every width of a row up to what has blocks of both sizes, windows of any shape."""
    cases = []
    for width in range(1, 22):
        for _ in range(2):
            kernel = tuple(int(taps) for taps in random.choice([1, 1, 2, 3, 5], 2))
            stride = tuple(int(n) for n in random.choice([1, 1, 2, 3], 2))
            same = bool(random.random() < 0.5)
            in_width = (width - 1) * stride[1] + (1 if same else kernel[1])
            size = (int(random.integers(kernel[0], kernel[0] + 4)), in_width)
            depth = int(random.choice([1, 2, 3, 4, 5, 8, 9, 16, 20]))
            cases.append(convolution(random, size, depth, kernel, stride, int(random.integers(1, 10)), same))
    return cases


@pytest.mark.parametrize("form", range(5))
def test_conv_2d(tmp_path: Path, form: int) -> None:
    """In each form; what is slower than the fastest is taken where flash or memory is short."""
    random = np.random.default_rng(9)
    cases = accepted([*three_by_threes(random), *any_windows(random)])
    data = network(cases)
    if form == 0:
        assert {layer.function for layer in fastest_layers(data)} >= {
            "conv_2d_pairs",
            *(f"conv_2d_tiles_{rounding}" for rounding in ("rectified", "signed")),
            *(f"conv_2d_blocks_of_{n}_{rounding}" for n in ("four", "five") for rounding in ("rectified", "signed")),
        }
    assert_exact(data, tmp_path, random, form)


@pytest.mark.parametrize("pads", [(0, 1, 2, 0), (3, 3, 3, 3), (5, 0, 0, 6), (0, 4, 12, 0)])
def test_conv_2d_in_any_padding(tmp_path: Path, pads: tuple[int, int, int, int]) -> None:
    """A PAD becomes the convolution's own padding; tiles and rows may lie in it entirely."""
    top, bottom, left, right = pads
    random = np.random.default_rng(10)
    made = Network()
    outputs = []
    for depth, stride in ((8, 1), (5, 1), (8, 2)):
        image = made.input((1, 4, 8, depth), 0.05, 9)
        borders = made.constant(np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32))
        grown = (4 + top + bottom, 8 + left + right)
        padded = made.op("PAD", [image, borders], (1, *grown, depth), 0.05, 9)
        operands = [padded, made.constant(random_weights(random, (6, 3, 3, depth)), random.uniform(0.01, 0.02, 6))]
        operands.append(made.constant(random.integers(-900, 900, 6).astype(np.int32), 0.0005))
        out = (1, *((n - 3) // stride + 1 for n in grown), 6)
        options = {"padding": "VALID", "stride_h": stride, "stride_w": stride}
        outputs.append(made.op("CONV_2D", operands, out, 0.3, -20, **options))
    assert_exact(made.pack(*outputs), tmp_path, random)


# --- DEPTHWISE_CONV_2D -----------------------------------------------------------------------------------------------


def depthwise(
    random: np.random.Generator, size: tuple[int, int], channels: int, stride: int, same: bool, activation: str
) -> Case:
    """A 3x3 whose activation, if there is one, begins at the zero point as in trained networks."""
    weights = random_weights(random, (1, 3, 3, channels))
    made = random_quant(random, weights, 9, channels, 3)
    if activation != "NONE":
        made["quant"] = (made["quant"][0], (made["quant"][1][0], -128))
    out = tuple(-(-n // stride) if same else -(-(n - 2) // stride) for n in size)
    options = {"padding": "SAME" if same else "VALID", "stride_h": stride, "stride_w": stride, "depth_multiplier": 1}
    options["fused_activation_function"] = activation
    return Case("DEPTHWISE_CONV_2D", (1, *size, channels), (1, *out, channels), weights, options=options, **made)


def test_depthwise_conv_2d(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    cases = []
    for width in range(1, 10):
        for stride in (1, 2):
            for same in (False, True):
                size = (int(random.integers(4, 7)), width)
                channels = int(random.choice([4, 5, 6, 7, 8, 11, 16]))
                for activation in ("RELU", "NONE", str(random.choice(["RELU6", "RELU_N1_TO_1"]))):
                    if same or width >= 3:
                        cases.append(depthwise(random, size, channels, stride, same, activation))
    cases = accepted(cases)
    data = network(cases)
    assert {layer.function for layer in fastest_layers(data)} >= {
        f"depthwise_3x3{stride}_{form}" for stride in ("", "_stride_2") for form in ("rectified", "signed")
    }
    assert_exact(data, tmp_path, random)


@pytest.mark.parametrize("pads", [(0, 1, 2, 0), (3, 3, 3, 3), (5, 0, 0, 6)])
def test_depthwise_conv_2d_in_any_padding(tmp_path: Path, pads: tuple[int, int, int, int]) -> None:
    """A PAD becomes the convolution's own padding; windows may lie in it entirely."""
    top, bottom, left, right = pads
    random = np.random.default_rng(5)
    made = Network()
    outputs = []
    for stride in (1, 2):
        image = made.input((1, 4, 5, 9), 0.05, 9)
        borders = made.constant(np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32))
        grown = (4 + top + bottom, 5 + left + right)
        padded = made.op("PAD", [image, borders], (1, *grown, 9), 0.05, 9)
        operands = [padded, made.constant(random_weights(random, (1, 3, 3, 9)), random.uniform(0.01, 0.02, 9), axis=3)]
        operands.append(made.constant(random.integers(-900, 900, 9).astype(np.int32), 0.0005))
        out = (1, grown[0] - 2, (grown[1] - 3) // stride + 1, 9)
        options = {"padding": "VALID", "stride_h": 1, "stride_w": stride, "depth_multiplier": 1}
        outputs.append(made.op("DEPTHWISE_CONV_2D", operands, out, 0.1, -20, **options))
    data = made.pack(*outputs)
    assert {layer.kernel for layer in fastest_layers(data)} == {"depthwise_3x3"}
    assert_exact(data, tmp_path, random)


def test_depthwise_conv_2d_that_stays_portable() -> None:
    """Few channels, other windows, factors that are too large for the rounding in one word."""
    random = np.random.default_rng(3)
    few = depthwise(random, (4, 5), 3, 1, True, "NONE")
    wide = depthwise(random, (4, 5), 8, 3, True, "NONE")
    assert {layer.kernel for layer in fastest_layers(network([few, wide]))} == {"depthwise_conv_2d"}


# --- ADD and SUB -----------------------------------------------------------------------------------------------------


def additions(random: np.random.Generator, count: int) -> bytes:
    """Sums and differences of two inputs each, with scales near each other as in residual blocks, and of an input with
    itself."""
    made = Network()
    outputs = []
    for number in range(count):
        shape = (1, 2, int(random.integers(1, 5)), int(random.choice([1, 2, 3, 4, 6, 9])))
        scales = random.uniform(0.02, 0.1, 2)
        zero_points = [int(point) for point in random.integers(-128, 128, 3)]
        operands = [made.input(shape, scales[i], zero_points[i]) for i in range(2)]
        activation = str(random.choice(["NONE", "RELU", "RELU6"]))
        options = {"fused_activation_function": activation}
        scale = float(scales.sum() * random.uniform(0.5, 1.1))
        zero_point = zero_points[2] if activation == "NONE" else -128
        op = "SUB" if number % 4 == 3 else "ADD"
        outputs.append(made.op(op, operands if number else operands[:1] * 2, shape, scale, zero_point, **options))
    return made.pack(*outputs)


def test_additions(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    data = additions(random, 24)
    kernels = [layer.kernel for layer in fastest_layers(data)]
    assert kernels.count("add_linear") > 18
    assert_exact(data, tmp_path, random)


# --- FULLY_CONNECTED -------------------------------------------------------------------------------------------------


def test_fully_connected(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    cases = accepted([random_dense(random) for _ in range(24)])
    data = network(cases)
    assert {layer.kernel for layer in fastest_layers(data)} == {"conv_2d_pairs", "fully_connected"}
    assert_exact(data, tmp_path, random)


# --- Pools and MEAN --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_pools(tmp_path: Path, op: str) -> None:
    random = np.random.default_rng(6)
    cases = accepted([random_pool(random, op) for _ in range(24)])
    data = network(cases)
    assert {layer.kernel for layer in fastest_layers(data)} == {op.lower(), f"{op.lower()}_fours"}
    assert_exact(data, tmp_path, random)


def test_a_long_row_is_pooled_in_parts(tmp_path: Path) -> None:
    """More pixels than 16 bits have room for."""
    made = Network()
    image = made.input((1, 2, 300, 5), 0.05, 9)
    options = {"filter_height": 2, "filter_width": 300, "padding": "VALID", "stride_h": 1, "stride_w": 1}
    data = made.pack(made.op("AVERAGE_POOL_2D", [image], (1, 1, 1, 5), 0.05, 9, **options))
    assert_exact(data, tmp_path, np.random.default_rng(7))


def test_mean(tmp_path: Path) -> None:
    random = np.random.default_rng(8)
    made = Network()
    outputs = []
    for axes in ([1, 2], [1], [2]):
        for channels in (3, 4, 7, 9):
            shape = (1, int(random.integers(2, 6)), int(random.integers(2, 6)), channels)
            image = made.input(shape, 0.05, 9)
            out = tuple(size for axis, size in enumerate(shape) if axis not in axes)
            operands = [image, made.constant(np.array(axes, np.int32))]
            outputs.append(made.op("MEAN", operands, out, 0.04, -7, keep_dims=False))
    data = made.pack(*outputs)
    assert {layer.kernel for layer in fastest_layers(data)} == {"mean", "mean_fours"}
    assert_exact(data, tmp_path, random)
