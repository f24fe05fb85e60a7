"""The C that turns sums into int8 against the arithmetic of the references, far beyond what networks hold."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from firmware_export.emit.kernels import FOLDER
from firmware_export.fixedpoint import multiply, quantize_multiplier
from firmware_export.tflite import read_model
from tests.firmware_export.c_build import SANITIZED, STRICT, sanitizes
from tests.firmware_export.evaluation import evaluate
from tests.firmware_export.ops.weighted import Case, network
from tests.networks import tflite_micro

MAIN = """
#include "requantize.h"
#include <stdio.h>
struct record { int32_t sum, bias, multiplier, shift, zero_point, low, high; };
int main(void)
{
    struct record r;
    while (fread(&r, sizeof(r), 1, stdin) == 1) {
        const int8_t shift = (int8_t)r.shift;
        int8_t out[2];
        ec_requantize_any(&out[0], &r.sum, 1, &r.bias, &r.multiplier, &shift, r.zero_point, r.low, r.high);
        out[1] = out[0];
        if (shift >= 0) {
            ec_requantize(&out[1], &r.sum, 1, &r.bias, &r.multiplier, &shift, r.zero_point, r.low, r.high);
        }
        fwrite(out, 1, 2, stdout);
    }
    return 0;
}
"""


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_both_ways_are_the_double_rounding(tmp_path: Path, compiler: str) -> None:
    if not sanitizes(compiler):
        pytest.skip(f"{compiler} with its sanitizers is not installed")
    random = np.random.default_rng(1)
    count = 200_000
    shift = random.integers(-31, 8, count)
    multiplier = random.integers(1 << 30, 1 << 31, count)
    multiplier[: count // 8] = random.choice([0, 1 << 30, (1 << 31) - 1, (1 << 30) + 1], count // 8)
    # Sums around every place where the result changes, and anywhere in int32.
    steps = (random.integers(-300, 300, count) + 0.5) * 2.0 ** (31 - shift) / np.maximum(multiplier, 1)
    steps += random.integers(-3, 4, count)
    sums = np.where(random.random(count) < 0.7, steps, random.integers(-1 << 31, 1 << 31, count))
    limit = 2.0 ** (31 - np.maximum(shift, 0)) - 256
    sums = np.clip(sums, -limit, limit).astype(np.int64)
    bias = np.where(random.random(count) < 0.5, 0, random.integers(-1 << 20, 1 << 20, count))
    bias = np.where(np.abs(sums - bias) < limit, bias, 0)
    zero_point = random.choice([-128, -1, 0, 1, 127], count)
    low = np.where(random.random(count) < 0.5, -128, zero_point)
    high = np.where(random.random(count) < 0.5, 127, np.minimum(127, zero_point + 30))
    records = np.stack([sums - bias, bias, multiplier, -2 - shift, zero_point, low, high], axis=1).astype(np.int32)

    (tmp_path / "main.c").write_text(MAIN, encoding="utf-8")
    command = [compiler, "-O2", *STRICT, *SANITIZED, f"-I{FOLDER / 'portable'}", "main.c", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    done = subprocess.run([tmp_path / "main"], input=records.tobytes(), capture_output=True, check=True, timeout=60)
    result = np.frombuffer(done.stdout, np.int8).reshape(count, 2)

    wanted = np.clip(multiply(sums, multiplier, shift) + zero_point, low, high)
    assert len(np.unique(wanted)) == 256
    assert np.array_equal(result[:, 0], wanted)
    assert np.array_equal(result[:, 1], wanted)


@pytest.mark.parametrize("op", ["CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_factors_are_computed_in_double(op: str, per_channel: bool) -> None:
    """Sums close to where the result changes tell a factor apart from one of the scales' product in float32."""
    random = np.random.default_rng(3)
    told_apart = 0
    for _ in range(3):
        in_scale, weight_scale = (float(np.float32(random.uniform(low, 2 * low))) for low in (0.01, 1e-4))
        out_scale = float(np.float32(in_scale * weight_scale * 2**23.3))
        factor = in_scale * weight_scale / out_scale
        edges = [int((q + 0.5) / factor) for q in range(20, 120, 3)]
        bias = (np.array(edges)[:, np.newaxis] + np.arange(-40, 40)).astype(np.int32).reshape(-1)
        shape, weights, options = _SINGLE_TAP[op](len(bias))
        case = Case(
            op,
            shape,
            (*shape[:-1], len(bias)),
            np.zeros(weights, np.int8),
            np.full(len(bias) if per_channel else 1, weight_scale, np.float32),
            weights.index(len(bias)),
            bias,
            ((in_scale, 0), (out_scale, 0)),
            options,
        )
        (result,) = tflite_micro(network([case]), np.zeros(shape, np.int8))
        in_float32 = float(np.float32(in_scale) * np.float32(weight_scale)) / out_scale
        exact, rounded = (multiply(bias, *quantize_multiplier(f)) for f in (factor, in_float32))
        assert np.array_equal(result.reshape(-1), exact)
        assert np.array_equal(evaluate(read_model(network([case])), np.zeros(shape, np.int8))[0], result)
        told_apart += int((exact != rounded).any())
    assert told_apart


_WINDOW = {"padding": "VALID", "stride_h": 1, "stride_w": 1}
_SINGLE_TAP = {
    "CONV_2D": lambda n: ((1, 1, 1, 1), (n, 1, 1, 1), _WINDOW),
    "DEPTHWISE_CONV_2D": lambda n: ((1, 1, 1, 1), (1, 1, 1, n), {**_WINDOW, "depth_multiplier": n}),
    "TRANSPOSE_CONV": lambda n: ((1, 1, 1, 1), (n, 1, 1, 1), _WINDOW),
    "FULLY_CONNECTED": lambda n: ((1, 1), (n, 1), {}),
}
