"""The kernels for Helium under QEMU against the operators' NumPy references: every shape that they tell apart, in one
image for each operator."""

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
from firmware_export.layer import Layer
from firmware_export.tflite import read_model
from tests.firmware_export.evaluation import evaluate
from tests.firmware_export.forms import every_form
from tests.firmware_export.ops.common import integer_sample
from tests.firmware_export.ops.weighted import (
    ACTIVATIONS,
    Case,
    accepted,
    network,
    random_pool,
    random_quant,
    random_weights,
)
from tests.networks import Network

SET = "arm_mve"
SAMPLES = 3
TIME_LIMIT_S = 60.0


def compiled_layers(data: bytes) -> tuple[Layer, ...]:
    """As they are lowered for the set."""
    return next(every_form(data, SET)).plan.program.layers


def assert_exact(data: bytes, folder: Path, random: np.random.Generator) -> None:
    """All outputs of a network on an emulated Cortex-M55, for a few samples, some of them of extremes."""
    target = load_target("cortex-m55")
    try:
        require_tools(target)
    except MissingToolError as missing:
        pytest.skip(str(missing))
    graph = read_model(data)
    inputs = [
        np.stack([integer_sample(random, graph.tensors[index].shape, np.int8) for _ in range(SAMPLES)])
        for index in graph.inputs
    ]
    compiled = next(every_form(data, SET))
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


def activated(random: np.random.Generator, case: Any, activation: str) -> Any:
    """With an activation, which begins at the zero point as in trained networks, most often."""
    if activation != "NONE" and random.random() < 0.7:
        case["quant"] = (case["quant"][0], (case["quant"][1][0], -128))
    return case


# --- CONV_2D ---------------------------------------------------------------------------------------------------------


