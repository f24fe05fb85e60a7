"""Inputs for a network without data: the same ones every time, over the whole range that means something to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_export.graph import Graph, Tensor

_FLOAT_RANGE = (-1.0, 1.0)    # where nothing tells what the values mean


def random_samples(graph: Graph, count: int) -> list[NDArray[np.generic]]:
    """Random inputs.

    Integers come from the whole range of their type, except ids that look something up: those that exist. Floats that
    are quantized come from a little more than the range that the integers have.

    Args:
        graph: The network.
        count: How many samples.

    Returns:
        One array ``[count, *shape]`` for each input, the batch of 1 included.
    """
    return [_random(graph, graph.tensors[index], count, seed) for seed, index in enumerate(graph.inputs)]


def _random(graph: Graph, tensor: Tensor, count: int, seed: int) -> NDArray[np.generic]:
    generator = np.random.default_rng(seed)
    shape = (count, *tensor.shape)
    dtype = np.dtype(tensor.dtype)
    if dtype.kind == "f":
        low, high = _float_range(graph, tensor)
        return generator.uniform(low, high, shape).astype(dtype)
    if dtype.kind == "b":
        return generator.integers(0, 2, shape).astype(dtype)
    limits = np.iinfo(dtype)
    top = min((limits.max, *(entries - 1 for entries in _looked_up(graph, tensor.index))))
    bottom = limits.min if top == limits.max else 0
    return generator.integers(bottom, top, shape, dtype=dtype, endpoint=True)


def _float_range(graph: Graph, tensor: Tensor) -> tuple[float, float]:
    for node in graph.nodes:
        quant = graph.tensors[node.outputs[0]].quant if node.op == "QUANTIZE" and tensor.index in node.inputs else None
        if quant is not None:
            limits = np.iinfo(graph.tensors[node.outputs[0]].dtype)
            low, high = ((limit - quant.zero_point[0]) * quant.scale[0] for limit in (limits.min, limits.max))
            margin = 0.05 * (high - low)
            return low - margin, high + margin
    return _FLOAT_RANGE


def _looked_up(graph: Graph, index: int) -> list[int]:
    """Entries of the tables in which a tensor's values are ids, also under another shape."""
    found = []
    for node in graph.nodes:
        if node.op == "GATHER" and len(node.inputs) > 1 and node.inputs[1] == index:
            table, axis = graph.tensors[node.inputs[0]], node.options.get("axis", 0)
            if isinstance(axis, int) and -len(table.shape) <= axis < len(table.shape):
                found.append(table.shape[axis])
        elif node.op in ("RESHAPE", "SQUEEZE", "EXPAND_DIMS") and node.inputs[0] == index:
            found += _looked_up(graph, node.outputs[0])
    return found
