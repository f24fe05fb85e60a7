"""TRANSPOSE_CONV against TFLite Micro: the reference, the compiled C, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.firmware_export.ops.common import refusal
from tests.firmware_export.ops.weighted import (
    Case,
    assert_compiled_is_tflite_micro,
    assert_reference_is_tflite_micro,
    layer_of,
    network,
    random_transpose_conv,
    some,
)
from tests.networks import Network


def plain(**changes: Any) -> Case:
    """Twice as high and wide, 3×3."""
    weights = np.random.default_rng(0).integers(-127, 128, (3, 3, 3, 2)).astype(np.int8)
    options = {"padding": "SAME", "stride_h": 2, "stride_w": 2}
    quant = ((0.05, 3), (0.2, -4))
    case = Case("TRANSPOSE_CONV", (1, 5, 6, 2), (1, 10, 12, 3), weights, np.array([0.01]), quant=quant, options=options)
    return replace(case, **changes)


def test_reference_is_tflite_micro() -> None:
    random = np.random.default_rng(1)
    assert_reference_is_tflite_micro(some(random, random_transpose_conv, 200), random)


def test_compiled_is_tflite_micro(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    cases = some(random, random_transpose_conv, 32)
    assert {layer_of(case).fields["large_factors"] for case in cases} == {0, 1}
    assert_compiled_is_tflite_micro(cases, tmp_path, random)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (2, 2), (4, 2), (5, 2), (3, 1), (1, 3)])
def test_a_row_comes_from_few_rows_and_no_scratch(kernel: int, stride: int) -> None:
    weights = np.ones((3, kernel, 3, 2), np.int8)
    options = {"padding": "SAME", "stride_h": stride, "stride_w": 2}
    layer = layer_of(plain(weights=weights, out=(1, 5 * stride, 12, 3), options=options))
    assert (layer.reads[0].count, layer.scratch_bytes, layer.sums_bytes) == (-(-kernel // stride), 0, 0)
    before = max(0, kernel - stride) // 2
    for y in range(5 * stride):
        reaching = [i for i in range(5) if 0 <= y + before - i * stride < kernel]
        needed = layer.reads[0].needs(y, 5)
        if reaching:
            assert needed is not None and needed[0] == reaching[0] and needed[1] >= reaching[-1]


def refused(**changes: Any) -> str:
    return refusal(network([plain(**changes)]))


def test_refusals() -> None:
    case = plain()
    assert "a batch of 2" in refused(shape=(2, 5, 6, 2))
    assert "an output of [2, 10, 12, 3]" in refused(out=(2, 10, 12, 3))
    assert "an output of [1, 10, 12, 4]" in refused(out=(1, 10, 12, 4))
    assert "a filter of [3, 3, 3, 4] on an input of [1, 5, 6, 2]" in refused(weights=np.zeros((3, 3, 3, 4), np.int8))
    assert "a filter of shape [3, 3, 3]" in refused(weights=np.zeros((3, 3, 3), np.int8))
    assert "stride [0, 2]" in refused(options={**case.options, "stride_h": 0})
    assert "stride [2, 65537]" in refused(options={**case.options, "stride_w": 65537})
    assert "a filter with a zero point that is not 0" in refused(weights_zero_point=1)
    assert "scales along dimension 1" in refused(weight_scale=np.array([0.1, 0.2, 0.1]), axis=1)
    assert "a bias of 2 for 3 channels" in refused(bias=np.zeros(2, np.int32))
    assert "the fused activation TANH" in refused(options={**case.options, "fused_activation_function": "TANH"})
    assert "sums that fit into int32" in refused(bias=np.full(3, 1 << 30, np.int32) * np.int32(-2))
    made = Network()
    image, weights = made.input(case.shape, 0.1), made.constant(case.weights, 0.1)
    shape = made.constant(np.array([1, 9, 12, 3], np.int32))
    data = made.pack(made.op(case.op, [shape, weights, image], case.out, 0.1, **case.options))
    assert "an output of [1, 10, 12, 3] that should be [1, 9, 12, 3]" in refusal(data)
    made = Network()
    image, weights = made.input(case.shape, 0.1), made.constant(case.weights, 0.1)
    shape = made.constant(np.array([1, 10, 12, 3], np.int64))
    data = made.pack(made.op(case.op, [shape, weights, image], case.out, 0.1, **case.options))
    assert "an output shape of type int64" in refusal(data)
