"""SPACE_TO_BATCH_ND, convolution, BATCH_TO_SPACE_ND as a dilated convolution.

TFLite Micro leaves the border of SPACE_TO_BATCH_ND as it finds its memory, so that it is the oracle only where nothing
is padded; elsewhere it is TFLite. Where the batch is not in the file, the same network with it is compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.graph import Graph
from firmware_export.ops.window import EXPLICIT_PADDING
from firmware_export.passes.fold_dilation import fold_dilation
from firmware_export.tflite import read_model
from tests.firmware_export.c_build import build
from tests.firmware_export.ops.movements import tflite
from tests.firmware_export.passes.support import assert_keeps_promises, ops, samples_of
from tests.networks import Network, tflite_micro

IN, OUT = (0.05, -11), (0.4, 7)


@dataclass(frozen=True)
class Dilated:
    """A dilated convolution as converters write it.

    Attributes:
        op: The convolution.
        size: Height and width; a single number for ``[1, time, channels]``.
        kernel: Its taps along them.
        blocks: The dilation.
        pads: Pairs of SPACE_TO_BATCH_ND.
        crops: Pairs of BATCH_TO_SPACE_ND.
        padding: The convolution's own.
        batch_known: The file has the batch in between.
        axis: Where time goes: along the height (1) or the width (2).
    """

    op: str = "CONV_2D"
    size: tuple[int, ...] = (8, 6)
    kernel: tuple[int, ...] = (3, 2)
    blocks: tuple[int, ...] = (2, 3)
    pads: tuple[tuple[int, int], ...] = ((0, 0), (0, 0))
    crops: tuple[tuple[int, int], ...] = ((0, 0), (0, 0))
    padding: str = "VALID"
    batch_known: bool = True
    axis: int = 2

    def network(self, **quants: Any) -> bytes:
        """The file. ``quants`` replace scale and zero point of ``small``, ``large`` or ``out``."""
        made = Network()
        return made.pack(self.add(made, **quants))

    def add(self, made: Network, **quants: Any) -> int:
        """Put it into a network, with an input of its own."""
        random = np.random.default_rng(3)

        def unknown(index: int) -> int:
            if not self.batch_known:
                tensor = made.graph.tensors[index]
                tensor.shape = [1, *tensor.shape[1:]]
                tensor.shapeSignature = [-1, *tensor.shape[1:]]
            return index

        batch = int(np.prod(self.blocks))
        small = [
            (front + size + back) // block
            for size, block, (front, back) in zip(self.size, self.blocks, self.pads, strict=True)
        ]
        outs = [
            size if self.padding == "SAME" else size - taps + 1 for size, taps in zip(small, self.kernel, strict=True)
        ]
        last = [
            out * block - front - back
            for out, block, (front, back) in zip(outs, self.blocks, self.crops, strict=True)
        ]
        channels, filters = 3, 6 if self.op == "DEPTHWISE_CONV_2D" else 4
        image = made.input((1, *self.size, channels), *IN)
        blocks = made.constant(np.array(self.blocks, np.int32))
        operands = [image, blocks, made.constant(np.array(self.pads, np.int32))]
        shape: tuple[int, ...] = (batch, *small, channels)
        value = unknown(made.op("SPACE_TO_BATCH_ND", operands, shape, *quants.get("small", IN)))
        kernel = self.kernel
        if len(self.size) == 1:
            kernel = (1, *kernel) if self.axis == 2 else (*kernel, 1)
            lifted = (batch, 1, *small, channels) if self.axis == 2 else (batch, *small, 1, channels)
            axis = made.constant(np.array(3 - self.axis, np.int32))
            value = unknown(made.op("EXPAND_DIMS", [value, axis], lifted, *quants.get("small", IN)))
            shape = lifted
            result = (batch, 1, *outs, filters) if self.axis == 2 else (batch, *outs, 1, filters)
        else:
            result = (batch, *outs, filters)
        weights = (1, *kernel, filters) if self.op == "DEPTHWISE_CONV_2D" else (filters, *kernel, channels)
        scales = random.uniform(0.005, 0.02, filters).astype(np.float32)
        constants = [
            made.constant(
                random.integers(-127, 128, weights, np.int8), scales, axis=3 if self.op == "DEPTHWISE_CONV_2D" else 0
            ),
            made.constant(random.integers(-500, 500, filters).astype(np.int32), scales * np.float32(IN[0])),
        ]
        options = {"padding": self.padding, "stride_h": 1, "stride_w": 1, "fused_activation_function": "RELU"}
        if self.op == "DEPTHWISE_CONV_2D":
            options["depth_multiplier"] = 2
        value = unknown(made.op(self.op, [value, *constants], result, *quants.get("large", OUT), **options))
        if len(self.size) == 1:
            flat = made.constant(np.array([-1, *outs, filters], np.int32))
            value = unknown(made.op("RESHAPE", [value, flat], (batch, *outs, filters), *OUT))
        operands = [value, blocks, made.constant(np.array(self.crops, np.int32))]
        return made.op("BATCH_TO_SPACE_ND", operands, (1, *last, filters), *quants.get("out", OUT))

    def oracle(self, values: Any) -> Any:
        """What the network means."""
        known = replace(self, batch_known=True).network()
        padded = any(any(pair) for pair in self.pads)
        return (tflite(known, values) if padded else tflite_micro(known, values))[0]


PLAIN = Dilated()
CASES = {
    "valid": PLAIN,
    "valid odd": Dilated(size=(7, 9), pads=((0, 1), (0, 0)), crops=((0, 1), (0, 0))),
    "same": Dilated(pads=((2, 2), (1, 2)), blocks=(2, 3), crops=((0, 0), (0, 0))),
    "same odd": Dilated(size=(7, 5), pads=((2, 3), (1, 3)), crops=((0, 1), (0, 0))),
    "cropped in front": Dilated(pads=((4, 0), (3, 3)), crops=((1, 0), (2, 1))),
    "own padding": Dilated(size=(8, 9), padding="SAME", crops=((1, 0), (0, 2))),
    "depthwise": Dilated("DEPTHWISE_CONV_2D", pads=((2, 2), (0, 0))),
    "depthwise valid": Dilated("DEPTHWISE_CONV_2D", size=(10, 12), blocks=(2, 2), kernel=(3, 3)),
    "time along the width": Dilated(size=(12,), kernel=(3,), blocks=(3,), pads=((6, 0),), crops=((0, 0),)),
    "time along the height": Dilated(size=(12,), kernel=(3,), blocks=(3,), pads=((0, 0),), crops=((0, 0),), axis=1),
    "depthwise time": Dilated("DEPTHWISE_CONV_2D", (12,), (2,), (4,), ((4, 0),), ((0, 0),)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("batch_known", [True, False])
def test_three_nodes_are_one(name: str, batch_known: bool) -> None:
    case = replace(CASES[name], batch_known=batch_known)
    changed = assert_keeps_promises(fold_dilation, read_model(case.network()))
    units = ["RESHAPE"] if len(case.size) == 1 else []
    assert ops(changed) == [*units, case.op, *units]
    node = changed.nodes[len(units)]
    dilation = (node.options["dilation_h_factor"], node.options["dilation_w_factor"])
    assert dilation == (case.blocks if len(case.size) == 2 else (1, *case.blocks)[:: 1 if case.axis == 2 else -1])
    padding = node.options[EXPLICIT_PADDING]
    assert isinstance(padding, tuple) and min(padding) >= 0


@pytest.mark.parametrize("batch_known", [True, False])
def test_compiled_is_what_is_meant(batch_known: bool, tmp_path: Path) -> None:
    cases = [replace(case, batch_known=batch_known) for case in CASES.values()]
    made = Network()
    built = build(made.pack(*[case.add(made) for case in cases]), tmp_path)
    for inputs in samples_of(built.compiled.graph, 7, 3):
        for case, values, result in zip(cases, inputs, built.run(*inputs), strict=True):
            assert np.array_equal(result.reshape(-1), case.oracle(values).reshape(-1)), case


def unfolded(graph: Graph) -> bool:
    return fold_dilation(graph) is graph


def test_more_cropped_than_padded_stays() -> None:
    assert unfolded(read_model(Dilated(crops=((1, 0), (0, 0))).network()))
    assert unfolded(read_model(Dilated(crops=((0, 0), (0, 2))).network()))


@pytest.mark.parametrize("where", ["small", "large", "out"])
def test_another_quantization_in_between_stays(where: str) -> None:
    quant = (0.06, -11) if where == "small" else (0.4, 8)
    assert unfolded(read_model(PLAIN.network(**{where: quant})))


def changed(field: str, value: Any, node: int = 1) -> Graph:
    """The plain network, an option of a node changed."""
    graph = read_model(PLAIN.network())
    nodes = list(graph.nodes)
    nodes[node] = replace(nodes[node], options={**nodes[node].options, field: value})
    return replace(graph, nodes=tuple(nodes))


@pytest.mark.parametrize("field", ["stride_h", "stride_w", "dilation_h_factor", "dilation_w_factor"])
@pytest.mark.parametrize("value", [0, 2, -1, 1 << 30])
def test_strides_and_dilations_stay(field: str, value: int) -> None:
    assert unfolded(changed(field, value))


def test_what_somebody_else_reads_stays() -> None:
    graph = read_model(PLAIN.network())
    for index in (graph.nodes[0].outputs[0], graph.nodes[1].outputs[0]):
        assert unfolded(replace(graph, outputs=(*graph.outputs, index)))


def test_damage_is_left_alone() -> None:
    """Whatever is changed in a tensor or a node, the pass neither fails nor folds what does not fit."""
    graph = read_model(PLAIN.network())
    shapes: list[tuple[int, ...]] = [(), (0,), (6, 4, 2, 3), (6, 0, 2, 3), (2, 2), (4, 3, 2, 3, 1), (5, 4, 2, 3)]
    for tensor in graph.tensors:
        for shape in shapes:
            if tensor.is_constant or shape == tensor.shape:
                continue
            tensors = tuple(replace(t, shape=shape) if t is tensor else t for t in graph.tensors)
            assert unfolded(replace(graph, tensors=tensors)) or tensor.index == graph.inputs[0]
    for position, node in enumerate(graph.nodes):
        for inputs in [(), (-1, -1, -1), node.inputs[:1], (*node.inputs[:1], -1, *node.inputs[2:]), (2, 1, 0)]:
            nodes = (*graph.nodes[:position], replace(node, inputs=inputs), *graph.nodes[position + 1 :])
            assert unfolded(replace(graph, nodes=nodes))
        for outputs in [(), (-1,), (*node.outputs, 0)]:
            nodes = (*graph.nodes[:position], replace(node, outputs=outputs), *graph.nodes[position + 1 :])
            assert unfolded(replace(graph, nodes=nodes))


@pytest.mark.parametrize(
    ("operand", "values"),
    [(1, (0, 3)), (1, (-2, 3)), (1, (3, 3)), (1, (1 << 30, 1 << 30)), (2, (0, 1, 0, 0)), (2, (-1, 1, 0, 0))],
)
def test_impossible_blocks_and_borders_are_left_alone(operand: int, values: tuple[int, ...]) -> None:
    graph = read_model(PLAIN.network())
    index = graph.nodes[0].inputs[operand]
    data = np.array(values, np.int32).tobytes()
    tensors = tuple(replace(t, data=data) if t.index == index else t for t in graph.tensors)
    assert unfolded(replace(graph, tensors=tensors))
