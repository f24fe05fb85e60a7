"""REDUCE_MIN: the smallest element along any axes, int8. REDUCE_MAX with the order of int8 turned around."""

from __future__ import annotations

from firmware_export.ops.base import Op
from firmware_export.ops.reduce_max import check, lower, reference

OP = Op("REDUCE_MIN", check, reference, lower)
