"""Networks for these tests: small ones made of operators, and C text written by hand that has the same interface."""

from __future__ import annotations

import dataclasses
import re
import shutil
from typing import Any

import numpy as np
import pytest

from edgecnn.mcu.interface import End, Interface
from edgecnn.mcu.targets import load_target, target_names
from firmware_export.compiler import Compiled
from tests.networks import Network

BOARDS = tuple(name for name in target_names() if load_target(name).board is not None)


def need(*targets: str) -> None:
    """Skip where a compiler or QEMU is not installed."""
    for name in targets:
        target = load_target(name)
        if not any(shutil.which(compiler) for compiler in target.compilers):
            pytest.skip(f"{target.compilers[0]} is not installed")
        if target.emulator is not None and shutil.which(target.emulator) is None:
            pytest.skip(f"{target.emulator} is not installed")


def _conv(net: Network, rng: Any, source: int, size: int, channels: int, filters: int, stride: int = 1) -> int:
    weights = net.constant(
        rng.integers(-127, 128, (filters, 3, 3, channels), dtype=np.int8),
        [0.004 * (1 + index % 3) for index in range(filters)],
    )
    bias = net.constant(rng.integers(-900, 900, filters).astype(np.int32), [0.0002] * filters)
    out = -(-size // stride)
    options = {"padding": "SAME", "stride_w": stride, "stride_h": stride, "dilation_w_factor": 1}
    return net.op(
        "CONV_2D", [source, weights, bias], (1, out, out, filters), 0.1, -3,
        dilation_h_factor=1, fused_activation_function="RELU", **options,
    )    # fmt: skip


def small_network(seed: int = 0) -> bytes:
    """Three convolutions, the last of stride 2, and an addition: ``1x10x10x3`` to ``1x5x5x6``."""
    rng = np.random.default_rng(seed)
    net = Network()
    image = net.input((1, 10, 10, 3), 0.05, 3)
    first = _conv(net, rng, image, 10, 3, 8)
    second = _conv(net, rng, first, 10, 8, 8)
    both = net.op("ADD", [first, second], (1, 10, 10, 8), 0.15, 1, fused_activation_function="NONE")
    return net.pack(_conv(net, rng, both, 10, 8, 6, 2))


def mixed_network() -> bytes:
    """Two inputs, one of them int32 ids, and two outputs, one of them float: what is not int8 has other sizes."""
    rng = np.random.default_rng(5)
    net = Network()
    ids = net.input((1, 4), dtype=np.int32)
    other = net.input((1, 4, 6), 0.02, -7)
    table = net.constant(rng.integers(-128, 128, (11, 6), dtype=np.int8), 0.02, -7)
    rows = net.op("GATHER", [table, ids], (1, 4, 6), 0.02, -7, axis=0, batch_dims=0)
    total = net.op("ADD", [rows, other], (1, 4, 6), 0.03, 2, fused_activation_function="NONE")
    real = net.op("DEQUANTIZE", [total], (1, 4, 6), dtype=np.float32)
    return net.pack(total, real)


def altered(compiled: Compiled, file: str, pattern: str, replacement: str) -> Compiled:
    """The same network with its C text changed at one place, the first that matches."""
    text, count = re.subn(pattern, replacement, compiled.files[file], count=1)
    assert count == 1, f"{pattern} is not in {file}"
    assert text != compiled.files[file]
    return dataclasses.replace(compiled, files={**compiled.files, file: text})


TOY = Interface("toy", (End((1, 4, 3), "int8", 12),), (End((1, 4), "int8", 4),), True)

_HEADER = """
#include <stdint.h>
#define TOY_INPUT_SIZE 12
#define TOY_OUTPUT_SIZE 4
#define TOY_ARENA_SIZE 24
#define TOY_ARENA_ALIGNMENT 4
#define TOY_PUSH_ARENA_SIZE 16
#define TOY_INPUT_ROWS 4
#define TOY_INPUT_ROW_SIZE 3
struct toy_stream { int8_t *arena, *output; int32_t at; };
int toy_run(void *arena, const int8_t *input, int8_t *output);
int toy_begin(struct toy_stream *stream, void *arena, int8_t *output);
int toy_push_row(struct toy_stream *stream, const int8_t *row);
"""

_SOURCE = """
#include <string.h>
#include "toy.h"
#include "toy_weights.h"
#ifndef TOY_ON_ROW
#define TOY_ON_ROW(layer, y, row, bytes) ((void)0)
#endif
static int8_t dot(const int8_t *in, int32_t *products)
{
    int32_t sum = 0, i;
    for (i = 0; i < 3; i++) {
        products[i] = in[i] * toy_weights[i];
        sum += products[i];
    }
    return (int8_t)sum;
}
int toy_run(void *arena, const int8_t *input, int8_t *output)
{
    int32_t y;
    memcpy((int8_t *)arena + 12, input, 12);
    for (y = 0; y < 4; y++) {
        output[y] = dot((const int8_t *)arena + 12 + 3 * y, arena);
        TOY_ON_ROW(0, y, output + y, 1);
    }
    EXTRA
    return 0;
}
int toy_begin(struct toy_stream *stream, void *arena, int8_t *output)
{
    stream->arena = arena;
    stream->output = output;
    stream->at = 0;
    return 0;
}
int toy_push_row(struct toy_stream *stream, const int8_t *row)
{
    stream->output[stream->at++] = dot(row, (int32_t *)(void *)stream->arena);
    return 4 - stream->at;
}
"""


def toy_files(extra: str = "") -> dict[str, str]:
    """The dot product of each of four rows with (1, -2, 3), and one more statement at the end of ``toy_run``."""
    weights = "static const int8_t toy_weights[3] = {1, -2, 3};\n"
    return {"toy.h": _HEADER, "toy_weights.h": weights, "toy.c": _SOURCE.replace("EXTRA", extra)}


def toy_samples(count: int = 5) -> tuple[Any, Any]:
    """Inputs and right outputs of the toy."""
    inputs = np.random.default_rng(3).integers(-20, 20, (count, 1, 4, 3), dtype=np.int8)
    return inputs, (inputs.astype(np.int64) @ [1, -2, 3]).astype(np.int8)
