"""Cores with no other instructions for small numbers: two pixels in a word. Kernels: ``kernels/packed``.

With assembly for Cortex-M0, M0+ and M3, and in C for any core with a multiplication of 32 bits (RISC-V).
"""

from __future__ import annotations

from collections.abc import Mapping

from firmware_export.instruction_sets.packed import conv_2d, depthwise_conv_2d
from firmware_export.ops.base import LayerForms

LOWERINGS: Mapping[str, LayerForms] = {
    "CONV_2D": conv_2d.lower,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d.lower,
}
"""By operator. Where nothing is yielded, the portable kernel does it."""
