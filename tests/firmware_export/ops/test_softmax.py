"""SOFTMAX against TFLite Micro: the reference, the compiled C, its quotient for every sum, and what is refused."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.emit.kernels import FOLDER
from firmware_export.layer import Array
from firmware_export.ops.transcendental import exp_of_negative, inverse_of_one_plus
from firmware_export.tflite import read_model
from tests.firmware_export.c_build import SANITIZED, STRICT, build
from tests.firmware_export.evaluation import evaluate
from tests.firmware_export.ops.pointwise import (
    Case,
    Shape,
    Side,
    accepted,
    assert_compiled_is_tflite_micro,
    assert_reference_is_tflite_micro,
    layer_of,
    network,
    refusal,
)
from tests.networks import tflite_micro

PLAIN = Case("SOFTMAX", (Side((1, 10), 0.1, 3),), Side((1, 10), 1 / 256, -128), {"beta": 1.0})


def softmax(shape: Shape, scale: float = 0.1, beta: float = 1.0) -> Case:
    return replace(PLAIN.with_operand(shape=shape, scale=scale).with_output(shape=shape), options={"beta": beta})


def random_case(random: np.random.Generator) -> Case:
    outer = tuple(int(size) for size in random.integers(1, 4, random.integers(0, 4)))
    wild = random.random() < 0.3
    scale = float(10.0 ** (random.uniform(-8, 9) if wild else random.uniform(-3, 0)))
    beta = 1.0 if random.random() < 0.6 else float(10.0 ** random.uniform(-2, 2))
    return softmax((*outer, int(random.choice([1, 2, 3, 10, 35, 100, 511]))), scale, beta)


@pytest.mark.parametrize("seed", range(3))
def test_reference_is_tflite_micro(seed: int) -> None:
    random = np.random.default_rng(seed)
    cases = accepted([random_case(random) for _ in range(120)])
    assert len(cases) > 100
    assert_reference_is_tflite_micro(cases, random)


def test_values_near_each_other_are_tflite_micro() -> None:
    """Outputs that are neither 0 nor 1, sums up to their end."""
    random = np.random.default_rng(6)
    for depth in (2, 7, 60, 255, 256, 257, 400, 511):
        data = network([softmax((4, depth), 0.03)])
        for spread in (1, 2, 9, 50):
            given = random.integers(100 - spread, 100 + 1, (4, depth)).astype(np.int8)
            assert np.array_equal(evaluate(read_model(data), given)[0], tflite_micro(data, given)[0])


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    cases = accepted([random_case(random) for _ in range(12)])
    cases += [softmax((10,)), softmax((3, 10)), softmax((1, 4, 3, 5)), softmax((1, 2, 3, 2, 4)), softmax((5, 1))]
    assert_compiled_is_tflite_micro(cases, tmp_path, random)


def test_long_rows_on_which_tflite_micro_gives_up_are_the_reference(tmp_path: Path) -> None:
    """From a sum of 512 on it stops the program; every output is below half a step there."""
    random = np.random.default_rng(12)
    cases = [softmax((2, 513)), softmax((1, 4095)), softmax((1, 2000))]
    data = network(cases)
    given = [
        np.stack([np.full(513, 7), random.integers(-128, 128, 513)]).astype(np.int8),
        np.full((1, 4095), -128, np.int8),
        random.integers(120, 128, (1, 2000)).astype(np.int8),
    ]
    found = build(data, tmp_path).run(*given)
    for ours, wanted in zip(found, evaluate(read_model(data), *given), strict=True):
        assert np.array_equal(ours, wanted)
    assert (found[0][0] == -128).all() and (found[1] == -128).all() and found[0][1].max() > -128


def test_the_table_ends_where_nothing_reaches_the_sum() -> None:
    table = layer_of(PLAIN).fields["exp"]
    assert isinstance(table, Array)
    assert table.data[0] == (1 << 31) - 1 and table.data.size == 139    # exp(-13.8) < 2**-20 < exp(-13.9)
    assert exp_of_negative(np.array([round(-13.9 * (1 << 26))]), 5)[0] < 1 << 11 <= table.data[-1]
    flat = layer_of(softmax((1, 10), 0.001)).fields["exp"]
    assert isinstance(flat, Array) and flat.data.size == 256


def test_rows_are_independent() -> None:
    layer = layer_of(softmax((1, 4, 3, 5)))
    assert (layer.rows, layer.row_bytes, layer.in_place) == (4, 15, (0,))
    assert (layer.fields["count"], layer.fields["depth"]) == (15, 5)


def test_the_quotient_in_c_is_the_reference(tmp_path: Path) -> None:
    """For sums all over the range, each power of two and its neighbours."""
    random = np.random.default_rng(13)
    powers = 1 << np.arange(31)
    values = np.concatenate([[0], powers, powers - 1, (1 << 31) - powers, random.integers(0, 1 << 31, 20000)])
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "softmax.h"\n'
        "int main(void)\n{\n    int32_t x;\n"
        "    while (fread(&x, 4, 1, stdin) == 1) {\n        x = ec_softmax_inverse(x);\n"
        "        fwrite(&x, 4, 1, stdout);\n    }\n    return 0;\n}\n",
        encoding="utf-8",
    )
    command = ["gcc", "-O1", *STRICT, *SANITIZED, f"-I{FOLDER / 'portable'}", "main.c", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    stdin = values.astype(np.int32).tobytes()
    done = subprocess.run([tmp_path / "main"], input=stdin, capture_output=True, timeout=60, check=True)
    assert np.array_equal(np.frombuffer(done.stdout, np.int32), inverse_of_one_plus(values))


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (PLAIN.with_operand(dtype=np.int32), "an input of type int32 is not supported (supported: int8, int16)"),
        (PLAIN.with_output(dtype=np.int16), "an output of type int16 is not supported"),
        (PLAIN.with_output(zero_point=0), "an output with the scale 0.00390625 and the zero point 0 is not supported"),
        (PLAIN.with_output(scale=1 / 255), "and the zero point -128 is not supported (supported: 1/256 and -128)"),
        (replace(PLAIN, options={}), "a beta of 0.0 at the scale 0.1 is not supported"),
        (replace(PLAIN, options={"beta": -1.0}), "a beta of -1.0 at the scale 0.1 is not supported"),
        (softmax((1, 10), 1e-8), "a beta of 1.0 at the scale 1e-08 is not supported"),
        (softmax((1, 4096)), "an input of [1, 4096] is not supported (supported: up to 4095"),
        (softmax(()), "an input of [] is not supported"),
        (PLAIN.with_output(shape=(10,)), "an output of [10] is not supported"),
    ],
)
def test_refusals(case: Case, said: str) -> None:
    assert said in refusal(case)


def int16_softmax(shape: tuple[int, ...], in_scale: float, beta: float = 1.0, **output: Any) -> Case:
    out = replace(Side(shape, 1 / 32768, 0, np.int16), **output)
    return Case("SOFTMAX", (Side(shape, in_scale, 0, np.int16),), out, {"beta": beta})


def test_int16_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(16)
    cases = []
    for depth in (1, 2, 3, 10, 31, 100, 1000):
        for _ in range(4):
            scale, beta = 10 ** random.uniform(-6, -1), float(random.choice([1.0, 1.0, 0.5, 3.0]))
            cases.append(int16_softmax((3, depth), float(np.float32(scale)), beta))
    assert_reference_is_tflite_micro(cases, random)
    assert_compiled_is_tflite_micro(cases[::3], tmp_path, random)


def test_every_difference_of_int16_is_tflite_micro() -> None:
    """Two values each, so that the table of exponentials is seen all along, and that of reciprocals."""
    rows = np.stack([np.full(1 << 16, 32767), np.arange(-(1 << 15), 1 << 15)], axis=1).astype(np.int16)
    for scale in (10 / 65535, 0.0004, 0.00001):
        data = network([int16_softmax(rows.shape, scale)])
        assert np.array_equal(evaluate(read_model(data), rows)[0], tflite_micro(data, rows)[0])


def test_int16_refusals() -> None:
    assert "an int16 output with the scale 0.0001" in refusal(int16_softmax((1, 4), 0.1, scale=0.0001))
    assert "an output of type int16 with the zero point -1" in refusal(int16_softmax((1, 4), 0.1, zero_point=-1))
    assert "an output of type int8 is not supported (supported: int16)" in refusal(
        int16_softmax((1, 4), 0.1, dtype=np.int8)
    )
    assert "a beta of 100.0 at the scale 0.1" in refusal(int16_softmax((1, 4), 0.1, 100.0))
    assert "an input of [1, 32769]" in refusal(int16_softmax((1, 32769), 0.1))
