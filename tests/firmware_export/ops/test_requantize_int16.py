"""The C that turns sums into int16 against the arithmetic of the references, far beyond what networks hold."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from firmware_export.emit.kernels import FOLDER
from firmware_export.fixedpoint import REDUCED_BITS, multiply, multiply_wide, reduced
from tests.firmware_export.c_build import SANITIZED, STRICT

MAIN = """
#include "requantize_int16.h"
#include <stdio.h>
struct record { int64_t wide; int32_t sum, multiplier, reduced, shift, low, high; };
int main(void)
{
    const int32_t bias = 0;
    const int64_t wide_bias = 0;
    struct record r;
    while (fread(&r, sizeof(r), 1, stdin) == 1) {
        const int8_t shift = (int8_t)r.shift;
        struct ec_requantize_int16 end = {&bias, &wide_bias, &r.reduced, &shift, EC_WIDE, r.low, r.high};
        int16_t out[3];
        ec_requantize_int16_wide(&end, &out[0], &r.wide, 0, 1);
        out[1] = out[0];
        if (shift >= 0 && r.wide == r.sum) {
            end.rounding = EC_HIGH_WORD;
            ec_requantize_int16(&end, &out[1], &r.sum, 0, 1);
        }
        end.rounding = EC_TWICE;
        end.multiplier = &r.multiplier;
        ec_requantize_int16(&end, &out[2], &r.sum, 0, 1);
        fwrite(out, 2, 3, stdout);
    }
    return 0;
}
"""

NAMES = ("sum", "multiplier", "reduced", "shift", "low", "high")
RECORD = np.dtype([("wide", "<i8"), *((name, "<i4") for name in NAMES)])


def test_every_way_is_its_rounding(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    count = 100_000
    shift = random.integers(-31, 8, count)
    multiplier = random.integers(1 << 30, 1 << 31, count)
    multiplier[: count // 8] = random.choice([0, 1 << 30, (1 << 31) - 1, 0x7FFF0000, 0x7FFF7FFF], count // 8)
    # Sums around every place where the result changes, and anywhere that is taken.
    steps = (random.integers(-40000, 40000, count) + 0.5) * 2.0 ** (31 - shift) / np.maximum(multiplier, 1)
    steps += random.integers(-3, 4, count)
    anywhere = random.integers(-(1 << 46), 1 << 46, count)
    wide_limit = 2.0 ** np.minimum(46, 30 - shift)
    wide = np.clip(np.where(random.random(count) < 0.7, steps, anywhere), -wide_limit, wide_limit).astype(np.int64)
    limit = 2.0 ** (31 - np.maximum(shift, 0)) - 256
    sums = np.clip(wide, -limit, limit).astype(np.int64)
    low = np.where(random.random(count) < 0.5, -(1 << 15), 0)
    high = np.where(random.random(count) < 0.5, (1 << 15) - 1, 20000)
    records = np.zeros(count, RECORD)
    records["wide"], records["sum"], records["multiplier"] = wide, sums, multiplier
    records["reduced"], records["shift"] = reduced(multiplier) << REDUCED_BITS, -2 - shift
    records["low"], records["high"] = low, high

    (tmp_path / "main.c").write_text(MAIN, encoding="utf-8")
    command = ["gcc", "-O2", *STRICT, *SANITIZED, f"-I{FOLDER / 'portable'}", "main.c", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    done = subprocess.run([tmp_path / "main"], input=records.tobytes(), capture_output=True, check=True, timeout=60)
    result = np.frombuffer(done.stdout, np.int16).reshape(count, 3)

    wanted = np.clip(multiply_wide(wide, multiplier, shift), low, high)
    assert len(np.unique(wanted)) > 10000
    assert ((shift <= -2) & (wide == sums)).sum() > 10000
    assert np.array_equal(result[:, 0], wanted)
    assert np.array_equal(result[:, 1], wanted)
    assert np.array_equal(result[:, 2], np.clip(multiply(sums, multiplier, shift), low, high))
