"""The kernels that put two pixels into a word, under QEMU against the operators' NumPy references: every shape that
they tell apart, in assembly on a Cortex-M3 and on a Cortex-M0, whose instructions differ, and in C on a RISC-V."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecnn.mcu.image import Form, build_image
from edgecnn.mcu.interface import interface_of
from edgecnn.mcu.running import run_image
from edgecnn.mcu.targets import load_target
from edgecnn.mcu.toolchain import MissingToolError, require_tools
from firmware_export.choice.forms import forms_of, with_forms
from firmware_export.compiler import lowered
from firmware_export.emit import emit
from firmware_export.layer import Layer
from firmware_export.ops import check_graph
from firmware_export.passes import prepare
from firmware_export.plan import Plan
from firmware_export.schedule import plan
from firmware_export.tflite import read_model
from tests.firmware_export.evaluation import evaluate
from tests.firmware_export.ops.common import integer_sample
from tests.firmware_export.ops.weighted import (
    Case,
    accepted,
    network,
    random_conv,
    random_depthwise,
    random_quant,
    random_weights,
)
from tests.networks import Network

SET = "packed"
CORES = ("cortex-m3", "cortex-m0", "riscv32")
SAMPLES = 3
TIME_LIMIT_S = 60.0


def planned(data: bytes, form: int = 0) -> Plan:
    """All layers in one of their forms, counted from the fastest; those with fewer in their last, the portable one."""
    graph = prepare(read_model(data))
    check_graph(graph)
    program = lowered(graph, "net", SET)
    forms = [forms_of(layer) for layer in program.layers]
    return plan(with_forms(program, [of_layer[min(form, len(of_layer) - 1)] for of_layer in forms]))


def fastest_layers(data: bytes) -> tuple[Layer, ...]:
    """As they are lowered for the set."""
    return planned(data).program.layers


def assert_exact(data: bytes, core: str, folder: Path, random: np.random.Generator, form: int = 0) -> None:
    """All outputs of a network on an emulated core, for a few samples, some of them of extremes."""
    target = load_target(core)
    try:
        require_tools(target)
    except MissingToolError as missing:
        pytest.skip(str(missing))
    graph = read_model(data)
    inputs = [
        np.stack([integer_sample(random, graph.tensors[index].shape, np.int8) for _ in range(SAMPLES)])
        for index in graph.inputs
    ]
    made = planned(data, form)
    image = build_image(emit(made, "", ()), interface_of(made), target, folder, Form())
    outputs = run_image(image, inputs, TIME_LIMIT_S).outputs
    for sample in range(SAMPLES):
        expected = evaluate(graph, *(batch[sample] for batch in inputs))
        for index, results, wanted in zip(graph.outputs, outputs, expected, strict=True):
            result = results[sample].reshape(wanted.shape)
            assert np.array_equal(result, wanted), f"output {index} of {wanted.shape}: {(result != wanted).sum()}"


# --- CONV_2D ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("core", "form"), [*((core, 0) for core in CORES), ("cortex-m3", 1)])
def test_conv_2d(core: str, form: int, tmp_path: Path) -> None:
    """Any window, four and two pixels together."""
    random = np.random.default_rng(1)
    data = network(accepted([random_conv(random) for _ in range(28)]))
    kernels = [layer.kernel for layer in planned(data, form).program.layers]
    assert kernels.count("conv_2d_packed") > 10
    assert_exact(data, core, tmp_path, random, form)


def points(random: np.random.Generator, width: int, depth: int) -> Case:
    """A 1x1 over rows of a width; weights as large as they come."""
    weights = random.choice(np.array([-127, 127], np.int8), (3, 1, 1, depth))
    made = random_quant(random, weights, depth, 3, 0)
    options = {"padding": "VALID", "stride_h": 1, "stride_w": 1}
    return Case("CONV_2D", (1, 2, width, depth), (1, 2, width, 3), weights, options=options, **made)


@pytest.mark.parametrize("core", CORES)
def test_conv_2d_of_points(core: str, tmp_path: Path) -> None:
    """Rows that end in one, two or three pixels, and numbers of terms that are done by eight, by two, and by both."""
    random = np.random.default_rng(2)
    cases = accepted([points(random, width, depth) for width in (1, 2, 3, 4, 5) for depth in (1, 7, 8, 18)])
    data = network(cases)
    assert [layer.kernel for layer in fastest_layers(data)].count("conv_2d_packed") > 14
    assert_exact(data, core, tmp_path, random)


def test_conv_2d_that_stays_portable() -> None:
    """Two weights of -128 beside each other, groups, and factors above a half."""
    random = np.random.default_rng(3)
    case = points(random, 4, 8)
    case = replace(case, weight_scale=np.full(3, 0.001), bias=None, quant=((0.05, 3), (0.05, 3)))
    assert fastest_layers(network([case]))[0].kernel == "conv_2d_packed"
    lowest = replace(case, weights=np.full_like(case.weights, -128))
    grouped = replace(case, weights=case.weights[..., :4], out=(1, 2, 4, 4))
    grouped = replace(grouped, weights=np.concatenate([grouped.weights, grouped.weights[:1]]), weight_scale=[0.001] * 4)
    large = replace(case, weight_scale=np.full(3, 0.9))
    for other in (lowest, grouped, large):
        assert fastest_layers(network([other]))[0].kernel == "conv_2d"


# --- DEPTHWISE_CONV_2D -----------------------------------------------------------------------------------------------


def depthwise(random: np.random.Generator, width: int, stride: int, same: bool) -> Case:
    """Three taps in a row, one to four rows, any number of channels."""
    height, kernel_h, channels = (int(random.integers(*ends)) for ends in ((4, 7), (1, 5), (1, 8)))
    size, kernel = (height, width), (kernel_h, 3)
    weights = random_weights(random, (1, kernel_h, 3, channels))
    made = random_quant(random, weights, 3 * kernel_h, channels, 3)
    out = tuple(-(-n // stride) if same else -(-(n - k + 1) // stride) for n, k in zip(size, kernel, strict=True))
    options = {"padding": "SAME" if same else "VALID", "stride_h": stride, "stride_w": stride, "depth_multiplier": 1}
    options["fused_activation_function"] = str(random.choice(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"]))
    return Case("DEPTHWISE_CONV_2D", (1, *size, channels), (1, *out, channels), weights, options=options, **made)


@pytest.mark.parametrize("core", CORES)
def test_depthwise_conv_2d(core: str, tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    cases = [depthwise(random, w, s, same) for w in (3, 4, 5, 6, 9) for s in (1, 2) for same in (False, True)]
    cases = accepted([*cases, *(depthwise(random, w, s, True) for w in (1, 2) for s in (1, 2))])
    cases += accepted([random_depthwise(random) for _ in range(6)])
    data = network(cases)
    assert [layer.kernel for layer in fastest_layers(data)].count("depthwise_fours") > 16
    assert_exact(data, core, tmp_path, random)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("op", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_in_any_padding(core: str, op: str, tmp_path: Path) -> None:
    """A PAD becomes the convolution's own padding; windows may lie in it entirely."""
    random = np.random.default_rng(5)
    made = Network()
    outputs = []
    for top, bottom, left, right in ((0, 1, 2, 0), (3, 3, 3, 3), (5, 0, 0, 6)):
        for stride in (1, 2):
            image = made.input((1, 4, 5, 3), 0.05, 9)
            borders = made.constant(np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32))
            grown = (4 + top + bottom, 5 + left + right)
            padded = made.op("PAD", [image, borders], (1, *grown, 3), 0.05, 9)
            shape, axis = ((3, 3, 3, 3), 0) if op == "CONV_2D" else ((1, 3, 3, 3), 3)
            weights = np.maximum(random_weights(random, shape), -127)
            operands = [padded, made.constant(weights, random.uniform(0.005, 0.01, 3), axis=axis)]
            operands.append(made.constant(random.integers(-900, 900, 3).astype(np.int32), 0.0005))
            out = (1, grown[0] - 2, (grown[1] - 3) // stride + 1, 3)
            options = {"padding": "VALID", "stride_h": 1, "stride_w": stride}
            if op == "DEPTHWISE_CONV_2D":
                options["depth_multiplier"] = 1
            outputs.append(made.op(op, operands, out, 0.1, -20, **options))
    data = made.pack(*outputs)
    kernel = "conv_2d_packed" if op == "CONV_2D" else "depthwise_fours"
    assert {layer.kernel for layer in fastest_layers(data)} == {kernel}
    assert_exact(data, core, tmp_path, random)
