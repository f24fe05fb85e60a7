"""One-dimensional networks: time along the height instead of the width."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.compiler import compile_model
from firmware_export.graph import Graph
from firmware_export.ops.window import EXPLICIT_PADDING
from firmware_export.passes.columns_to_rows import columns_to_rows
from firmware_export.passes.fold_pad import fold_pad
from tests.firmware_export.passes.support import (
    assert_changes_no_bit,
    assert_compiled_is_tflite_micro,
    ops,
    prepared,
)
from tests.networks import Network

Q = (0.1, 3)
TIME, CHANNELS = 12, 4


class Column(Network):
    """A network on ``[1, TIME, CHANNELS]``, seen as ``[1, 1, TIME, CHANNELS]``."""

    def __init__(self, four_dimensions: bool = False) -> None:
        super().__init__()
        self.random = np.random.default_rng(5)
        shape = (1, 1, TIME, CHANNELS)
        if four_dimensions:
            self.image = self.input(shape, *Q)
        else:
            self.flat = self.input((1, TIME, CHANNELS), *Q)
            self.image = self.op("EXPAND_DIMS", [self.flat, self.whole(1)], shape, *Q)

    def whole(self, values: Any) -> int:
        return self.constant(np.array(values, np.int32))

    def convolution(self, source: int, time: int = TIME, filters: int = CHANNELS, taps: int = 3, **options: Any) -> int:
        """CONV_2D along the width; SAME unless the options say otherwise."""
        scales = self.random.uniform(0.005, 0.02, filters).astype(np.float32)
        weights = self.constant(self.random.integers(-127, 128, (filters, 1, taps, CHANNELS), np.int8), scales)
        bias = self.constant(self.random.integers(-99, 99, filters).astype(np.int32), scales * np.float32(Q[0]))
        options = {"stride_h": 1, "stride_w": 1, **options}
        extent = (taps - 1) * options.get("dilation_w_factor", 1) + 1
        stride = options["stride_w"]
        out = (time - extent) // stride + 1 if options.get("padding") == "VALID" else -(-time // stride)
        return self.op("CONV_2D", [source, weights, bias], (1, 1, out, filters), *Q, **options)

    def same(self, op: str, *operands: int, **options: Any) -> int:
        """An operator whose output is like the image."""
        return self.op(op, operands, (1, 1, TIME, CHANNELS), *Q, **options)

    def back(self, source: int, time: int = TIME, channels: int = CHANNELS) -> int:
        """``[1, time, channels]`` again."""
        return self.op("RESHAPE", [source, self.whole([1, time, channels])], (1, time, channels), *Q)


def turned(data: bytes) -> Graph:
    """The graph after the pass, which must turn all of it."""
    graph = assert_changes_no_bit(columns_to_rows, fold_pad(prepared(data)))
    visible = {*graph.inputs, *graph.outputs}
    for node in graph.nodes:
        for tensor in graph.present((*node.inputs, *node.outputs)):
            if tensor.index not in visible and not tensor.is_constant and len(tensor.shape) == 4:
                assert tensor.shape[2] == 1, graph.node_label(node)
    return graph


def test_a_convolution_gets_its_kernel_stride_dilation_and_padding_turned(tmp_path: Path) -> None:
    made = Column()
    outputs = [
        made.back(made.convolution(made.image)),
        made.back(made.convolution(made.image, stride_w=2, filters=5), TIME // 2, 5),
        made.back(made.convolution(made.image, dilation_w_factor=3)),
        made.back(made.convolution(made.image, padding="VALID", taps=5, stride_w=3), 3),
        made.back(made.convolution(made.image, taps=2, stride_h=2)),
    ]
    graph = turned(made.pack(*outputs))
    second = [node for node in graph.nodes if node.op == "CONV_2D"][1]
    assert graph.tensors[second.inputs[1]].shape == (5, 3, 1, CHANNELS)
    assert (second.options["stride_h"], second.options["stride_w"]) == (2, 1)
    assert_compiled_is_tflite_micro(made.pack(*outputs), tmp_path)


def test_the_rows_of_a_causal_convolution_are_points_in_time(tmp_path: Path) -> None:
    made = Column()
    pairs = made.whole([[0, 0], [4, 0], [0, 0]])
    grown = made.op("PAD", [made.flat, pairs], (1, TIME + 4, CHANNELS), *Q)
    image = made.op("EXPAND_DIMS", [grown, made.whole(1)], (1, 1, TIME + 4, CHANNELS), *Q)
    data = made.pack(made.back(made.convolution(image, TIME + 4, padding="VALID", dilation_w_factor=2)))
    graph = turned(data)
    assert graph.nodes[-2].options[EXPLICIT_PADDING] == (4, 0, 0, 0)
    (layer,) = compile_model(data, "net", "net").plan.program.layers
    assert (layer.steps, layer.row_bytes, layer.reads[0].start[:2]) == (TIME, CHANNELS, (-4, -3))
    assert_compiled_is_tflite_micro(data, tmp_path)


def test_depthwise_and_pools(tmp_path: Path) -> None:
    made = Column()
    scales = made.random.uniform(0.005, 0.02, 2 * CHANNELS).astype(np.float32)
    weights = made.constant(made.random.integers(-127, 128, (1, 1, 3, 2 * CHANNELS), np.int8), scales, axis=3)
    bias = made.constant(made.random.integers(-99, 99, 2 * CHANNELS).astype(np.int32), scales * np.float32(Q[0]))
    options = {"depth_multiplier": 2, "stride_h": 2, "stride_w": 2}
    wide = made.op("DEPTHWISE_CONV_2D", [made.image, weights, bias], (1, 1, 6, 8), *Q, **options)
    pool = {"stride_h": 1, "stride_w": 2, "filter_height": 1, "filter_width": 3, "padding": "SAME"}
    pooled = [made.op(op, [wide], (1, 1, 3, 8), *Q, **pool) for op in ("MAX_POOL_2D", "AVERAGE_POOL_2D")]
    data = made.pack(made.back(wide, 6, 8), *[made.back(value, 3, 8) for value in pooled])
    turned(data)
    assert_compiled_is_tflite_micro(data, tmp_path)


def test_whatever_works_point_by_point(tmp_path: Path) -> None:
    made = Column()
    x = made.convolution(made.image)
    constants = [made.constant(made.random.integers(-128, 128, shape).astype(np.int8), *Q) for shape in CONSTANTS]
    for op, constant in zip(("ADD", "MUL", "SUB", "MAXIMUM", "MINIMUM", "ADD"), constants, strict=True):
        x = made.same(op, x, constant)
    pixel = made.op("MEAN", [x, made.whole([1, 2])], (1, 1, 1, CHANNELS), *Q, keep_dims=True)
    short = made.op("RESHAPE", [pixel, made.whole([1, CHANNELS])], (1, CHANNELS), *Q)
    x = made.same("MUL", made.same("ADD", x, pixel), short)
    x = made.same("RELU6", made.same("QUANTIZE", made.same("RELU", x)))
    alpha = made.constant(made.random.integers(-128, 128, (1, 1, CHANNELS)).astype(np.int8), 0.01)
    x = made.same("PRELU", x, alpha)
    x = made.op("SOFTMAX", [x], (1, 1, TIME, CHANNELS), 1 / 256, -128, beta=1.0)
    data = made.pack(made.op("RESHAPE", [x, made.whole([1, TIME, CHANNELS])], (1, TIME, CHANNELS), 1 / 256, -128))
    turned(data)
    assert_compiled_is_tflite_micro(data, tmp_path)


CONSTANTS: list[tuple[int, ...]] = [
    (), (CHANNELS,), (1, 1, TIME, CHANNELS), (TIME, 1), (1, TIME, CHANNELS), (1, CHANNELS)
]    # fmt: skip


def test_reductions(tmp_path: Path) -> None:
    made = Column()
    x = made.convolution(made.image)
    outputs = [
        made.op("MEAN", [x, made.whole([1, 2])], (1, CHANNELS), *Q),
        made.op("SUM", [x, made.whole([2])], (1, 1, CHANNELS), *Q),
        made.op("REDUCE_MAX", [x, made.whole([-3])], (1, TIME, CHANNELS), *Q),
        made.op("REDUCE_MIN", [x, made.whole([2, 3])], (1, 1, 1, 1), *Q, keep_dims=True),
        made.back(made.op("MEAN", [x, made.whole([3])], (1, 1, TIME, 1), *Q, keep_dims=True), TIME, 1),
    ]
    data = made.pack(*outputs)
    graph = turned(data)
    axes = [graph.tensors[node.inputs[1]].data for node in graph.nodes if node.op == "REDUCE_MAX"]
    assert axes == [np.array([2], np.int32).tobytes()]
    assert_compiled_is_tflite_micro(data, tmp_path)


def test_concatenations_pads_slices_and_resizes(tmp_path: Path) -> None:
    made = Column()
    x = made.convolution(made.image)
    wide = made.op("CONCATENATION", [x, made.image], (1, 1, TIME, 2 * CHANNELS), *Q, axis=3)
    table = made.constant(made.random.integers(-128, 128, (1, 1, 2, CHANNELS)).astype(np.int8), *Q)
    long = made.op("CONCATENATION", [x, table, made.image], (1, 1, 2 * TIME + 2, CHANNELS), *Q, axis=-2)
    pairs = made.whole([[0, 0], [0, 0], [2, 1], [0, 1]])
    grown = made.op("PAD", [x, pairs], (1, 1, TIME + 3, CHANNELS + 1), *Q)
    cut = made.op("SLICE", [x, made.whole([0, 0, 2, 1]), made.whole([1, 1, 5, 2])], (1, 1, 5, 2), *Q)
    ends = [made.whole(values) for values in ([0, 0, 1, 0], [1, 1, 9, 2], [1, 1, 2, 1])]
    strided = made.op("STRIDED_SLICE", [x, *ends], (1, 1, 6, 2), *Q, begin_mask=0b0011, end_mask=0b0110)
    doubled = made.op("RESIZE_NEAREST_NEIGHBOR", [x, made.whole([1, 2 * TIME])], (1, 1, 2 * TIME, CHANNELS), *Q)
    smooth = made.op("RESIZE_BILINEAR", [x, made.whole([1, 7])], (1, 1, 7, CHANNELS), *Q, half_pixel_centers=True)
    outputs = [
        made.back(wide, TIME, 2 * CHANNELS),
        made.back(long, 2 * TIME + 2),
        made.back(grown, TIME + 3, CHANNELS + 1),
        made.back(cut, 5, 2),
        made.back(strided, 6, 2),
        made.back(doubled, 2 * TIME),
        made.back(smooth, 7),
    ]
    data = made.pack(*outputs)
    turned(data)
    assert_compiled_is_tflite_micro(data, tmp_path)


def test_transposed_convolutions_and_dense_layers(tmp_path: Path) -> None:
    made = Column()
    weights = made.constant(made.random.integers(-127, 128, (CHANNELS, 1, 3, CHANNELS), np.int8), 0.01)
    size = made.whole([1, 1, 2 * TIME, CHANNELS])
    options = {"stride_h": 1, "stride_w": 2, "padding": "SAME"}
    up = made.op("TRANSPOSE_CONV", [size, weights, made.image], (1, 1, 2 * TIME, CHANNELS), *Q, **options)
    matrix = made.constant(made.random.integers(-127, 128, (5, CHANNELS), np.int8), 0.01)
    points = made.op("FULLY_CONNECTED", [up, matrix], (1, 1, 2 * TIME, 5), *Q, keep_num_dims=True)
    every = made.constant(made.random.integers(-127, 128, (3, 2 * TIME * 5), np.int8), 0.001)
    data = made.pack(made.back(up, 2 * TIME), made.op("FULLY_CONNECTED", [points, every], (1, 3), *Q))
    turned(data)
    assert_compiled_is_tflite_micro(data, tmp_path)


def test_inputs_and_outputs_of_the_graph_keep_their_shape(tmp_path: Path) -> None:
    made = Column(four_dimensions=True)
    first = made.convolution(made.image)
    second = made.same("ADD", made.convolution(first), made.image)
    data = made.pack(first, second)
    graph = turned(data)
    assert ops(graph).count("RESHAPE") == 3
    assert_compiled_is_tflite_micro(data, tmp_path)


def test_only_what_hangs_together_with_a_window_is_turned() -> None:
    made = Column()
    data = made.pack(made.back(made.same("RELU", made.convolution(made.image, taps=1))))
    graph = prepared(data)
    assert columns_to_rows(graph) is graph
    made = Column()
    other = made.op("EXPAND_DIMS", [made.flat, made.whole(1)], (1, 1, TIME, CHANNELS), *Q)
    data = made.pack(made.back(made.convolution(made.image)), made.back(made.same("RELU", other)))
    changed = assert_changes_no_bit(columns_to_rows, prepared(data))
    assert changed.tensors[other].shape == (1, 1, TIME, CHANNELS)
    assert changed.tensors[made.image].shape == (1, TIME, 1, CHANNELS)


@pytest.mark.parametrize("how", ["transpose", "operand", "pack", "higher"])
def test_a_node_that_cannot_be_turned_keeps_all_that_hangs_on_it(how: str, tmp_path: Path) -> None:
    made = Column()
    x = made.convolution(made.image)
    if how == "transpose":
        y = made.op("TRANSPOSE", [x, made.whole([0, 1, 3, 2])], (1, 1, CHANNELS, TIME), *Q)
    elif how == "operand":
        y = made.same("ADD", x, made.flat)    # [1, T, C] is broadcast against [1, 1, T, C]: time stands in the width
    elif how == "pack":
        y = made.op("PACK", [x, x], (2, 1, 1, TIME, CHANNELS), *Q, values_count=2)
    else:
        y = made.op("CONCATENATION", [x, x], (1, 2, TIME, CHANNELS), *Q, axis=1)
    data = made.pack(y)
    graph = prepared(data)
    assert columns_to_rows(graph) is graph
    assert_compiled_is_tflite_micro(data, tmp_path)


def test_images_with_a_height_stay() -> None:
    made = Network()
    image = made.input((1, 4, 5, 3), *Q)
    weights = made.constant(np.ones((2, 3, 3, 3), np.int8), 0.01)
    graph = prepared(made.pack(made.op("CONV_2D", [image, weights], (1, 4, 5, 2), *Q, stride_h=1, stride_w=1)))
    assert columns_to_rows(graph) is graph
