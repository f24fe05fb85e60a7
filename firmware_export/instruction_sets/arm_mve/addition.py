"""ADD and SUB: ``kernels/arm_mve/add_lanes.h``."""

from __future__ import annotations

from functools import partial

from firmware_export.instruction_sets import word_sums

lower = partial(word_sums.lower, kernel="add_lanes", rounding=(1 << 15) + (1 << 21))
"""Takes the sign of the second operand. The kernel's two shifts, by 16 and by 6, round."""
