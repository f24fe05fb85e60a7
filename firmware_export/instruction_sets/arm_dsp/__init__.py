"""Arm's DSP extension (Cortex-M4, M7, M33): two products of 16 bits in an instruction. Kernels: ``kernels/arm_dsp``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from firmware_export.graph import Node
from firmware_export.instruction_sets.arm_dsp import conv_2d
from firmware_export.layer import Layer
from firmware_export.ops.base import Lowering

LOWERINGS: Mapping[str, Callable[[Lowering, Node], Layer | None]] = {"CONV_2D": conv_2d.lower}
"""By operator. None leaves the node to the portable kernel."""
