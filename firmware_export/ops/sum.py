"""SUM: the sum over any axes, int8 or int16. MEAN without the division, and with MEAN's kernels, as in TFLite Micro."""

from __future__ import annotations

from firmware_export.ops.base import Op
from firmware_export.ops.mean import check, lower, reference

OP = Op("SUM", check, reference, lower)
