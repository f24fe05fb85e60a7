"""The little arithmetic on sizes that converters write around RESHAPE when they do not know the batch.

Each function computes one operator on small whole-number constants, in int64, or says None where the operator has a
form that is not worth it, or does not fit its operands. TFLite's kernels define what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Node, Tensor
from firmware_export.ops.base import option_int, option_text

MAX_ELEMENTS = 1024
"""Of an operand or a result; a shape has at most a few."""

LIMIT = 1 << 31
"""Numbers beyond int32 are no sizes: nothing is folded, and nothing overflows on the way."""

Numbers = NDArray[np.int64]
Function = Callable[[Node, Sequence[Numbers], Tensor], "Numbers | None"]


def compute(node: Node, operands: Sequence[Numbers], output: Tensor) -> Numbers | None:
    """What a node makes of its operands.

    Args:
        node: The node.
        operands: Values of all its inputs.
        output: Its output: int32 or int64, of a known shape.

    Returns:
        The values in the output's shape; None if that cannot be said.
    """
    function = FUNCTIONS.get(node.op)
    if function is None or option_text(node, "fused_activation_function") != "NONE":
        return None
    if any(((part <= -LIMIT) | (part >= LIMIT)).any() for part in operands):
        return None
    try:
        result = function(node, operands, output)
    except (ValueError, IndexError, ZeroDivisionError):    # operands that do not fit each other
        return None
    if result is None or result.shape != output.shape or (result.size and np.abs(result).max() >= LIMIT):
        return None
    return result


def _binary(function: Callable[[Numbers, Numbers], Any]) -> Function:
    def apply(_node: Node, operands: Sequence[Numbers], _output: Tensor) -> Numbers | None:
        if len(operands) != 2 or np.broadcast(*operands).size > MAX_ELEMENTS:
            return None
        return np.asarray(function(operands[0], operands[1]), np.int64)

    return apply


def _divided(function: Callable[[Numbers, Numbers], Any]) -> Function:
    def apply(a: Numbers, b: Numbers) -> Any:
        if not b.all():
            raise ZeroDivisionError
        return function(a, b)

    return _binary(apply)


def _reduced(function: Callable[..., Any]) -> Function:
    def apply(node: Node, operands: Sequence[Numbers], _output: Tensor) -> Numbers | None:
        values, axes = operands
        if ((axes < -values.ndim) | (axes >= values.ndim)).any():
            return None
        if function is np.prod and prod(max(1, abs(int(value))) for value in values.reshape(-1)) >= LIMIT:
            return None
        over = tuple(sorted({int(axis) % values.ndim for axis in axes.reshape(-1)}))
        return np.asarray(function(values, axis=over, keepdims=bool(option_int(node, "keep_dims"))), np.int64)

    return apply


def _truncated(a: Numbers, b: Numbers) -> Numbers:
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)), np.int64)


def _reshaped(_node: Node, operands: Sequence[Numbers], output: Tensor) -> Numbers | None:
    return operands[0].reshape(output.shape) if operands else None


def _same(_node: Node, operands: Sequence[Numbers], _output: Tensor) -> Numbers | None:
    return operands[0] if len(operands) == 1 else None


def _strided_slice(node: Node, operands: Sequence[Numbers], _output: Tensor) -> Numbers | None:
    """Of a vector, without the masks that make or leave out axes by dots."""
    values, *rest = operands
    if values.ndim != 1 or [part.size for part in rest] != [1, 1, 1]:
        return None
    if any(option_int(node, name) for name in ("ellipsis_mask", "new_axis_mask", "offset")):
        return None
    begin, end, stride = (int(part.reshape(-1)[0]) for part in rest)
    if option_int(node, "shrink_axis_mask") & 1:
        return np.asarray(values[begin])
    first = None if option_int(node, "begin_mask") & 1 else begin
    last = None if option_int(node, "end_mask") & 1 else end
    return values[slice(first, last, stride)]


def _slice(_node: Node, operands: Sequence[Numbers], _output: Tensor) -> Numbers | None:
    """Of a vector; a size of -1 means all that is left."""
    values, begins, sizes = operands
    if values.ndim != 1 or begins.size != 1 or sizes.size != 1:
        return None
    begin, size = int(begins.reshape(-1)[0]), int(sizes.reshape(-1)[0])
    size = len(values) - begin if size == -1 else size
    return values[begin : begin + size] if 0 <= begin <= begin + size <= len(values) else None


def _packed(node: Node, operands: Sequence[Numbers], _output: Tensor) -> Numbers | None:
    if sum(part.size for part in operands) > MAX_ELEMENTS:
        return None
    return np.stack(operands, axis=option_int(node, "axis"))


def _concatenated(node: Node, operands: Sequence[Numbers], _output: Tensor) -> Numbers | None:
    if sum(part.size for part in operands) > MAX_ELEMENTS:
        return None
    return np.concatenate(operands, axis=option_int(node, "axis"))


def _gathered(node: Node, operands: Sequence[Numbers], _output: Tensor) -> Numbers | None:
    values, places = operands
    if values.ndim != 1 or option_int(node, "axis") not in (0, -1) or option_int(node, "batch_dims"):
        return None
    if places.size and (places.min() < 0 or places.max() >= len(values)):
        return None
    return values[places]


FUNCTIONS: Mapping[str, Function] = {
    "ADD": _binary(np.add),
    "CAST": _same,
    "CONCATENATION": _concatenated,
    "DIV": _divided(_truncated),
    "EXPAND_DIMS": _reshaped,
    "FLOOR_DIV": _divided(np.floor_divide),
    "FLOOR_MOD": _divided(np.mod),
    "GATHER": _gathered,
    "MAXIMUM": _binary(np.maximum),
    "MINIMUM": _binary(np.minimum),
    "MUL": _binary(np.multiply),
    "PACK": _packed,
    "REDUCE_MAX": _reduced(np.max),
    "REDUCE_MIN": _reduced(np.min),
    "REDUCE_PROD": _reduced(np.prod),
    "RESHAPE": _reshaped,
    "SLICE": _slice,
    "SQUEEZE": _reshaped,
    "STRIDED_SLICE": _strided_slice,
    "SUB": _binary(np.subtract),
    "SUM": _reduced(np.sum),
}
"""What is computed, by TFLite's name. SHAPE is not here: it asks for a tensor, not for its values."""
