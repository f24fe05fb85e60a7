"""A quantized file with other ranges or other weights, computed from the float one: no second conversion.

What may be chosen and what may not, as TFLite's quantization specification has it
(https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/quantization_spec):

- An activation has one scale. int8: ``scale = (high - low) / 255`` with a zero point; int16: symmetric,
  ``scale = max(|low|, |high|) / 32767``.
- Values that an operator only moves (RESHAPE, PAD, MAX_POOL_2D, CONCATENATION, ...) have the scale of what they are
  moved from. Such tensors form a *group* with one range.
- SOFTMAX, LOGISTIC, TANH and L2_NORMALIZATION write at scales that the operator fixes; a table that is looked up has
  the scale of its constants. These are left as they are.
- Weights are symmetric, ``scale = max|w| / 127``, for each output channel or for the whole tensor as in the file.
- A bias has ``scale = scale of the input * scale of the weights`` and 32 bits, 64 with int16 activations.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgecnn.errors import EdgecnnError
from edgecnn.quantization.pair import (
    CONVOLUTIONS,
    INTEGERS,
    Match,
    Pair,
    bias_of,
    input_of,
    real_values,
    values,
    weights_of,
)
from edgecnn.quantization.rewrite import rewritten
from firmware_export.graph import ABSENT, Quant, Tensor

_MOVES = """
    AVERAGE_POOL_2D BATCH_TO_SPACE_ND BROADCAST_TO CONCATENATION DEPTH_TO_SPACE EXPAND_DIMS GATHER MAXIMUM MAX_POOL_2D
    MINIMUM MIRROR_PAD PACK PAD PADV2 REDUCE_MAX REDUCE_MIN RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2
    SLICE SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQUEEZE STRIDED_SLICE TILE TRANSPOSE UNPACK
"""
MOVES = frozenset(_MOVES.split())
"""Operators whose inputs and outputs share a scale wherever they do so in the converter's file."""

FIXED = frozenset(("SOFTMAX", "LOG_SOFTMAX", "LOGISTIC", "TANH", "L2_NORMALIZATION"))
"""Operators that write at a scale of their own."""

_BIAS_LIMITS = {"int32": (1 << 31) - 1, "int64": (1 << 39) - 1}
"""Largest bias; TFLite's int16 kernels keep 40 bits of an accumulator."""


@dataclass(frozen=True)
class Range:
    """What an activation may be; 0 is always inside.

    Attributes:
        low: At most 0.
        high: At least 0.
    """

    low: float
    high: float

    def quant(self, dtype: str) -> Quant:
        """Scale and zero point for int8 or int16."""
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        if dtype == "int16":
            return Quant((float(np.float32(max(-low, high, _SMALLEST) / 32767)),), (0,))
        scale = max(high - low, _SMALLEST) / 255
        return Quant((float(np.float32(scale)),), (int(np.clip(round(-128 - low / scale), -128, 127)),))


_SMALLEST = 1e-9
"""A range is at least this wide: a scale of 0 would mean nothing."""


def groups_of(pair: Pair) -> dict[int, int]:
    """Activations of the quantized graph to the first of their group, those left out that have a fixed scale."""
    tensors, leader = pair.quantized.tensors, dict[int, int]()

    def find(index: int) -> int:
        while leader.setdefault(index, index) != index:
            index = leader[index]
        return index

    fixed = {index for node in pair.quantized.nodes if node.op in FIXED for index in node.outputs}
    for node in pair.quantized.nodes:
        if node.op not in MOVES:
            continue
        moved = [one for one in pair.quantized.present((*node.inputs, *node.outputs)) if one.dtype in INTEGERS]
        for first, second in itertools.pairwise(moved):
            if first.quant == second.quant:
                low, high = sorted((find(first.index), find(second.index)))
                leader[high] = low
        fixed |= {one.index for one in moved if one.is_constant}
    closed = {find(index) for index in fixed}
    activations = [one.index for one in pair.activations()]
    return {index: find(index) for index in activations if find(index) not in closed and not tensors[index].is_constant}


