"""Networks whose layers are of all shapes that kernels for vectors of 16 channels tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

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

Random = np.random.Generator


def weighted(random: Random, op: str, window: Window, depth: int, shape: tuple[int, ...], **options: Any) -> Case:
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


def convolutions(random: Random, count: int) -> bytes:
    """CONV_2D."""
    return network(accepted([_convolution(random) for _ in range(count)]))


def _convolution(random: Random) -> Case:
    window = random_window(random)
    if random.random() < 0.3:
        window = Window(window.size, (1, 1), window.stride, (1, 1), window.same)
    depth = int(random.choice([1, 2, 3, 5, 8, 16, 17, 32, 48]))
    channels = int(random.choice([1, 3, 4, 7, 12, 16, 16, 18, 32, 37]))
    return weighted(random, "CONV_2D", window, depth, (channels, *window.kernel, depth))


def depthwise_convolutions(random: Random, count: int) -> bytes:
    """DEPTHWISE_CONV_2D of multiplier 1."""
    return network(accepted([_depthwise(random) for _ in range(count)]))


def _depthwise(random: Random) -> Case:
    window = random_window(random)
    if random.random() < 0.5:
        window = Window(window.size, (3, 3), (1, int(random.integers(1, 3))), (1, 1), True)
    channels = int(random.choice([1, 3, 8, 15, 16, 17, 24, 32, 47]))
    return weighted(random, "DEPTHWISE_CONV_2D", window, channels, (1, *window.kernel, channels), depth_multiplier=1)


def windows_in_padding(random: Random) -> bytes:
    """Convolutions of both kinds behind a PAD, which becomes their own padding: windows may lie in it entirely."""
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
    return made.pack(*outputs)


def dense_layers(random: Random) -> bytes:
    """FULLY_CONNECTED."""
    cases = []
    for in_size in (1, 7, 16, 33, 64, 100, 256):
        for out_size in (1, 4, 10, 16, 35):
            rows = int(random.integers(1, 4))
            weights = random_weights(random, (out_size, in_size))
            made = random_quant(random, weights, in_size, out_size, 0)
            options = {"fused_activation_function": str(random.choice(ACTIVATIONS))}
            cases.append(Case("FULLY_CONNECTED", (rows, in_size), (rows, out_size), weights, options=options, **made))
    return network(accepted(cases))


def additions(random: Random, count: int) -> bytes:
    """Sums and differences of two inputs each, with scales near each other as in residual blocks, and of an input with
    itself."""
    made = Network()
    outputs = []
    for number in range(count):
        shape = (1, 2, int(random.integers(1, 5)), int(random.choice([1, 2, 3, 4, 6, 9, 16])))
        scales = random.uniform(0.02, 0.1, 2)
        zero_points = [int(point) for point in random.integers(-128, 128, 3)]
        operands = [made.input(shape, scales[i], zero_points[i]) for i in range(2)]
        activation = str(random.choice(["NONE", "RELU", "RELU6"]))
        scale = float(scales.sum() * random.uniform(0.5, 1.1))
        zero_point = zero_points[2] if activation == "NONE" else -128
        op, operands = "SUB" if number % 4 == 3 else "ADD", operands if number else operands[:1] * 2
        outputs.append(made.op(op, operands, shape, scale, zero_point, fused_activation_function=activation))
    return made.pack(*outputs)


def pools(random: Random, count: int, ops: Sequence[str] = ("AVERAGE_POOL_2D", "MAX_POOL_2D")) -> bytes:
    """Pools of every kind."""
    return network(accepted([_pool(random, op) for op in ops for _ in range(count)]))


def _pool(random: Random, op: str) -> Case:
    case = random_pool(random, op)
    channels = int(random.choice([1, 8, 16, 33]))
    return Case(op, (*case.shape[:3], channels), (*case.out[:3], channels), quant=case.quant, options=case.options)


def means(random: Random) -> bytes:
    """MEAN of images over height, width and both."""
    made = Network()
    outputs = []
    for axes in ([1], [2], [1, 2]):
        for channels in (1, 16, 35):
            size = [int(number) for number in random.integers(2, 20, 2)]
            image = made.input((1, *size, channels), 0.05, int(random.integers(-128, 128)))
            kept = [1 if axis + 1 in axes else size[axis] for axis in range(2)]
            operands = [image, made.constant(np.array(axes, np.int32))]
            outputs.append(made.op("MEAN", operands, (1, *kept, channels), 0.04, -7, keep_dims=True))
    return made.pack(*outputs)
