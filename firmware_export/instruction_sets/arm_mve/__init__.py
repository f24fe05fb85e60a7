"""Arm's Helium (Cortex-M55, M85): sixteen products of int8 in an instruction. Kernels: ``kernels/arm_mve``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from firmware_export.instruction_sets.arm_mve import (
    addition,
    average_pool_2d,
    conv_2d,
    depthwise_conv_2d,
    fully_connected,
)
from firmware_export.ops.base import LayerForms

LOWERINGS: Mapping[str, LayerForms] = {
    "ADD": partial(addition.lower, sign=1),
    "AVERAGE_POOL_2D": average_pool_2d.lower,
    "CONV_2D": conv_2d.lower,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d.lower,
    "FULLY_CONNECTED": fully_connected.lower,
    "SUB": partial(addition.lower, sign=-1),
}
"""By operator."""
