"""Arm's DSP extension (Cortex-M4, M7, M33): two products of 16 bits in an instruction. Kernels: ``kernels/arm_dsp``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from firmware_export.instruction_sets.arm_dsp import addition, conv_2d, depthwise_conv_2d, fully_connected, pooling
from firmware_export.ops.base import LayerForms

LOWERINGS: Mapping[str, LayerForms] = {
    "ADD": partial(addition.lower, sign=1),
    "AVERAGE_POOL_2D": pooling.lower_average_pool,
    "CONV_2D": conv_2d.lower,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d.lower,
    "FULLY_CONNECTED": fully_connected.lower,
    "MAX_POOL_2D": pooling.lower_max_pool,
    "MEAN": pooling.lower_mean,
    "SUB": partial(addition.lower, sign=-1),
}
"""By operator."""
