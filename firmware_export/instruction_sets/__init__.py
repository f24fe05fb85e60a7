"""Instruction sets with kernels of their own: what lowers a node to them, and which folder of ``kernels`` they are in.

A lowering yields the forms of the node's layer that the set has kernels for, the fastest first. What the operator
itself makes, for the portable kernel, is a form of every layer, and the only one where nothing is yielded. All forms
write the same rows of the same value; which one it is to be is not for a lowering to say (``choice``).
"""

from __future__ import annotations

from collections.abc import Mapping

from firmware_export.instruction_sets import arm_dsp, arm_mve, neon, packed, x86
from firmware_export.ops.base import LayerForms

PORTABLE = "portable"

LOWERINGS: Mapping[str, Mapping[str, LayerForms]] = {
    PORTABLE: {},
    "arm_dsp": arm_dsp.LOWERINGS,
    "arm_mve": arm_mve.LOWERINGS,
    "x86": x86.LOWERINGS,
    "neon": neon.LOWERINGS,
    "neon_winograd": neon.LOWERINGS_WINOGRAD,
    "packed": packed.LOWERINGS,
}
"""By set and operator."""

FOLDERS: Mapping[str, str] = {"neon_winograd": "neon"}
"""Where a set's kernels are, if it shares another's."""
