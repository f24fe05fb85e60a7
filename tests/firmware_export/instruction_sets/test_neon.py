"""The kernels for Neon under qemu-user, and their plain form here, against the operators' NumPy references: with the
dot product and without it, of 64 and of 32 bits, in one program for each operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.mcu.image import Form, build_image
from edgecnn.mcu.interface import interface_of
from edgecnn.mcu.running import run_image
from edgecnn.mcu.targets import load_target
from edgecnn.mcu.toolchain import MissingToolError, require_tools
from firmware_export.compiler import compile_model
from firmware_export.layer import Layer
from firmware_export.tflite import read_model
from tests.firmware_export.evaluation import evaluate
from tests.firmware_export.ops.common import integer_sample
from tests.firmware_export.ops.weighted import (
    ACTIVATIONS,
    Case,
    Window,
    accepted,
    network,
    random_pool,
    random_quant,
    random_weights,
    random_window,
)
from tests.networks import Network

SET, WINOGRAD = "neon", "neon_winograd"
SAMPLES = 3
TIME_LIMIT_S = 60.0

everywhere = pytest.mark.parametrize("target", ["host", "cortex-a53", "cortex-a76", "cortex-a7"])
of_each_length = pytest.mark.parametrize("target", ["host", "cortex-a53", "cortex-a7"])


def compiled_layers(data: bytes, instruction_set: str = SET) -> tuple[Layer, ...]:
    """As they are lowered for the set."""
    compiled = compile_model(data, "net", "net", instruction_set=instruction_set, optimize="speed")
    return compiled.plan.program.layers


def assert_exact(
    data: bytes, folder: Path, random: np.random.Generator, target_name: str, instruction_set: str = SET
) -> None:
    """All outputs of a network on a target, for a few samples, some of them of extremes."""
    target = load_target(target_name)
    try:
        require_tools(target)
    except MissingToolError as missing:
        pytest.skip(str(missing))
    graph = read_model(data)
    inputs = [
        np.stack([integer_sample(random, graph.tensors[index].shape, np.int8) for _ in range(SAMPLES)])
        for index in graph.inputs
    ]
    compiled = compile_model(data, "net", "net", instruction_set=instruction_set, optimize="speed")
    image = build_image(compiled.files, interface_of(compiled.plan), target, folder, Form())
    outputs = run_image(image, inputs, TIME_LIMIT_S).outputs
    wrong = []
    for sample in range(SAMPLES):
        expected = evaluate(graph, *(batch[sample] for batch in inputs))
        for index, results, wanted in zip(graph.outputs, outputs, expected, strict=True):
            differs = int((results[sample].reshape(wanted.shape) != wanted).sum())
            if differs:
                wrong.append(f"output {index} of {wanted.shape}, sample {sample}: {differs}")
    assert not wrong, "\n".join(wrong)


def weighted(
    random: np.random.Generator, op: str, window: Window, depth: int, shape: tuple[int, ...], **options: Any
) -> Case:
    """A convolution of either kind, whose activation begins at the zero point, as in trained networks, most often."""
    weights = random_weights(random, shape)
    axis = 3 if op == "DEPTHWISE_CONV_2D" else 0
    channels = shape[axis]
    activation = str(random.choice(ACTIVATIONS))
    made = random_quant(random, weights, weights.size // channels, channels, axis)
    if activation != "NONE" and random.random() < 0.7:
        made["quant"] = (made["quant"][0], (made["quant"][1][0], -128))
    options = {**window.options, **window.dilations, "fused_activation_function": activation, **options}
    return Case(op, (1, *window.size, depth), (1, *window.out, channels), weights, options=options, **made)


# --- CONV_2D ---------------------------------------------------------------------------------------------------------


def convolution(random: np.random.Generator) -> Case:
    window = random_window(random)
    if random.random() < 0.3:
        window = Window(window.size, (1, 1), window.stride, (1, 1), window.same)
    depth = int(random.choice([1, 2, 3, 5, 8, 16, 17, 32, 48]))
    channels = int(random.choice([1, 3, 4, 7, 12, 16, 16, 18, 32, 37]))
    return weighted(random, "CONV_2D", window, depth, (channels, *window.kernel, depth))


@everywhere
def test_conv_2d(tmp_path: Path, target: str) -> None:
    random = np.random.default_rng(1)
    data = network(accepted([convolution(random) for _ in range(60)]))
    functions = [layer.function for layer in compiled_layers(data)]
    assert functions.count("conv_2d_quads") > 25
    assert functions.count("conv_2d_quads_in_place") > 1
    assert_exact(data, tmp_path, random, target)


@pytest.mark.parametrize("target", ["host", "cortex-a53", "cortex-a72"])
def test_winograd(tmp_path: Path, target: str) -> None:
    """Rows of 8 pixels and more: of two tiles, of four, and of those that overlap."""
    random = np.random.default_rng(8)
    cases = []
    for width in (*range(8, 23), *range(8, 20)):
        size = (int(random.integers(1, 5)), width)
        kernel = (int(random.integers(1, 4)), 3)
        window = Window(size, kernel, (int(random.integers(1, 3)), 1), (1, 1), bool(kernel[0] > size[0] or width < 16))
        depth = 16 if kernel[0] == 1 else int(random.choice([16, 32]))
        shape = (int(random.choice([16, 32])), *kernel, depth)
        case = weighted(random, "CONV_2D", window, depth, shape)
        if case.weights.min() >= -127:
            cases.append(case)
    data = network(accepted(cases))
    kernels = [layer.kernel for layer in compiled_layers(data, WINOGRAD)]
    assert kernels.count("conv_2d_winograd") > 10
    assert_exact(data, tmp_path, random, target, WINOGRAD)


def test_what_winograd_does_not_fit() -> None:
    """Narrow rows, other strides, channels that are not by 16: products as they are."""
    random = np.random.default_rng(9)
    cases = []
    for width, stride, depth, channels in ((7, 1, 16, 16), (9, 2, 16, 16), (9, 1, 8, 16), (9, 1, 16, 20)):
        window = Window((4, width), (3, 3), (1, stride), (1, 1), True)
        weights = random.integers(-127, 128, (channels, 3, 3, depth)).astype(np.int8)
        options = {**window.options, **window.dilations, "fused_activation_function": "NONE"}
        shape, out = (1, *window.size, depth), (1, *window.out, channels)
        cases.append(Case("CONV_2D", shape, out, weights, 0.001, options=options, quant=((0.05, 3), (0.2, -4))))
    data = network(cases)
    assert {layer.kernel for layer in compiled_layers(data, WINOGRAD)} == {"conv_2d_quads"}


def test_what_stays_portable() -> None:
    """Groups, dilated rows, a weight of -128, and a factor of a half or more."""
    random = np.random.default_rng(3)
    window = Window((6, 7), (3, 3), (1, 1), (1, 1), True)
    grouped = weighted(random, "CONV_2D", window, 8, (8, 3, 3, 4))
    dilated = weighted(random, "CONV_2D", Window((6, 7), (3, 3), (1, 1), (1, 2), True), 8, (8, 3, 3, 8))
    weights = np.full((8, 3, 3, 8), 2, np.int8)
    options = {**window.options, **window.dilations, "fused_activation_function": "NONE"}
    quant = ((0.5, 0), (1.0, 0))
    large = Case("CONV_2D", (1, 6, 7, 8), (1, 6, 7, 8), weights, 1.5, options=options, quant=quant)
    weights = np.full((8, 3, 3, 8), -128, np.int8)
    lowest = Case("CONV_2D", (1, 6, 7, 8), (1, 6, 7, 8), weights, 0.01, options=options, quant=quant)
    data = network([grouped, dilated, large, lowest])
    assert [layer.kernel for layer in compiled_layers(data)] == ["conv_2d"] * 4


# --- DEPTHWISE_CONV_2D -----------------------------------------------------------------------------------------------


def depthwise(random: np.random.Generator) -> Case:
    window = random_window(random)
    if random.random() < 0.5:
        window = Window(window.size, (3, 3), (1, int(random.integers(1, 3))), (1, 1), True)
    channels = int(random.choice([1, 3, 8, 15, 16, 17, 24, 32, 47]))
    return weighted(
        random, "DEPTHWISE_CONV_2D", window, channels, (1, *window.kernel, channels), depth_multiplier=1
    )


@everywhere
def test_depthwise_conv_2d(tmp_path: Path, target: str) -> None:
    random = np.random.default_rng(2)
    data = network(accepted([depthwise(random) for _ in range(60)]))
    assert [layer.kernel for layer in compiled_layers(data)].count("depthwise_quads") > 35
    assert_exact(data, tmp_path, random, target)


@everywhere
def test_windows_in_padding(tmp_path: Path, target: str) -> None:
    """A PAD becomes the convolution's own padding; windows may lie in it entirely."""
    random = np.random.default_rng(5)
    made = Network()
    outputs = []
    for op, axis in (("CONV_2D", 0), ("DEPTHWISE_CONV_2D", 3)):
        for top, bottom, left, right in ((0, 1, 2, 0), (3, 3, 3, 3), (5, 0, 0, 6)):
            for stride in (1, 2):
                image = made.input((1, 4, 5, 20), 0.05, 12)
                borders = made.constant(np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32))
                grown = (4 + top + bottom, 5 + left + right)
                padded = made.op("PAD", [image, borders], (1, *grown, 20), 0.05, 12)
                shape = (20, 3, 3, 20) if axis == 0 else (1, 3, 3, 20)
                weights, scales = random.integers(-127, 128, shape).astype(np.int8), random.uniform(0.01, 0.02, 20)
                operands = [padded, made.constant(weights, scales, axis=axis)]
                operands.append(made.constant(random.integers(-900, 900, 20).astype(np.int32), 0.0005))
                out = (1, grown[0] - 2, (grown[1] - 3) // stride + 1, 20)
                options = {"padding": "VALID", "stride_h": 1, "stride_w": stride}
                if axis == 3:
                    options["depth_multiplier"] = 1
                outputs.append(made.op(op, operands, out, 0.4, -20, **options))
    data = made.pack(*outputs)
    assert {layer.kernel for layer in compiled_layers(data)} == {"conv_2d_quads", "depthwise_quads"}
    assert_exact(data, tmp_path, random, target)


# --- FULLY_CONNECTED -------------------------------------------------------------------------------------------------


@everywhere
def test_fully_connected(tmp_path: Path, target: str) -> None:
    random = np.random.default_rng(4)
    cases = []
    for in_size in (1, 7, 16, 33, 64, 100, 256):
        for out_size in (1, 4, 10, 16, 35):
            rows = int(random.integers(1, 4))
            weights = random_weights(random, (out_size, in_size))
            made = random_quant(random, weights, in_size, out_size, 0)
            options = {"fused_activation_function": str(random.choice(ACTIVATIONS))}
            cases.append(Case("FULLY_CONNECTED", (rows, in_size), (rows, out_size), weights, options=options, **made))
    data = network(accepted(cases))
    assert [layer.kernel for layer in compiled_layers(data)].count("conv_2d_quads") > 20
    assert_exact(data, tmp_path, random, target)


# --- Without weights -------------------------------------------------------------------------------------------------


@of_each_length
def test_additions(tmp_path: Path, target: str) -> None:
    """Sums and differences of two inputs each, with scales near each other as in residual blocks, and of an input with
    itself."""
    random = np.random.default_rng(2)
    made = Network()
    outputs = []
    for number in range(30):
        shape = (1, 2, int(random.integers(1, 5)), int(random.choice([1, 2, 3, 4, 6, 9, 16])))
        scales = random.uniform(0.02, 0.1, 2)
        zero_points = [int(point) for point in random.integers(-128, 128, 3)]
        operands = [made.input(shape, scales[i], zero_points[i]) for i in range(2)]
        activation = str(random.choice(["NONE", "RELU", "RELU6"]))
        scale = float(scales.sum() * random.uniform(0.5, 1.1))
        zero_point = zero_points[2] if activation == "NONE" else -128
        op, operands = "SUB" if number % 4 == 3 else "ADD", operands if number else operands[:1] * 2
        outputs.append(made.op(op, operands, shape, scale, zero_point, fused_activation_function=activation))
    data = made.pack(*outputs)
    assert [layer.kernel for layer in compiled_layers(data)].count("add_lanes") > 22
    assert_exact(data, tmp_path, random, target)


def pool(random: np.random.Generator, op: str) -> Case:
    case = random_pool(random, op)
    channels = int(random.choice([1, 8, 16, 33]))
    return Case(op, (*case.shape[:3], channels), (*case.out[:3], channels), quant=case.quant, options=case.options)


@of_each_length
def test_pools(tmp_path: Path, target: str) -> None:
    random = np.random.default_rng(6)
    data = network(accepted([pool(random, op) for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D") for _ in range(25)]))
    kernels = {layer.kernel for layer in compiled_layers(data)}
    assert kernels == {"average_pool_2d_sixteens", "max_pool_2d_sixteens"}
    assert_exact(data, tmp_path, random, target)


@of_each_length
def test_mean(tmp_path: Path, target: str) -> None:
    random = np.random.default_rng(7)
    made = Network()
    outputs = []
    for axes in ([1], [2], [1, 2]):
        for channels in (1, 16, 35):
            size = [int(number) for number in random.integers(2, 20, 2)]
            image = made.input((1, *size, channels), 0.05, int(random.integers(-128, 128)))
            kept = [1 if axis + 1 in axes else size[axis] for axis in range(2)]
            operands = [image, made.constant(np.array(axes, np.int32))]
            outputs.append(made.op("MEAN", operands, (1, *kept, channels), 0.04, -7, keep_dims=True))
    data = made.pack(*outputs)
    assert {layer.kernel for layer in compiled_layers(data)} == {"mean_sixteens"}
    assert_exact(data, tmp_path, random, target)