def convolution(
    random: np.random.Generator,
    size: tuple[int, int],
    window: tuple[int, int],
    depth: int,
    channels: int,
    stride: int,
    same: bool,
) -> Case:
    weights = random_weights(random, (channels, *window, depth))
    activation = str(random.choice(ACTIVATIONS))
    made = activated(random, random_quant(random, weights, weights[0].size, channels, 0), activation)
    out = tuple(
        -(-n // stride) if same else -(-(n - taps + 1) // stride) for n, taps in zip(size, window, strict=True)
    )
    options = {"padding": "SAME" if same else "VALID", "stride_h": stride, "stride_w": stride}
    options["fused_activation_function"] = activation
    return Case("CONV_2D", (1, *size, depth), (1, *out, channels), weights, options=options, **made)


def convolutions(random: np.random.Generator, count: int) -> list[Case]:
    cases: list[Case] = []
    while len(cases) < count:
        window = (int(random.choice([1, 2, 3, 5])), int(random.choice([1, 2, 3, 4])))
        if random.random() < 0.3:
            window = (1, 1)
        size = (int(random.integers(1, 6)), int(random.integers(1, 8)))
        same = bool(random.random() < 0.6)
        if not same and (size[0] < window[0] or size[1] < window[1]):
            continue
        depth, channels = int(random.choice([1, 2, 3, 5, 8, 16, 16, 17, 32, 48])), int(random.choice([4, 8, 12]))
        cases.append(convolution(random, size, window, depth, channels, int(random.integers(1, 4)), same))
    return accepted(cases)


def test_conv_2d(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    data = network(convolutions(random, 60))
    functions = [layer.function for layer in compiled_layers(data)]
    assert functions.count("conv_2d_dots") > 25
    assert functions.count("conv_2d_dots_in_place") > 1
    assert_exact(data, tmp_path, random)


def test_what_stays_portable() -> None:
    """Channels that are not by four, other depthwise windows."""
    random = np.random.default_rng(3)
    odd = convolution(random, (4, 5), (3, 3), 8, 6, 1, True)
    few = depthwise(random, (4, 5), 6, 1, True, "NONE")
    wide = depthwise(random, (4, 5), 8, 3, True, "NONE")
    kernels = [layer.kernel for layer in compiled_layers(network([odd, few, wide]))]
    assert kernels == ["conv_2d", "depthwise_conv_2d", "depthwise_conv_2d"]


# --- DEPTHWISE_CONV_2D -----------------------------------------------------------------------------------------------


def depthwise(
    random: np.random.Generator, size: tuple[int, int], channels: int, stride: int, same: bool, activation: str
) -> Case:
    """A 3x3."""
    weights = random_weights(random, (1, 3, 3, channels))
    made = activated(random, random_quant(random, weights, 9, channels, 3), activation)
    out = tuple(-(-n // stride) if same else -(-(n - 2) // stride) for n in size)
    options = {"padding": "SAME" if same else "VALID", "stride_h": stride, "stride_w": stride, "depth_multiplier": 1}
    options["fused_activation_function"] = activation
    return Case("DEPTHWISE_CONV_2D", (1, *size, channels), (1, *out, channels), weights, options=options, **made)


def test_depthwise_conv_2d(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    cases = []
    for width in range(1, 9):
        for stride in (1, 2):
            for same in (False, True):
                size = (int(random.integers(4, 7)), width)
                channels = int(random.choice([4, 8, 12, 16, 20, 28, 36]))
                for activation in ("RELU", "NONE"):
                    if same or width >= 3:
                        cases.append(depthwise(random, size, channels, stride, same, activation))
    data = network(accepted(cases))
    assert {layer.function for layer in compiled_layers(data)} >= {
        f"depthwise_dots{stride}_{form}" for stride in ("", "_stride_2") for form in ("rectified", "signed")
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
        image = made.input((1, 4, 5, 12), 0.05, 12)
        borders = made.constant(np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32))
        grown = (4 + top + bottom, 5 + left + right)
        padded = made.op("PAD", [image, borders], (1, *grown, 12), 0.05, 12)
        weights, scales = random_weights(random, (1, 3, 3, 12)), random.uniform(0.01, 0.02, 12)
        operands = [padded, made.constant(weights, scales, axis=3)]
        operands.append(made.constant(random.integers(-900, 900, 12).astype(np.int32), 0.0005))
        out = (1, grown[0] - 2, (grown[1] - 3) // stride + 1, 12)
        options = {"padding": "VALID", "stride_h": 1, "stride_w": stride, "depth_multiplier": 1}
        outputs.append(made.op("DEPTHWISE_CONV_2D", operands, out, 0.1, -20, **options))
    data = made.pack(*outputs)
    assert {layer.kernel for layer in compiled_layers(data)} == {"depthwise_dots"}
    assert_exact(data, tmp_path, random)


# --- FULLY_CONNECTED -------------------------------------------------------------------------------------------------


def test_fully_connected(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    cases = []
    for in_size in (1, 7, 16, 33, 64, 100, 256):
        for out_size in (4, 12):
            rows = int(random.integers(1, 4))
            weights = random_weights(random, (out_size, in_size))
            activation = str(random.choice(ACTIVATIONS))
            made = activated(random, random_quant(random, weights, in_size, out_size, 0), activation)
            options = {"fused_activation_function": activation}
            cases.append(Case("FULLY_CONNECTED", (rows, in_size), (rows, out_size), weights, options=options, **made))
    data = network(accepted(cases))
    kernels = [layer.kernel for layer in compiled_layers(data)]
    assert kernels.count("conv_2d_dots") > 8
    assert_exact(data, tmp_path, random)


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
    data = additions(random, 40)
    kernels = [layer.kernel for layer in compiled_layers(data)]
    assert kernels.count("add_lanes") > 30
    assert_exact(data, tmp_path, random)


# --- AVERAGE_POOL_2D -------------------------------------------------------------------------------------------------


def test_average_pool_2d(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    cases = accepted([random_pool(random, "AVERAGE_POOL_2D") for _ in range(40)])
    data = network(cases)
    assert "average_pool_2d_lanes" in {layer.kernel for layer in compiled_layers(data)}
    assert_exact(data, tmp_path, random)
