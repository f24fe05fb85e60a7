"""Convolutions whose window sees the whole image at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.passes.dense_of_convolution import dense_of_convolution
from tests.firmware_export.passes.support import (
    assert_changes_no_bit,
    assert_compiled_is_tflite_micro,
    ops,
    prepared,
)
from tests.networks import Network

IN = (0.05, -11)


def convolution(
    made: Network,
    size: tuple[int, int],
    kernel: tuple[int, int],
    filters: int = 5,
    per_channel: bool = True,
    bias: bool = True,
    **options: Any,
) -> int:
    """A convolution on an image of 3 channels."""
    random = np.random.default_rng(filters)
    scales = random.uniform(0.001, 0.02, filters if per_channel else 1).astype(np.float32)
    shape = (filters, *kernel, 3)
    operands = [made.input((1, *size, 3), *IN), made.constant(random.integers(-127, 128, shape, np.int8), scales)]
    if bias:
        operands.append(
            made.constant(random.integers(-900, 900, filters).astype(np.int32), scales * np.float32(IN[0]))
        )
    out = []
    for length, taps, letter in zip(size, kernel, "hw", strict=True):
        stride, dilation = options.get(f"stride_{letter}", 1), options.get(f"dilation_{letter}_factor", 1)
        same = options.get("padding", "VALID") == "SAME"
        out.append(-(-length // stride) if same else (length - (taps - 1) * dilation - 1) // stride + 1)
    settings = {"padding": "VALID", "stride_h": 1, "stride_w": 1, **options}
    return made.op("CONV_2D", operands, (1, *out, filters), 0.1, -100, **settings)


def test_a_window_over_the_whole_image_is_a_dense_layer(tmp_path: Path) -> None:
    made = Network()
    outputs = [
        convolution(made, (4, 3), (4, 3)),
        convolution(made, (4, 3), (4, 3), 9, fused_activation_function="RELU"),
        convolution(made, (4, 3), (4, 3), 4, per_channel=False, bias=False),
        convolution(made, (4, 3), (4, 3), 1),
        convolution(made, (1, 1), (1, 1), 16, fused_activation_function="RELU6"),
        convolution(made, (1, 1), (1, 1), padding="SAME", stride_h=2, stride_w=2),
        convolution(made, (1, 7), (1, 7), stride_h=3, stride_w=3),
        convolution(made, (5, 1), (5, 1), dilation_w_factor=2),
    ]
    data = made.pack(*outputs)
    changed = assert_changes_no_bit(dense_of_convolution, prepared(data))
    assert ops(changed) == ["FULLY_CONNECTED"] * len(outputs)
    assert_compiled_is_tflite_micro(data, tmp_path)


@pytest.mark.parametrize(
    ("size", "kernel", "options"),
    [
        ((4, 3), (4, 3), {"padding": "SAME"}),
        ((4, 3), (3, 3), {"stride_h": 2}),
        ((5, 3), (4, 3), {"stride_h": 2}),    # one output row, but the last input row is not seen
        ((5, 3), (3, 3), {"dilation_h_factor": 2}),
        ((3, 3), (1, 3), {"stride_h": 3}),
    ],
)
def test_windows_that_see_less_or_more_stay(size: Any, kernel: Any, options: Any) -> None:
    made = Network()
    graph = prepared(made.pack(convolution(made, size, kernel, **options)))
    assert dense_of_convolution(graph) is graph
