"""A network of int16 activations and int8 weights as TFLiteConverter writes it, with a bit of everything."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.networks import Network

SHAPE = (1, 12, 10, 3)
SCALE = 1 / 3000


def int16_network() -> bytes:
    """Convolutions, a branch that is added, one that is joined, pools, LOGISTIC times its input, dense, SOFTMAX.

    ``[1, 12, 10, 3]`` to 5 classes; the input can be pushed.
    """
    random = np.random.default_rng(5)
    made = Network()

    def op(name: str, inputs: Any, shape: Any, scale: float = SCALE, **options: Any) -> int:
        return made.op(name, inputs, shape, scale, 0, np.int16, **options)

    def parameters(shape: tuple[int, ...], axis: int) -> list[int]:
        channels = shape[axis]
        scales = random.uniform(0.5, 1.5, channels) * 0.003
        weights = made.constant(random.integers(-127, 128, shape).astype(np.int8), scales, 0, axis)
        bias = random.integers(-400_000, 400_000, channels).astype(np.int64)
        return [weights, made.constant(bias, scales * SCALE)]

    same = {"stride_h": 1, "stride_w": 1, "padding": "SAME", "fused_activation_function": "RELU"}
    half = {**same, "stride_h": 2, "stride_w": 2, "padding": "VALID"}
    pads = made.constant(np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
    image = made.input(SHAPE, SCALE, 0, np.int16)
    first = op("CONV_2D", [image, *parameters((9, 3, 3, 3), 0)], (1, 12, 10, 9), SCALE, **same)
    depth = op("DEPTHWISE_CONV_2D", [first, *parameters((1, 3, 3, 9), 3)], (1, 12, 10, 9), SCALE, **same,
               depth_multiplier=1)    # fmt: skip
    total = op("ADD", [first, depth], (1, 12, 10, 9), 2 * SCALE)
    gate = op("LOGISTIC", [total], (1, 12, 10, 9), 1 / 32768)
    gated = op("MUL", [total, gate], (1, 12, 10, 9), 1.7 * SCALE)
    padded = op("PAD", [gated, pads], (1, 14, 12, 9), 1.7 * SCALE)
    small = op("CONV_2D", [padded, *parameters((8, 3, 3, 9), 0)], (1, 6, 5, 8), 2 * SCALE, **half)
    pooled = op("MAX_POOL_2D", [gated], (1, 6, 5, 9), 1.7 * SCALE, **{**half, "fused_activation_function": "NONE"},
                filter_height=2, filter_width=2)    # fmt: skip
    alike = op("QUANTIZE", [pooled], (1, 6, 5, 9), 2 * SCALE)
    joined = op("CONCATENATION", [small, alike], (1, 6, 5, 17), 2 * SCALE, axis=3)
    means = op("AVERAGE_POOL_2D", [joined], (1, 3, 2, 17), 2 * SCALE,
               **{**half, "fused_activation_function": "NONE"}, filter_height=2, filter_width=2)    # fmt: skip
    flat = op("RESHAPE", [means, made.constant(np.array([1, 102], np.int32))], (1, 102), 2 * SCALE)
    logits = op("FULLY_CONNECTED", [flat, *parameters((5, 102), 0)], (1, 5), 2 * SCALE)
    return made.pack(op("SOFTMAX", [logits], (1, 5), 1 / 32768, beta=1.0))


def float_ends() -> bytes:
    """Real numbers to int16, means over an image, and back: ``[1, 6, 5, 4]`` to ``[1, 4]``."""
    made = Network()
    image = made.input((1, 6, 5, 4), None, 0, np.float32)
    codes = made.op("QUANTIZE", [image], (1, 6, 5, 4), SCALE, 0, np.int16)
    axes = made.constant(np.array([1, 2], np.int32))
    means = made.op("MEAN", [codes, axes], (1, 4), SCALE, 0, np.int16, keep_dims=False)
    return made.pack(made.op("DEQUANTIZE", [means], (1, 4), None, 0, np.float32))


def samples(count: int) -> Any:
    """``[count, 1, 12, 10, 3]``; the last one has only the ends of int16."""
    random = np.random.default_rng(6)
    ends = np.array([-(1 << 15), (1 << 15) - 1], np.int16)
    given = random.integers(-(1 << 13), 1 << 13, (count, *SHAPE)).astype(np.int16)
    given[-1] = random.choice(ends, SHAPE)
    return given
