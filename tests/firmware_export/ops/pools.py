"""What the tests of MAX_POOL_2D and AVERAGE_POOL_2D share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.firmware_export.ops.common import refusal
from tests.firmware_export.ops.weighted import Case, layer_of, network

QUANT = (0.05, 3)


def plain(op: str, shape: tuple[int, ...] = (1, 6, 8, 3), **changes: Any) -> Case:
    """Windows of 2×2."""
    options = {"padding": "VALID", "stride_h": 2, "stride_w": 2, "filter_height": 2, "filter_width": 2}
    case = Case(op, shape, (1, 3, 4, 3), quant=(QUANT, QUANT), options=options)
    return replace(case, **changes)


def global_pool(op: str, padding: str = "VALID", size: int = 7) -> Case:
    """One window on an image of 7×5; with SAME padding it may be larger than that."""
    options = {"padding": padding, "stride_h": 9, "stride_w": 9, "filter_height": size, "filter_width": 5}
    return Case(op, (1, 7, 5, 13), (1, 1, 1, 13), quant=(QUANT, QUANT), options=options)


def assert_global_pools_take_a_row_at_a_time(op: str, sums_bytes: int) -> None:
    """Whether the window ends with the image or goes beyond it, all seven rows are read, each once."""
    for case, rows in ((global_pool(op), 7), (global_pool(op, "SAME", 12), 7), (global_pool(op, "VALID", 4), 4)):
        layer = layer_of(case)
        streamed = layer if layer.sums_bytes else layer.accumulating
        assert streamed is not None
        assert (streamed.steps, streamed.rows, streamed.sums_bytes, streamed.takes_row) == (rows, 1, sums_bytes, True)
        assert [streamed.reads[0].needs(y, 7) for y in range(rows)] == [(y, y) for y in range(rows)]


def assert_refusals(op: str) -> None:
    """Each by its message."""

    def refused(**changes: Any) -> str:
        return refusal(network([plain(op, **changes)]))

    options = plain(op).options
    assert "a batch of 2" in refused(shape=(2, 6, 8, 3), out=(2, 3, 4, 3))
    assert "an input of shape [6, 8, 3]" in refused(shape=(6, 8, 3))
    assert "an output of [1, 3, 3, 3] is not supported (supported: [1, 3, 4, 3] here)" in refused(out=(1, 3, 3, 3))
    assert "an output of [1, 3, 4, 2]" in refused(out=(1, 3, 4, 2))
    assert "another scale or zero point than the input" in refused(quant=(QUANT, (0.05, 4)))
    assert "another scale or zero point than the input" in refused(quant=(QUANT, (0.0501, 3)))
    assert "stride 0" in refused(options={**options, "stride_w": 0})
    assert "a kernel of 0 on 8 pixels" in refused(options={**options, "filter_width": 0})
    assert "a window of 9 on 6 pixels" in refused(options={**options, "filter_height": 9})
    assert "a window that spans 2147483647 pixels" in refused(options={**options, "filter_height": (1 << 31) - 1})
    assert "the fused activation TANH" in refused(options={**options, "fused_activation_function": "TANH"})
    assert "RELU6 with an output scale of 1e-09" in refused(
        quant=((1e-9, 0), (1e-9, 0)), options={**options, "fused_activation_function": "RELU6"}
    )
