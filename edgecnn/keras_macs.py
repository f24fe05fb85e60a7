"""Multiply-accumulates of Keras layers, and the layers of a model in the order in which they run.

Shapes are those of one sample: a dimension that is not fixed, the batch above all, counts as 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from edgecnn.errors import EdgecnnError


@dataclass(frozen=True)
class Call:
    """One use of a layer; a shared layer has several.

    Attributes:
        layer: The ``keras.Layer``.
        input: Shape of its first input, batch first.
        output: Shape of its first output, batch first.
        dtype: Of the output.
    """

    layer: Any
    input: tuple[int, ...]
    output: tuple[int, ...]
    dtype: str


def calls(model: Any) -> Iterator[Call]:
    """Every use of every layer of a model, those of models inside it included.

    Raises:
        EdgecnnError: The model is a subclass with a ``call`` of its own, which says nothing of its layers' shapes.
    """
    # A Sequential keeps a functional model of itself once its input is known. Keras has no public way to its nodes,
    # and a layer's own list has the uses in other models too.
    functional = getattr(model, "_functional", None) or model
    by_depth = getattr(functional, "_nodes_by_depth", None)
    if by_depth is None:
        raise EdgecnnError(
            f"model {model.name!r}: its layers and their shapes are not known. Supported: functional models, "
            "and Sequential ones with an Input; write the model as one of these."
        )
    for depth in sorted(by_depth, reverse=True):
        for node in by_depth[depth]:
            layer = node.operation
            if hasattr(layer, "layers"):
                yield from calls(layer)
            elif type(layer).__name__ != "InputLayer":
                first_in, first_out = node.input_tensors[0], node.output_tensors[0]
                yield Call(layer, sample_shape(first_in.shape), sample_shape(first_out.shape), str(first_out.dtype))


def sample_shape(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    """A shape with every open dimension set to 1."""
    return tuple(1 if dimension is None else int(dimension) for dimension in shape)


def macs(call: Call) -> int:
    """Multiply-accumulates of one use of a layer; 0 for a layer without a product of activations and weights."""
    count = _MACS.get(type(call.layer).__name__)
    return 0 if count is None else count(call)


def _size(variable: Any, dimensions: slice = slice(None)) -> int:
    """Number of elements over some dimensions of a variable."""
    return prod(int(dimension) for dimension in variable.shape[dimensions])


def _convolution(call: Call) -> int:
    """Kernel ``[*size, in / groups, filters]``: each output is a sum over all but the last."""
    return prod(call.output) * _size(call.layer.kernel, slice(0, -1))


def _partial(call: Call) -> int:
    """Several kernels ``[side, side, in, filters]``, each for its own maps of the output."""
    return prod(call.output[:-1]) * sum(_size(kernel) for kernel in call.layer.kernels)


def _depthwise(call: Call) -> int:
    return prod(call.output) * prod(int(size) for size in call.layer.kernel_size)


def _separable(call: Call) -> int:
    """A depthwise kernel ``[*size, in, multiplier]``, then a pointwise one, at each output position."""
    layer = call.layer
    positions = prod(call.output[:-1])
    return positions * (_size(layer.depthwise_kernel) + _size(layer.pointwise_kernel))


def _transposed(call: Call) -> int:
    """Kernel ``[*size, filters, in]``: each input meets all but the last."""
    return prod(call.input) * _size(call.layer.kernel, slice(0, -1))


def _dense(call: Call) -> int:
    return prod(call.output) * int(call.layer.kernel.shape[0])


def _recurrent(call: Call) -> int:
    """Two products in each time step, of the input ``[batch, time, features]`` and of the state."""
    cell = call.layer.cell
    return prod(call.input[:2]) * (_size(cell.kernel) + _size(cell.recurrent_kernel))


def _each_step(call: Call) -> int:
    """The inner layer at every time step: its formulas are per element, so time is one more dimension."""
    return macs(Call(call.layer.layer, call.input, call.output, call.dtype))


def _both_ways(call: Call) -> int:
    halves = call.layer.forward_layer, call.layer.backward_layer
    return sum(macs(Call(half, call.input, call.output, call.dtype)) for half in halves)


_MACS: dict[str, Callable[[Call], int]] = {
    "Conv1D": _convolution,
    "Conv2D": _convolution,
    "Conv3D": _convolution,
    "PartialConv2D": _partial,
    "DepthwiseConv1D": _depthwise,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv1D": _separable,
    "SeparableConv2D": _separable,
    "Conv1DTranspose": _transposed,
    "Conv2DTranspose": _transposed,
    "Conv3DTranspose": _transposed,
    "Dense": _dense,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "SimpleRNN": _recurrent,
    "TimeDistributed": _each_step,
    "Bidirectional": _both_ways,
}
"""By the name of Keras's class. Layers that are not here multiply nothing by weights, or are folded by converters."""