def requantized(
    pair: Pair, model: bytes, ranges: Mapping[int, Range], constants: Mapping[int, np.ndarray] | None = None
) -> bytes:
    """The quantized file with other numbers.

    Args:
        pair: The two graphs; ``pair.quantized`` was read from ``model``.
        model: The quantized file.
        ranges: New ranges, by the first tensor of a group (``groups_of``); the others keep theirs.
        constants: New float values of weights and biases, by tensor of the *float* graph; the others stay.

    Returns:
        A file of the same structure. With no change asked for it is ``model``.

    Raises:
        EdgecnnError: A range or weight is not a number.
    """
    constants = constants or {}
    quants, blobs = dict[int, Quant](), dict[int, bytes]()
    for index, group in groups_of(pair).items():
        if group in ranges:
            tensor = pair.quantized.tensors[index]
            _require_finite(np.array([ranges[group].low, ranges[group].high]), str(tensor))
            quants[index] = ranges[group].quant(tensor.dtype)
    for match in pair.matches:
        if match.quantized.op in CONVOLUTIONS:
            _layer(pair, match, quants, blobs, constants)
    return rewritten(model, quants, blobs)


def _layer(
    pair: Pair, match: Match, quants: dict[int, Quant], blobs: dict[int, bytes], constants: Mapping[int, np.ndarray]
) -> None:
    """Weights and bias of one node, where they or what they are scaled by have changed."""
    graph, node = pair.quantized, match.quantized
    weights, bias = weights_of(graph, node), bias_of(graph, node)
    if weights is None or weights.quant is None:
        return
    entering = quants.get(input_of(node), graph.tensors[input_of(node)].quant)
    assert entering is not None    # an activation of a quantized node
    wanted = constants.get(pair.twin[weights.index])
    asked = None if bias is None else constants.get(pair.twin.get(bias.index, ABSENT))
    exact = None if bias is None else np.asarray(_exact(pair, bias) if asked is None else asked, np.float64)
    moved = wanted is not None or input_of(node) in quants
    if not moved and asked is None:
        return
    scale = np.array(weights.quant.scale, np.float64) if wanted is None else _weight_scales(wanted, weights)
    limit = 0 if bias is None else _BIAS_LIMITS.get(bias.dtype, 0)
    if exact is not None and limit:
        # A bias that does not fit into its integer needs larger steps, and so do the weights.
        least = np.abs(exact) / (entering.scale[0] * limit)
        if len(scale) == 1:
            least = least.max(keepdims=True)
        if np.any(least > scale):
            scale = np.maximum(scale, least)
            wanted = real_values(pair.real.tensors[pair.twin[weights.index]]) if wanted is None else wanted
    scale = scale.astype(np.float32).astype(np.float64)
    if wanted is not None:
        _require_finite(wanted, str(weights))
        quants[weights.index] = Quant(tuple(map(float, scale)), weights.quant.zero_point, weights.quant.axis)
        blobs[weights.index] = _rounded(wanted / _along(scale, weights), 127).astype(np.int8).tobytes()
    if bias is not None and bias.quant is not None and exact is not None:
        _require_finite(exact, str(bias))
        steps = entering.scale[0] * scale
        quants[bias.index] = Quant(tuple(map(float, steps.astype(np.float32))), bias.quant.zero_point, bias.quant.axis)
        blobs[bias.index] = _rounded(exact / steps, limit).astype(np.dtype(bias.dtype).newbyteorder("<")).tobytes()


def _exact(pair: Pair, bias: Tensor) -> np.ndarray:
    """The float bias; where only the quantized file has one (a zero that the converter added), that."""
    tensor = pair.real.tensors[pair.twin[bias.index]] if bias.index in pair.twin else None
    return real_values(bias) if tensor is None else values(tensor)


def _weight_scales(wanted: np.ndarray, weights: Tensor) -> np.ndarray:
    """As many scales as the file has for these weights."""
    assert weights.quant is not None
    if not weights.quant.per_channel:
        largest = np.abs(wanted).max(keepdims=True).reshape(-1)[:1]
    else:
        others = tuple(axis for axis in range(wanted.ndim) if axis != weights.quant.axis)
        largest = np.abs(wanted).max(axis=others)
    scales: np.ndarray = np.maximum(largest.astype(np.float64), _SMALLEST) / 127
    return scales


def _along(scale: np.ndarray, weights: Tensor) -> np.ndarray:
    assert weights.quant is not None
    shape = [1] * len(weights.shape)
    if len(scale) > 1:
        shape[weights.quant.axis] = -1
    return scale.reshape(shape)


def _rounded(steps: np.ndarray, limit: int) -> np.ndarray:
    """Half away from zero, as the converter rounds, within ``±limit``."""
    nearest: np.ndarray = np.trunc(steps + np.copysign(0.5, steps))
    inside: np.ndarray = np.clip(nearest, -limit, limit)
    return inside


def _require_finite(numbers: np.ndarray, what: str) -> None:
    if not np.all(np.isfinite(numbers)):
        raise EdgecnnError(f"{what}: a value is infinite or not a number, so no range holds it. Train the model anew.")
