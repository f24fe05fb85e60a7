"""ADD: int8 or int16 sum of two tensors that broadcast, with a fused activation; arithmetic in ``addition``."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops import addition
from firmware_export.ops.base import Op
from firmware_export.ops.elementwise import binary_reference


def total(graph: Graph, node: Node, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """``left + right``, quantized."""
    return addition.combined(graph, node, left, right, sign=1)


OP = Op("ADD", addition.check, partial(binary_reference, total), partial(addition.lower, sign=1))
