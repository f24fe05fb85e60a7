"""Repairs of a quantized network that need no training: cross-layer equalization and bias correction.

Both change float constants (weights and biases). Equalization leaves what the float network computes as it is; the
quantized one errs less. After Nagel, van Baalen, Blankevoort and Welling (2019), *Data-free quantization through weight
equalization and bias correction*, sections 4.1 and 4.2; unlike there, the mean error is measured on samples and not
derived from batch norm, and equalization looks at what activations were, because weights have a scale for each output
channel anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.quantization.observe import Observation, activations
from edgecnn.quantization.pair import Match, Pair, bias_of, input_of, real_values, weights_of
from edgecnn.quantization.rewrite import rewritten
from firmware_export.graph import Graph, Node, Tensor

_Which = Callable[[Graph, Node], Tensor | None]
"""``weights_of`` or ``bias_of``."""

_PER_CHANNEL = frozenset(("MAX_POOL_2D", "AVERAGE_POOL_2D", "MEAN", "RELU", "PAD"))
"""Operators that treat every channel alike and give s times the output for s times the input, s > 0."""

_SAME_IF_SCALED = ("NONE", "RELU", "RELU6")
"""Fused activations of which that holds; of RELU6 for values that stay below 6."""

_CEILING = 6.0    # of RELU6
_LARGEST_FACTOR = 1e4
_LEAST_MOVED = 0.25    # of a channel that is rarely active the bias is not moved further than four times the error
_WORTH = 1.05    # a channel that could not grow by this much is left alone


@dataclass(frozen=True)
class Scaled:
    """Two layers between which the channels were equalized.

    Attributes:
        first: Its output channels were multiplied.
        second: Its input channels were divided.
        largest: The largest factor.
    """

    first: Node
    second: Node
    largest: float


def with_constants(model: bytes, pair: Pair, constants: Mapping[int, np.ndarray]) -> bytes:
    """The float file with other weights and biases.

    Args:
        model: The file that ``pair.real`` was read from.
        pair: The two graphs.
        constants: By tensor of the float graph.
    """
    blobs = {
        index: np.asarray(value, np.dtype(pair.real.tensors[index].dtype).newbyteorder("<")).tobytes()
        for index, value in constants.items()
    }
    return rewritten(model, {}, blobs)


def equalized(
    pair: Pair, observed: Mapping[int, Observation]
) -> tuple[dict[int, np.ndarray], tuple[Scaled, ...]]:
    """Constants with which the channels between two layers use a common range better.

    A factor for each channel goes into the weights and bias of the layer that writes it and out of the weights of the
    one layer that reads it; ReLU and pooling in between pass it on. An activation has one scale for all channels, so a
    channel whose values are a hundredth of another's has two codes of 256 before and up to all of them after.

    A depthwise layer that reads them takes the whole factor: its weights have a scale for each channel. Of others the
    weights of one input channel shrink within their rows, so, as in the paper, the factor is the one that makes the
    precision of the activation's channel and that of the weights' column equal.

    Args:
        pair: The two graphs.
        observed: By tensor of the float graph: what the outputs of layers were on training samples.

    Returns:
        New constants by tensor of the float graph, and what was done. Nothing where no two layers allow it.
    """
    constants, done = dict[int, np.ndarray](), list[Scaled]()
    for first, second in _neighbours(pair):
        output = first.quantized.outputs[0]
        seen = observed.get(pair.twin[output])
        found = None if seen is None else _factors(pair, first, second, seen, constants)
        if found is None:
            continue
        _multiply(pair, first, second, found, constants)
        done.append(Scaled(first.quantized, second.quantized, float(found.max())))
    return constants, tuple(done)


def _neighbours(pair: Pair) -> Iterator[tuple[Match, Match]]:
    """Layers whose output goes to one other layer alone, through operators that factors pass."""
    graph = pair.quantized
    readers: dict[int, list[Node]] = {}
    for node in graph.nodes:
        for tensor in graph.present(node.inputs):
            readers.setdefault(tensor.index, []).append(node)
    layers = {match.quantized.index: match for match in pair.layers() if pair.own(match)}
    for match in layers.values():
        if match.quantized.op == "TRANSPOSE_CONV" or not _passes(match.quantized, _SAME_IF_SCALED):
            continue
        value = match.quantized.outputs[0]
        while value not in graph.outputs and len(readers.get(value, [])) == 1:
            reader = readers[value][0]
            if reader.index in layers:
                if input_of(reader) == value and _keeps_channels(graph, value, reader):
                    yield match, layers[reader.index]
                break
            if reader.op not in _PER_CHANNEL or not _passes(reader, ("NONE", "RELU")):
                break
            value = reader.outputs[0]


def _passes(node: Node, activations: tuple[str, ...]) -> bool:
    return node.options.get("fused_activation_function", "NONE") in activations


def _keeps_channels(graph: Graph, value: int, reader: Node) -> bool:
    """Whether the last dimension of a value is what the reader's weights count as input channels."""
    weights = weights_of(graph, reader)
    if weights is None or reader.op == "TRANSPOSE_CONV":
        return False
    channels = graph.tensors[value].shape[-1]
    if reader.op == "DEPTHWISE_CONV_2D":
        return weights.shape[-1] % channels == 0
    return weights.shape[-1] == channels    # a grouped convolution has fewer


