"""Networks of int16 activations as a whole: streamed, pushed, sized and refused. Operators have tests of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.compiler import compile_model
from firmware_export.tflite import read_model
from tests.firmware_export.c_build import build
from tests.firmware_export.evaluation import evaluate
from tests.firmware_export.int16_network import int16_network, samples
from tests.firmware_export.ops.common import refusal
from tests.networks import Network, tflite_micro


def test_a_network_is_tflite_micro(tmp_path: Path) -> None:
    data, given = int16_network(), samples(6)
    wanted = [tflite_micro(data, sample)[0] for sample in given]
    assert len(np.unique(wanted)) > 12
    for sample, right in zip(given, wanted, strict=True):
        assert np.array_equal(evaluate(read_model(data), sample)[0], right)
    for push in (False, True):
        (found,) = build(data, tmp_path / str(push), push=push).run_many([[sample] for sample in given])
        assert np.array_equal(found, np.stack(wanted))


def test_sizes_are_in_bytes() -> None:
    """A row of 10 pixels of 3 channels has 60 bytes; the header speaks of bytes, its pointers of int16_t."""
    compiled = compile_model(int16_network(), "net", "net")
    header = compiled.files["net.h"]
    for line in (
        "#define NET_INPUT_SIZE 720 /* bytes: int16_t 12x10x3 */",
        "#define NET_OUTPUT_SIZE 10 /* bytes: int16_t 5 */",
        "#define NET_INPUT_ROWS 12",
        "#define NET_INPUT_ROW_SIZE 60",
        "#define NET_OUTPUT_SCALE 3.05175781e-05f",
        "int net_run(void *arena, const int16_t *input, int16_t *output);",
        "int net_begin(struct net_stream *stream, void *arena, int16_t *output);",
        "int net_push_row(struct net_stream *stream, const int16_t *row);",
        "static int16_t input[NET_INPUT_SIZE / sizeof(int16_t)];",
    ):
        assert line in header
    plan = compiled.plan
    rings = [(value.row_bytes, plan.storage[value.index].kept) for value in plan.program.values if value.rows == 12
             and value.index in plan.storage]    # fmt: skip
    assert rings and all(row == 10 * 9 * 2 and kept < 12 for row, kept in rings)
    assert all(storage.offset % 4 == 0 for storage in plan.storage.values())


def test_a_pad_goes_into_the_convolution() -> None:
    assert "PAD" not in {layer.op for layer in compile_model(int16_network(), "net", "net").plan.program.layers}


def dilated(spelled_out: bool) -> bytes:
    """A dilation as an option, or as converters write it: a convolution between SPACE_TO_BATCH_ND and back."""
    made, random = Network(), np.random.default_rng(3)
    scale = 0.001
    image = made.input((1, 8, 6, 2), scale, 0, np.int16)
    weights = made.constant(random.integers(-127, 128, (3, 3, 3, 2)).astype(np.int8), np.full(3, 0.01))
    bias = made.constant(random.integers(-9999, 9999, 3).astype(np.int64), np.full(3, 0.00001))
    options = {"stride_h": 1, "stride_w": 1, "padding": "VALID"}
    if not spelled_out:
        options |= {"dilation_h_factor": 2, "dilation_w_factor": 2}
        return made.pack(made.op("CONV_2D", [image, weights, bias], (1, 4, 2, 3), 0.01, 0, np.int16, **options))
    block, none = made.constant(np.array([2, 2], np.int32)), made.constant(np.zeros((2, 2), np.int32))
    apart = made.op("SPACE_TO_BATCH_ND", [image, block, none], (4, 4, 3, 2), scale, 0, np.int16)
    sums = made.op("CONV_2D", [apart, weights, bias], (4, 2, 1, 3), 0.01, 0, np.int16, **options)
    return made.pack(made.op("BATCH_TO_SPACE_ND", [sums, block, none], (1, 4, 2, 3), 0.01, 0, np.int16))


def test_a_dilation_goes_into_the_convolution(tmp_path: Path) -> None:
    given = np.random.default_rng(4).integers(-(1 << 15), 1 << 15, (1, 8, 6, 2)).astype(np.int16)
    built = build(dilated(spelled_out=True), tmp_path)
    assert [layer.op for layer in built.compiled.plan.program.layers] == ["CONV_2D"]
    assert np.array_equal(built.run(given)[0], tflite_micro(dilated(spelled_out=False), given)[0])


def test_a_quantize_to_the_same_scale_is_nothing() -> None:
    made = Network()
    given = made.input((1, 4), 0.1, 0, np.int16)
    same = made.op("QUANTIZE", [given], (1, 4), 0.1, 0, np.int16)
    data = made.pack(made.op("RELU", [same], (1, 4), 0.1, 0, np.int16))
    assert [layer.op for layer in compile_model(data, "net", "net").plan.program.layers] == ["RELU"]


UNSUPPORTED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("HARD_SWISH", {}),
    ("LEAKY_RELU", {"alpha": 0.1}),
    ("RELU_N1_TO_1", {}),
)


@pytest.mark.parametrize(("op", "options"), UNSUPPORTED)
def test_operators_without_int16_say_so(op: str, options: dict[str, Any]) -> None:
    made = Network()
    given = made.input((1, 4), 0.1, 0, np.int16)
    data = made.pack(made.op(op, [given], (1, 4), 0.1, 0, np.int16, **options))
    assert refusal(data) == f"net: node 0 {op} 't1': an input of type int16 is not supported (supported: int8)."


def convolution(zero_point: int = 0, bias: Any = None, out: Any = np.int16, op: str = "CONV_2D") -> bytes:
    made = Network()
    shape = (2, 1, 1, 2) if op == "CONV_2D" else (1, 1, 1, 2)
    operands = [made.input((1, 3, 3, 2), 0.001, zero_point, np.int16), made.constant(np.ones(shape, np.int8), 0.01)]
    if bias is not None:
        operands.append(made.constant(bias, 0.00001))
    options = {"stride_h": 1, "stride_w": 1, **({} if op == "CONV_2D" else {"depth_multiplier": 1})}
    return made.pack(made.op(op, operands, (1, 3, 3, 2), 0.001, 0, out, **options))


def test_forms_that_are_refused() -> None:
    assert "an input of type int16 with the zero point 3 is not supported (supported: 0)" in refusal(convolution(3))
    assert "an output of type int8 is not supported (supported: int16)" in refusal(convolution(out=np.int8))
    assert "a bias of type int16 is not supported (supported: int64, int32)" in refusal(
        convolution(bias=np.zeros(2, np.int16))
    )
    assert "a bias of type int32 is not supported (supported: int64)" in refusal(
        convolution(bias=np.zeros(2, np.int32), op="DEPTHWISE_CONV_2D")
    )
    assert "sums below 2^47 whose products fit into int32" in refusal(convolution(bias=np.full(2, 1 << 50)))
    made = Network()
    given = made.input((1, 4), 0.1, 0, np.int16)
    pads = made.constant(np.array([[0, 0], [1, 1]], np.int32))
    value = made.constant(np.array([7], np.int16), 0.1)
    data = made.pack(made.op("PADV2", [given, pads, value], (1, 6), 0.1, 0, np.int16))
    assert "an int16 pad value is not supported (supported: int16 padded with zeros" in refusal(data)
