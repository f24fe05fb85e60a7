"""Instruction sets with kernels of their own: what lowers a node to them, and which folder of ``kernels`` they are in.

A network for a set may still use portable kernels: a lowering that returns None leaves the node to its operator's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from firmware_export.graph import Node
from firmware_export.instruction_sets import arm_dsp, arm_mve
from firmware_export.layer import Layer
from firmware_export.ops.base import Lowering

PORTABLE = "portable"

LOWERINGS: Mapping[str, Mapping[str, Callable[[Lowering, Node], Layer | None]]] = {
    PORTABLE: {},
    "arm_dsp": arm_dsp.LOWERINGS,
    "arm_mve": arm_mve.LOWERINGS,
}
"""By set and operator."""
