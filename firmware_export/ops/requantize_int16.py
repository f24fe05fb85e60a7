"""From sums to int16: how ``kernels/portable/requantize_int16.h`` gets there, and its tables.

TFLite Micro adds up 64 bits wide and rounds once (see ``requantize``). Where a channel's weights say that no sum can
leave int32, sums are int32 here too, to the same result; with factors below 1/4 the high word of one product is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.fixedpoint import REDUCED_BITS, reduced
from firmware_export.layer import Array, FieldValue
from firmware_export.ops.requantize import SUM_LIMIT, ChannelScales

HIGH_WORD, WIDE, TWICE = 0, 1, 2
"""The field ``rounding``: ``EC_HIGH_WORD``, ``EC_WIDE`` and ``EC_TWICE`` of ``requantize_int16.h``."""

_NONE = np.zeros(0, np.int32)


def rounding(scales: ChannelScales, magnitudes: NDArray[Any], bias: NDArray[Any]) -> int:
    """How the sums of a node, which were checked, become int16.

    Args:
        scales: Of the node.
        magnitudes: Sum of the absolute weights, ``[channels]``.
        bias: ``[channels]``.
    """
    if not scales.wide:
        return TWICE
    narrow = (scales.largest_sums(magnitudes, bias) < SUM_LIMIT).all() and not scales.large_factors
    return HIGH_WORD if narrow else WIDE


def fields(scales: ChannelScales, magnitudes: NDArray[Any], bias: NDArray[np.int64]) -> dict[str, FieldValue]:
    """The fields ``bias``, ``wide_bias``, ``multiplier``, ``shift`` and ``rounding`` of a kernel's struct.

    Args:
        scales: Of the node.
        magnitudes: Sum of the absolute weights, ``[channels]``.
        bias: ``[channels]``.
    """
    way = rounding(scales, magnitudes, bias)
    multiplier = scales.multiplier if way == TWICE else reduced(scales.multiplier) << REDUCED_BITS
    return {
        "bias": Array(_NONE if way == WIDE else bias.astype(np.int32), "[out_channels]"),
        "wide_bias": Array(bias if way == WIDE else _NONE, "[out_channels]"),
        "multiplier": Array(multiplier.astype(np.int32), "[out_channels]"),
        "shift": Array((-2 - scales.shift).astype(np.int8), "[out_channels]"),
        "rounding": way,
    }


def sum_bytes(fields: Mapping[str, FieldValue]) -> int:
    """Bytes that an accumulating layer with these fields, of int8 or int16, keeps for each output."""
    return 8 if fields.get("rounding") == WIDE else 4
