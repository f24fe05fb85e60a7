"""x86-64 with AVX2, or with AVX-512 and VNNI: what the compiler is told of. Kernels: ``kernels/x86``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from firmware_export.instruction_sets import word_sums
from firmware_export.instruction_sets.x86 import conv_2d, depthwise_conv_2d, fully_connected, pooling
from firmware_export.ops.base import LayerForms

LOWERINGS: Mapping[str, LayerForms] = {
    "ADD": partial(word_sums.lower, sign=1, kernel="add_vectors", rounding=0),
    "AVERAGE_POOL_2D": pooling.lower_average_pool,
    "CONV_2D": conv_2d.lower,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d.lower,
    "FULLY_CONNECTED": fully_connected.lower,
    "MAX_POOL_2D": pooling.lower_max_pool,
    "MEAN": pooling.lower_mean,
    "SUB": partial(word_sums.lower, sign=-1, kernel="add_vectors", rounding=0),
}
"""By operator."""
