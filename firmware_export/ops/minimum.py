"""MINIMUM: the smaller byte of two int8 tensors that broadcast against each other; kernel ``maximum_minimum.h``."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Node
from firmware_export.ops import extremum
from firmware_export.ops.base import Lowering, Op
from firmware_export.ops.elementwise import binary_reference, lower_binary, lower_uniform


def smaller(graph: Graph, node: Node, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """``min(left, right)``; the node's scales play no part."""
    del graph, node
    return np.minimum(left, right)


def lower(lowering: Lowering, node: Node) -> None:
    """One layer: a clip where an operand is one constant, or a row of both operands at a time."""
    if not lower_uniform(smaller, lowering, node):
        lower_binary(lowering, node, "maximum_minimum", "minimum", ("first", "second"), {})


OP = Op("MINIMUM", extremum.check, partial(binary_reference, smaller), lower)
