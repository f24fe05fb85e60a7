"""Arm's Neon (Cortex-A: Raspberry Pi), with the dot product where the compiler has it. Kernels: ``kernels/neon``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from firmware_export.instruction_sets import word_sums
from firmware_export.instruction_sets.neon import conv_2d, conv_2d_winograd, depthwise_conv_2d, fully_connected, pooling
from firmware_export.ops.base import LayerForms

_ADDITION = partial(word_sums.lower, kernel="add_lanes", rounding=(1 << 15) + (1 << 21))
"""The kernel's two shifts, by 16 and by 6, round."""

LOWERINGS: Mapping[str, LayerForms] = {
    "ADD": partial(_ADDITION, sign=1),
    "AVERAGE_POOL_2D": pooling.lower_average_pool,
    "CONV_2D": conv_2d.lower,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d.lower,
    "FULLY_CONNECTED": fully_connected.lower,
    "MAX_POOL_2D": pooling.lower_max_pool,
    "MEAN": pooling.lower_mean,
    "SUB": partial(_ADDITION, sign=-1),
}
"""By operator, for every Neon."""

LOWERINGS_WINOGRAD: Mapping[str, LayerForms] = {**LOWERINGS, "CONV_2D": conv_2d_winograd.lower}
"""For small processors of 64 bits without the dot product, where every instruction counts. Larger ones, as the
Cortex-A72, wait for their multiplier, which has as much to do with Winograd as without."""
