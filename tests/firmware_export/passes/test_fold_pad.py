"""PAD in front of a convolution."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.ops.window import EXPLICIT_PADDING
from firmware_export.passes.fold_pad import fold_pad
from firmware_export.tflite import read_model
from tests.firmware_export.passes.support import (
    assert_changes_no_bit,
    assert_compiled_is_tflite_micro,
    ops,
    prepared,
)
from tests.networks import Network

IN = (0.05, -11)
Pairs = tuple[tuple[int, int], ...]


def pad(made: Network, source: int, shape: tuple[int, ...], pairs: Pairs, op: str = "PAD", value: int = -11) -> int:
    operands = [source, made.constant(np.array(pairs, np.int32))]
    if op == "PADV2":
        operands.append(made.constant(np.array([value], np.int8), *IN))
    grown = [size + front + back for size, (front, back) in zip(shape, pairs, strict=True)]
    return made.op(op, operands, grown, *IN)


@dataclass(frozen=True)
class Convolution:
    """A convolution of 3 channels behind a pad."""

    op: str = "CONV_2D"
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: str = "VALID"

    def add(self, made: Network, source: int, image: tuple[int, int], seed: int = 0) -> int:
        """Put it into a network, on an image of this height and width."""
        random = np.random.default_rng(seed)
        out = []
        for size, taps, stride, dilation in zip(image, self.kernel, self.stride, self.dilation, strict=True):
            extent = (taps - 1) * dilation + 1
            out.append(-(-size // stride) if self.padding == "SAME" else (size - extent) // stride + 1)
        depthwise = self.op == "DEPTHWISE_CONV_2D"
        scales = random.uniform(0.005, 0.02, 6).astype(np.float32)
        shape = (1, *self.kernel, 6) if depthwise else (6, *self.kernel, 3)
        weights = made.constant(random.integers(-127, 128, shape, np.int8), scales, axis=3 if depthwise else 0)
        bias = made.constant(random.integers(-500, 500, 6).astype(np.int32), scales * np.float32(IN[0]))
        options: dict[str, Any] = {"depth_multiplier": 2} if depthwise else {}
        options |= {"stride_h": self.stride[0], "stride_w": self.stride[1], "padding": self.padding}
        options |= {"dilation_h_factor": self.dilation[0], "dilation_w_factor": self.dilation[1]}
        return made.op(self.op, [source, weights, bias], (1, *out, 6), 0.4, 7, **options)


def padded(
    made: Network, convolution: Convolution, pairs: Pairs, size: tuple[int, int] = (7, 6), op: str = "PAD"
) -> int:
    grown = pad(made, made.input((1, *size, 3), *IN), (1, *size, 3), ((0, 0), *pairs, (0, 0)), op)
    height, width = (length + front + back for length, (front, back) in zip(size, pairs, strict=True))
    return convolution.add(made, grown, (height, width))


DEPTHWISE = "DEPTHWISE_CONV_2D"
CASES = {
    "plain": (Convolution(), ((1, 1), (1, 1)), (1, 1, 1, 1)),
    "keras stride 2": (Convolution(stride=(2, 2)), ((0, 1), (0, 1)), (0, 1, 0, 1)),
    "uneven": (Convolution(stride=(2, 3)), ((3, 0), (1, 2)), (3, 0, 1, 2)),
    "same": (Convolution(stride=(2, 2), padding="SAME"), ((1, 0), (2, 1)), (1, 1, 3, 2)),
    "same without need": (Convolution(kernel=(1, 1), stride=(2, 2), padding="SAME"), ((1, 0), (2, 1)), (1, 0, 2, 1)),
    "dilated": (Convolution(dilation=(2, 3)), ((2, 2), (3, 3)), (2, 2, 3, 3)),
    "wider than the window": (Convolution(), ((5, 4), (4, 6)), (5, 4, 4, 6)),
    "1x1": (Convolution(kernel=(1, 1)), ((1, 2), (2, 0)), (1, 2, 2, 0)),
    "depthwise": (Convolution(DEPTHWISE), ((1, 1), (1, 1)), (1, 1, 1, 1)),
    "depthwise stride 2": (Convolution(DEPTHWISE, stride=(2, 2)), ((0, 1), (1, 1)), (0, 1, 1, 1)),
    "depthwise same": (Convolution(DEPTHWISE, stride=(2, 2), padding="SAME"), ((1, 0), (2, 1)), (1, 1, 3, 2)),
    "depthwise wider than the window": (Convolution(DEPTHWISE, (2, 3)), ((5, 4), (4, 6)), (5, 4, 4, 6)),
}


@pytest.mark.parametrize("name", CASES)
def test_padding_moves_into_the_convolution(name: str) -> None:
    convolution, pairs, expected = CASES[name]
    made = Network()
    changed = assert_changes_no_bit(fold_pad, prepared(made.pack(padded(made, convolution, pairs))))
    assert ops(changed) == [convolution.op]
    assert changed.nodes[0].options[EXPLICIT_PADDING] == expected


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    made = Network()
    outputs = [padded(made, convolution, pairs) for convolution, pairs, _ in CASES.values()]
    assert_compiled_is_tflite_micro(made.pack(*outputs), tmp_path)


def test_random_padding(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    made = Network()
    outputs = []
    for number in range(24):
        size = (int(random.integers(3, 8)), int(random.integers(3, 8)))
        pairs: Pairs = tuple((int(random.integers(4)), int(random.integers(4))) for _ in range(2))
        convolution = Convolution(
            DEPTHWISE if number % 2 else "CONV_2D",
            (int(random.integers(1, 4)), int(random.integers(1, 4))),
            (int(random.integers(1, 4)), int(random.integers(1, 4))),
            (1, 1),
            str(random.choice(["SAME", "VALID"])),
        )
        outputs.append(padded(made, convolution, pairs, size))
    data = made.pack(*outputs)
    assert "PAD" not in ops(assert_changes_no_bit(fold_pad, prepared(data)))
    assert_compiled_is_tflite_micro(data, tmp_path)


def test_pad_with_the_zero_point_as_number(tmp_path: Path) -> None:
    made = Network()
    data = made.pack(padded(made, Convolution(), ((1, 1), (2, 1)), op="PADV2"))
    assert ops(assert_changes_no_bit(fold_pad, prepared(data))) == ["CONV_2D"]
    assert_compiled_is_tflite_micro(data, tmp_path)


def test_several_convolutions_and_pads_behind_pads(tmp_path: Path) -> None:
    made = Network()
    once = pad(made, made.input((1, 7, 6, 3), *IN), (1, 7, 6, 3), ((0, 0), (1, 0), (0, 2), (0, 0)))
    twice = pad(made, once, (1, 8, 8, 3), ((0, 0), (0, 1), (1, 0), (0, 0)))
    convolutions = [Convolution(), Convolution(stride=(2, 2), padding="SAME")]
    data = made.pack(*[convolution.add(made, twice, (9, 9)) for convolution in convolutions])
    changed = assert_changes_no_bit(fold_pad, prepared(data))
    assert ops(changed) == ["CONV_2D", "CONV_2D"]
    assert [node.options[EXPLICIT_PADDING] for node in changed.nodes] == [(1, 1, 1, 2), (2, 2, 2, 3)]
    assert_compiled_is_tflite_micro(data, tmp_path)


@pytest.mark.parametrize("unit", ["EXPAND_DIMS", "RESHAPE"])
@pytest.mark.parametrize("axis", [1, 2])
def test_a_causal_convolution_over_time(unit: str, axis: int, tmp_path: Path) -> None:
    made = Network()
    grown = pad(made, made.input((1, 9, 3), *IN), (1, 9, 3), ((0, 0), (4, 0), (0, 0)))
    lifted, kernel, dilation = ((1, 1, 13, 3), (1, 3), (1, 2)) if axis == 2 else ((1, 13, 1, 3), (3, 1), (2, 1))
    operand = np.array(3 - axis if unit == "EXPAND_DIMS" else lifted, np.int32)
    image = made.op(unit, [grown, made.constant(operand)], lifted, *IN)
    data = made.pack(Convolution(kernel=kernel, dilation=dilation).add(made, image, lifted[1:3]))
    changed = assert_changes_no_bit(fold_pad, prepared(data))
    assert ops(changed) == ["RESHAPE", "CONV_2D"]
    assert changed.nodes[1].options[EXPLICIT_PADDING] == ((0, 0, 4, 0) if axis == 2 else (4, 0, 0, 0))
    assert_compiled_is_tflite_micro(data, tmp_path)


def assert_stays(data: bytes) -> None:
    graph = prepared(data)
    assert fold_pad(graph) is graph


def test_padded_channels_stay() -> None:
    made = Network()
    grown = pad(made, made.input((1, 7, 6, 2), *IN), (1, 7, 6, 2), ((0, 0), (1, 1), (1, 1), (0, 1)))
    assert_stays(made.pack(Convolution().add(made, grown, (9, 8))))


def test_another_number_stays() -> None:
    made = Network()
    grown = pad(made, made.input((1, 7, 6, 3), *IN), (1, 7, 6, 3), ((0, 0), (1, 1), (1, 1), (0, 0)), "PADV2", -10)
    assert_stays(made.pack(Convolution().add(made, grown, (9, 8))))


def test_a_pad_that_something_else_reads_stays() -> None:
    made = Network()
    grown = pad(made, made.input((1, 7, 6, 3), *IN), (1, 7, 6, 3), ((0, 0), (1, 1), (1, 1), (0, 0)))
    result = Convolution().add(made, grown, (9, 8))
    assert_stays(made.pack(result, made.op("RELU", [grown], (1, 9, 8, 3), *IN)))
    assert_stays(made.pack(result, grown))


def test_a_pad_that_changes_the_quantization_stays() -> None:
    made = Network()
    image = made.input((1, 7, 6, 3), 0.04, -11)
    grown = pad(made, image, (1, 7, 6, 3), ((0, 0), (1, 1), (1, 1), (0, 0)))
    graph = read_model(made.pack(Convolution().add(made, grown, (9, 8))))
    assert fold_pad(graph) is graph


def test_reshapes_that_mix_what_is_padded_stay() -> None:
    made = Network()
    grown = pad(made, made.input((1, 7, 6), *IN), (1, 7, 6), ((0, 0), (1, 1), (0, 0)))
    image = made.op("RESHAPE", [grown, made.constant(np.array([1, 3, 6, 3], np.int32))], (1, 3, 6, 3), *IN)
    assert_stays(made.pack(Convolution().add(made, image, (3, 6))))