def _factors(
    pair: Pair, first: Match, second: Match, seen: Observation, constants: Mapping[int, np.ndarray]
) -> np.ndarray | None:
    """What to multiply each channel by; None where it would not pay."""
    reach = np.maximum(np.abs(seen.channel_low), np.abs(seen.channel_high)).astype(np.float64)
    whole = reach.max()
    alive = reach > 1e-6 * whole
    if whole <= 0 or not np.all(np.isfinite(reach)):
        return None
    lift = np.where(alive, whole / np.where(alive, reach, 1), 1.0)    # to the range of the widest channel
    if second.quantized.op != "DEPTHWISE_CONV_2D":
        columns = np.abs(_constant(pair, second, weights_of, constants))
        rows = columns.reshape(len(columns), -1).max(axis=1).reshape(-1, *[1] * (columns.ndim - 1))
        share = (columns / np.maximum(rows, 1e-30)).reshape(-1, columns.shape[-1]).max(axis=0)
        lift = np.sqrt(lift * np.maximum(share, 1e-6))
        lift /= (lift * reach).max() / whole
        # Nothing ever came through a dead channel, but its weights would set the scale of their rows.
        widest = (share / lift)[alive].max()
        lift = np.where(alive, lift, np.maximum(1.0, share / max(widest, 1e-6)))
    if first.quantized.options.get("fused_activation_function") == "RELU6":
        clipped = reach >= _CEILING * (1 - 1e-3)
        lift = np.where(clipped, 1.0, np.minimum(lift, _CEILING / np.maximum(reach, 1e-30)))
    lift = np.clip(lift, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR)
    return lift if max(lift.max(), 1 / lift.min()) > _WORTH else None


def _multiply(
    pair: Pair, first: Match, second: Match, factors: np.ndarray, constants: dict[int, np.ndarray]
) -> None:
    weights = _constant(pair, first, weights_of, constants)
    depthwise = first.quantized.op == "DEPTHWISE_CONV_2D"
    along = factors if depthwise else factors.reshape(-1, *[1] * (weights.ndim - 1))
    constants[_twin(pair, first, weights_of)] = weights * along
    if bias_of(pair.quantized, first.quantized) is not None:
        constants[_twin(pair, first, bias_of)] = _constant(pair, first, bias_of, constants) * factors
    weights = _constant(pair, second, weights_of, constants)
    copies = weights.shape[-1] // len(factors)    # the depth multiplier of a depthwise layer, otherwise 1
    constants[_twin(pair, second, weights_of)] = weights / np.repeat(factors, copies)


def corrected_biases(
    pair: Pair,
    float_model: bytes,
    quantize: Callable[[Mapping[int, np.ndarray]], bytes],
    inputs: np.ndarray,
    constants: Mapping[int, np.ndarray],
    advance: Callable[[int], None] | None = None,
) -> dict[int, np.ndarray]:
    """Biases that take away the mean error of every output channel.

    Rounded weights and clipped or rounded values shift the mean of what a layer gives, and the next layers carry the
    shift on. The mean is that behind the fused activation function, which is what the next layers see; where a share
    of the values is cut off by it, a bias moves the mean by what is left. Layers are corrected in their order, each
    behind those that are corrected already.

    Args:
        pair: The two graphs.
        float_model: The float file, with ``constants`` in it.
        quantize: The quantized file with given constants.
        inputs: ``[N, ...]`` what the network takes, from the training split.
        constants: Float weights and biases other than the files' first ones, by tensor of the float graph.
        advance: Told how many layers were corrected since the last call.

    Returns:
        ``constants`` with new biases, for the layers that have one of their own.
    """
    layers = [
        (match, bias)
        for match in pair.layers()
        if pair.own(match) and (bias := bias_of(pair.real, match.real)) is not None
    ]
    exact = _means(float_model, inputs, [match.real.outputs[0] for match, _ in layers])
    corrected = dict(constants)
    for match, bias in layers:
        output = match.quantized.outputs[0]
        found = _means(quantize(corrected), inputs, [output])[output].mean
        wanted = exact[match.real.outputs[0]]
        error = (wanted.mean - found) / np.maximum(wanted.moved, _LEAST_MOVED)
        corrected[bias.index] = _constant(pair, match, bias_of, corrected) + error
        if advance is not None:
            advance(1)
    return corrected


@dataclass(frozen=True)
class _Means:
    """Of one activation, each ``[channels]`` float64: the mean, and the share of values that a bias would move."""

    mean: np.ndarray
    moved: np.ndarray


def _means(model: bytes, inputs: np.ndarray, tensors: Sequence[int]) -> dict[int, _Means]:
    sums: dict[int, np.ndarray] = {}
    for values in activations(model, inputs, tensors):
        for index, value in values.items():
            rows = value.reshape(-1, value.shape[-1]).astype(np.float64)
            inside = (rows != 0) & (rows != _CEILING)    # not where ReLU or ReLU6 cut something off
            sums[index] = sums.get(index, 0.0) + np.stack([rows.mean(axis=0), inside.mean(axis=0)])
    return {index: _Means(*(total / len(inputs))) for index, total in sums.items()}


def _twin(pair: Pair, match: Match, which: _Which) -> int:
    tensor = which(pair.quantized, match.quantized)
    assert tensor is not None
    return pair.twin[tensor.index]


def _constant(pair: Pair, match: Match, which: _Which, constants: Mapping[int, np.ndarray]) -> np.ndarray:
    """A float constant of a layer: the new one where there is one."""
    index = _twin(pair, match, which)
    found: np.ndarray = constants[index] if index in constants else real_values(pair.real.tensors[index])
    return found
