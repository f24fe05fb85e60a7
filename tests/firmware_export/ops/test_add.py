"""ADD against TFLite Micro: the reference, the compiled C, broadcasting, rows in a ring, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firmware_export.compiler import compile_model
from tests.firmware_export.c_build import build
from tests.firmware_export.ops.pointwise import (
    Case,
    Side,
    accepted,
    as_int16,
    assert_compiled_is_tflite_micro,
    assert_reference_is_tflite_micro,
    broadcasts,
    layer_of,
    random_binary,
    refusal,
)
from tests.networks import Network, tflite_micro

SHAPE = (1, 4, 3, 5)
PLAIN = Case("ADD", (Side(SHAPE, 0.1, 3), Side(SHAPE, 0.05, -7)), Side(SHAPE, 0.12, 1))


@pytest.mark.parametrize("seed", range(4))
def test_reference_is_tflite_micro(seed: int) -> None:
    random = np.random.default_rng(seed)
    cases = accepted([random_binary(random, "ADD", fused=True) for _ in range(160)])
    assert len(cases) > 120
    assert_reference_is_tflite_micro(cases, random)


def test_reference_is_tflite_micro_at_the_ends_of_the_scales() -> None:
    random = np.random.default_rng(9)
    least = 0.1 * 2 / (1 << 20) * 1.0001
    scales = [(0.1, 0.1, least), (0.1, 1e-9, 0.1), (1e-45, 1e-45, 1e-45), (3e38, 1e-30, 3e38), (0.25, 0.5, 1e30)]
    cases = [replace(PLAIN, operands=(Side(SHAPE, a), Side(SHAPE, b)), output=Side(SHAPE, c)) for a, b, c in scales]
    assert accepted(cases) == cases
    assert_reference_is_tflite_micro(cases, random)


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    cases = accepted([random_binary(random, "ADD", fused=True) for _ in range(24)])
    assert_compiled_is_tflite_micro(cases, tmp_path, random)


def test_every_broadcast_compiled_is_tflite_micro(tmp_path: Path) -> None:
    cases = broadcasts("ADD", (0.1, 0.07, 0.13), (-128, 5, 3))
    assert_compiled_is_tflite_micro(cases, tmp_path, np.random.default_rng(12))


def test_the_operand_with_the_larger_scale_takes_no_rounding() -> None:
    repeated = PLAIN.with_operand(1, shape=(5,))
    fields = layer_of(repeated).fields
    assert (fields["wide_offset"], fields["wide_factor"], fields["narrow_sign"]) == (-3, 1 << 19, 1)
    other = replace(repeated, operands=repeated.operands[::-1])
    assert [read.value for read in layer_of(other).reads] == [1, 0]


def test_operands_of_one_shape_are_two_products(tmp_path: Path) -> None:
    """Most of them; the last has ties for every odd sum."""
    random = np.random.default_rng(15)
    cases = []
    for _ in range(24):
        scales, points = random.uniform(0.02, 0.1, 2), random.integers(-128, 128, 3)
        operands = [Side(SHAPE, float(scale), int(point)) for scale, point in zip(scales, points, strict=False)]
        output = Side(SHAPE, float(scales.sum() * random.uniform(0.5, 1.1)), int(points[2]))
        activation = str(random.choice(["NONE", "RELU", "RELU6"]))
        cases.append(Case("ADD", tuple(operands), output, {"fused_activation_function": activation}))
    cases.append(replace(PLAIN, operands=(Side(SHAPE, 0.1, 0), Side(SHAPE, 0.1, 0)), output=Side(SHAPE, 0.2, 0)))
    assert [layer_of(case).kernel for case in cases].count("add_scaled") > 20
    assert_compiled_is_tflite_micro(cases, tmp_path, random)


def test_operands_of_very_different_scales_are_no_two_products() -> None:
    assert layer_of(PLAIN.with_output(scale=1e-4)).kernel == "add"


def test_operands_as_large_as_the_output_may_be_overwritten() -> None:
    assert layer_of(PLAIN).in_place == (0, 1)
    assert layer_of(PLAIN.with_operand(1, shape=(5,))).in_place == (0,)
    assert layer_of(PLAIN.with_operand(0, shape=(1, 1, 3, 5))).in_place == (1,)
    assert layer_of(PLAIN.with_operand(1, constant=np.arange(60, dtype=np.int8).reshape(SHAPE))).in_place == (0,)


def test_a_repeated_operand_is_read_in_small_rows() -> None:
    reads = layer_of(PLAIN.with_operand(1, shape=(1, 4, 1, 1))).reads
    assert [(read.row_bytes, read.start) for read in reads] == [(15, (0, 1, 2, 3)), (1, (0, 1, 2, 3))]
    reads = layer_of(PLAIN.with_operand(1, shape=(3, 5))).reads
    assert [(read.row_bytes, read.start) for read in reads] == [(15, (0, 1, 2, 3)), (15, (0, 0, 0, 0))]


def test_one_constant_for_all_becomes_a_table() -> None:
    layer = layer_of(PLAIN.with_operand(1, constant=np.full((1, 1, 1, 5), 9), shape=(1, 1, 1, 5)))
    assert (layer.op, layer.kernel, layer.in_place) == ("ADD", "lookup", (0,))
    layer = layer_of(PLAIN.with_operand(1, constant=np.arange(5), shape=(1, 1, 1, 5)))
    assert (layer.op, layer.kernel) == ("ADD", "add")


def test_rows_in_rings(tmp_path: Path) -> None:
    """A residual branch, a constant for each channel, and one value for each row, fed row by row."""
    random = np.random.default_rng(13)
    made = Network()
    image = made.input((1, 9, 5, 4), 0.1, 3)
    filters = made.constant(random.integers(-127, 128, (4, 3, 3, 4)).astype(np.int8), 0.01)
    convolved = made.op("CONV_2D", [image, filters], (1, 9, 5, 4), 0.2, -5, stride_w=1, stride_h=1, padding="SAME")
    column = made.constant(random.integers(-128, 128, (1, 9, 1, 1)).astype(np.int8), 0.03, 4)
    shifted = made.op("ADD", [column, convolved], (1, 9, 5, 4), 0.2, 2)
    summed = made.op("ADD", [shifted, image], (1, 9, 5, 4), 0.25, 1, fused_activation_function="RELU")
    channels = made.constant(random.integers(-128, 128, 4).astype(np.int8), 0.02, -9)
    data = made.pack(made.op("ADD", [summed, channels], (1, 9, 5, 4), 0.2, -20))
    pushed, whole = build(data, tmp_path / "pushed", push=True), build(data, tmp_path / "whole")
    for _ in range(3):
        sample = random.integers(-128, 128, (1, 9, 5, 4)).astype(np.int8)
        (wanted,) = tflite_micro(data, sample)
        assert np.array_equal(pushed.run(sample)[0], wanted)
        assert np.array_equal(whole.run(sample)[0], wanted)


def test_a_value_added_to_itself(tmp_path: Path) -> None:
    random = np.random.default_rng(14)
    made = Network()
    image = made.input((1, 4, 3, 2), 0.1, 3)
    doubled = made.op("ADD", [image, image], (1, 4, 3, 2), 0.2, 5)
    data = made.pack(made.op("ADD", [doubled, doubled], (1, 4, 3, 2), 0.3, -5))
    assert compile_model(data, "model", "model").plan.program.layers[1].in_place == (0, 1)
    sample = random.integers(-128, 128, (1, 4, 3, 2)).astype(np.int8)
    assert np.array_equal(build(data, tmp_path).run(sample)[0], tflite_micro(data, sample)[0])


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (PLAIN.with_operand(0, dtype=np.int32), "an operand of type int32 is not supported (supported: int8, int16)"),
        (PLAIN.with_operand(1, dtype=np.float32, scale=None), "an operand of type float32 is not supported"),
        (PLAIN.with_output(dtype=np.int16), "an output of type int16 is not supported"),
        (PLAIN.with_operand(0, scale=None), "an operand without one scale and zero point"),
        (PLAIN.with_operand(0, shape=(4, 3, 5), scale=[0.1, 0.2, 0.1, 0.2]), "an operand without one scale"),
        (PLAIN.with_operand(1, scale=0.0), "an operand with the scale 0 "),
        (PLAIN.with_operand(1, zero_point=-129), "an operand with the zero point -129"),
        (PLAIN.with_output(scale=1e-7), "an output scale of 1e-07 for operands with 0.1 and 0.05 is not supported"),
        (PLAIN.with_operand(1, shape=(4,)), "operands of [1, 4, 3, 5] and [4] is not supported"),
        (PLAIN.with_output(shape=(4, 3, 5)), "an output of [4, 3, 5] is not supported (supported: [1, 4, 3, 5] here)"),
        (PLAIN.with_output(shape=(1, 4, 3, 6)), "an output of [1, 4, 3, 6] is not supported"),
        (replace(PLAIN, operands=PLAIN.operands[:1]), "a node with 1 inputs and 1 outputs is not supported"),
        (replace(PLAIN, options={"fused_activation_function": "TANH"}), "the fused activation TANH is not supported"),
        (
            replace(
                PLAIN,
                operands=(Side((1, 1, 2, 3, 2, 3)), Side((1, 1, 1, 3, 1, 3))),
                output=Side((1, 1, 2, 3, 2, 3)),
            ),
            "operands of [1, 1, 2, 3, 2, 3] and [1, 1, 1, 3, 1, 3] is not supported (supported: broadcasting up to 5",
        ),
    ],
)
def test_refusals(case: Case, said: str) -> None:
    assert said in refusal(case)


def test_int16_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(16)
    cases = accepted([as_int16(random_binary(random, "ADD", fused=True)) for _ in range(80)])
    assert len(cases) > 60
    assert_reference_is_tflite_micro(cases, random)
    assert_compiled_is_tflite_micro(cases[:16], tmp_path, random)
