"""SUM: the sum over any axes, int8. MEAN without the division, and with MEAN's kernel (TFLite Micro does the same)."""

from __future__ import annotations

from firmware_export.ops.base import Op
from firmware_export.ops.mean import check, lower, reference

OP = Op("SUM", check, reference, lower)
