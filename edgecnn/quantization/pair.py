"""A float and an int8 ``.tflite`` of the same network, seen as one: which node and which value is which.

Converters number and name tensors of the two files differently, put QUANTIZE nodes between some, and may change the
order of branches. So nodes are matched along the data: a node of the int8 graph is that of the float graph with the
same operator whose inputs are its inputs; where several are (branches that begin at one value), the one whose constants
are nearest. Nothing else is needed, so files that edgecnn never made are taken as well.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from edgecnn.errors import EdgecnnError
from firmware_export.graph import ABSENT, Graph, Node, Tensor

INTEGERS = frozenset(("int8", "int16"))
"""Types of quantized activations."""

_PASSING = frozenset(("QUANTIZE", "DEQUANTIZE"))
"""Change the representation of a value and not the value."""

_SAME_NETWORK = 0.2
"""Relative error of dequantized weights above which they are those of another network; int8 alone stays below 0.02."""

CONVOLUTIONS: Mapping[str, int] = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}
"""Operators with weights and a bias, to the dimension of the weights that counts output channels."""


@dataclass(frozen=True)
class Match:
    """One operation in both files.

    Attributes:
        real: Of the float graph.
        quantized: Of the int8 graph.
    """

    real: Node
    quantized: Node


@dataclass(frozen=True)
class Pair:
    """Both graphs and what belongs together.

    Attributes:
        real: The float graph.
        quantized: The int8 graph.
        matches: Every node of the int8 graph that computes, in its order.
        twin: Tensor of the int8 graph to tensor of the float graph, for activations and constants. Several int8 tensors
            may have one twin: what a QUANTIZE gives is the value that it takes.
    """

    real: Graph
    quantized: Graph
    matches: tuple[Match, ...]
    twin: Mapping[int, int]

    def activations(self) -> tuple[Tensor, ...]:
        """The quantized values that flow, inputs of the network first, in the order in which they are computed."""
        computed = [index for node in self.quantized.nodes for index in node.outputs]
        found = (self.quantized.tensors[index] for index in (*self.quantized.inputs, *computed))
        return tuple(one for one in found if one.dtype in INTEGERS and one.quant is not None and one.index in self.twin)

    def layers(self) -> tuple[Match, ...]:
        """The matches that have weights."""
        return tuple(match for match in self.matches if weights_of(self.quantized, match.quantized) is not None)

    def own(self, match: Match) -> bool:
        """Whether weights and bias of a layer are those of no other: a Keras layer that is called twice shares both."""
        found = (weights_of(self.real, match.real), bias_of(self.real, match.real))
        return all(one is None or self._readers[one.index] == 1 for one in found)

    @functools.cached_property
    def _readers(self) -> Counter[int]:
        """How many nodes of the float graph read a tensor."""
        return Counter(index for node in self.real.nodes for index in node.inputs)

    def label(self, node: Node) -> str:
        """How people call a node of the int8 graph: after its layer, with the operator."""
        return layer_name(self.quantized, node)


def weights_of(graph: Graph, node: Node) -> Tensor | None:
    """The constant weights of a node; None where it has none."""
    place = 1 if node.op in CONVOLUTIONS else None
    if place is None or len(node.inputs) <= place or node.inputs[place] == ABSENT:
        return None
    tensor = graph.tensors[node.inputs[place]]
    return tensor if tensor.is_constant else None


def bias_of(graph: Graph, node: Node) -> Tensor | None:
    """The constant bias of a node; None where it has none."""
    if node.op not in CONVOLUTIONS:
        return None
    place = 3 if node.op == "TRANSPOSE_CONV" else 2
    if len(node.inputs) <= place or node.inputs[place] == ABSENT:
        return None
    tensor = graph.tensors[node.inputs[place]]
    return tensor if tensor.is_constant else None


def input_of(node: Node) -> int:
    """The tensor that a node with weights is applied to."""
    return node.inputs[2 if node.op == "TRANSPOSE_CONV" else 0]


def layer_name(graph: Graph, node: Node) -> str:
    """``conv2d_3 (CONV_2D)``: the layer that a node came from, as the converter's names tell, and the operator.

    The name of a value lists all that was fused into its node; of a convolution the last part that computes one is
    meant, since constants that are shared between layers add the names of other layers in front of it.
    """
    parts = [part.split("/") for part in graph.tensors[node.outputs[0]].name.split(";")]
    named = [part[-2] for part in parts if len(part) > 1]
    multiplying = [part[-2] for part in parts if len(part) > 1 and _MULTIPLIES.fullmatch(part[-1])]
    found = multiplying[-1:] if node.op in CONVOLUTIONS and multiplying else named[:1]
    return f"{found[0]} ({node.op})" if found else f"node {node.index} ({node.op})"


_MULTIPLIES = re.compile(r"(convolution|Conv2D|depthwise|MatMul|conv2d_transpose)\d*")


def values(tensor: Tensor) -> np.ndarray:
    """A constant as an array of its own type and shape.

    Raises:
        EdgecnnError: It is no constant of numbers.
    """
    if tensor.data is None:
        raise EdgecnnError(f"{tensor} is no constant.")
    return np.frombuffer(tensor.data, np.dtype(tensor.dtype).newbyteorder("<")).reshape(tensor.shape)


def real_values(tensor: Tensor) -> np.ndarray:
    """A constant as float64: dequantized where it is quantized."""
    found = values(tensor).astype(np.float64)
    if tensor.quant is None:
        return found
    shape = [1] * len(tensor.shape)
    if tensor.quant.per_channel:
        shape[tensor.quant.axis] = -1
    scale, zero_point = np.array(tensor.quant.scale), np.array(tensor.quant.zero_point)
    if not shape:
        shape = [1] * found.ndim
    dequantized: np.ndarray = (found - zero_point.reshape(shape)) * scale.reshape(shape)
    return dequantized


def match_graphs(real: Graph, quantized: Graph) -> Pair:
    """Say which node of a float graph each node of an int8 graph is.

    Args:
        real: Float throughout.
        quantized: Its quantized form, by whatever tool.

    Raises:
        EdgecnnError: The first graph is not float, the second not quantized, or they are not the same network; the
            message names the node.
    """
    _require_kinds(real, quantized)
    if len(real.inputs) != len(quantized.inputs):
        raise EdgecnnError(_differ(real, quantized, f"they have {len(real.inputs)} and {len(quantized.inputs)} inputs"))
    twin = dict(zip(quantized.inputs, real.inputs, strict=True))
    same = {index: index for index in range(len(real.tensors))}    # float tensor to the one whose value it has
    for node in real.nodes:
        if node.op in _PASSING:
            same[node.outputs[0]] = same[node.inputs[0]]
    left = [node for node in real.nodes if node.op not in _PASSING]
    matches = []
    for node in quantized.nodes:
        if node.op in _PASSING:
            if node.inputs[0] in twin:
                twin[node.outputs[0]] = twin[node.inputs[0]]
            continue
        found = _counterpart(real, quantized, node, left, twin, same)
        left.remove(found)
        matches.append(Match(found, node))
        twin.update(_twins_of(quantized, matches[-1], same))
    return Pair(real, quantized, tuple(matches), twin)


def _require_kinds(real: Graph, quantized: Graph) -> None:
    if _computes_integers(real):
        raise EdgecnnError(f"{real.name}: this file is quantized already; the first of a pair is the float one.")
    if not _computes_integers(quantized):
        raise EdgecnnError(f"{quantized.name}: nothing in this file is quantized; the int8 one is needed.")


def _computes_integers(graph: Graph) -> bool:
    return any(graph.tensors[index].dtype in INTEGERS for node in graph.nodes for index in node.outputs)


def _differ(real: Graph, quantized: Graph, why: str) -> str:
    return (
        f"{real.name} and {quantized.name} are not the float and the int8 form of one network: {why}. "
        "Convert both from the same model."
    )


def _values_in(graph: Graph, node: Node) -> list[int]:
    """The inputs of a node that are no constants."""
    return [index for index in node.inputs if index != ABSENT and not graph.tensors[index].is_constant]


def _counterpart(
    real: Graph, quantized: Graph, node: Node, left: list[Node], twin: Mapping[int, int], same: Mapping[int, int]
) -> Node:
    wanted = [twin.get(index) for index in _values_in(quantized, node)]
    found = [
        one
        for one in left
        if one.op == node.op
        and [same[index] for index in _values_in(real, one) if not _constant_behind(real, same, index)] == wanted
        and _shapes(real, one) == _shapes(quantized, node)
    ]
    if not found:
        raise EdgecnnError(_differ(real, quantized, f"{quantized.node_label(node)} has no counterpart in the first"))
    errors = [_distance(real, quantized, one, node) for one in found]
    nearest = int(np.argmin(errors))
    if errors[nearest] > _SAME_NETWORK:
        raise EdgecnnError(_differ(real, quantized, f"{quantized.node_label(node)} has other weights"))
    return found[nearest]


def _constant_behind(real: Graph, same: Mapping[int, int], index: int) -> bool:
    """Whether a value is a constant that was stored narrower (float16) and is widened by a DEQUANTIZE."""
    return real.tensors[same[index]].is_constant


def _shapes(graph: Graph, node: Node) -> list[tuple[int, ...]]:
    return [graph.tensors[index].shape for index in node.outputs]


def _constants(graph: Graph, node: Node) -> Iterator[Tensor]:
    """Constants that are numbers to compute with: weights, factors, not shapes or axes."""
    for tensor in graph.present(node.inputs):
        if tensor.is_constant and (tensor.dtype in INTEGERS or tensor.dtype == "float32") and tensor.size:
            yield tensor


def _distance(real: Graph, quantized: Graph, one: Node, node: Node) -> float:
    """How far the constants of two nodes are apart, relative to their size; 0 without constants."""
    worst = 0.0
    for first, second in zip(_constants(real, one), _constants(quantized, node), strict=False):
        if first.shape != second.shape:
            return np.inf
        if second.dtype == "float32":
            continue
        exact, rounded = real_values(first), real_values(second)
        size = float(np.linalg.norm(exact))
        worst = max(worst, float(np.linalg.norm(exact - rounded)) / size if size else 0.0)
    return worst


def _twins_of(quantized: Graph, match: Match, same: Mapping[int, int]) -> dict[int, int]:
    """Outputs and constants of a match."""
    found = dict(zip(match.quantized.outputs, match.real.outputs, strict=True))
    for mine, theirs in zip(match.quantized.inputs, match.real.inputs, strict=False):
        if ABSENT not in (mine, theirs) and quantized.tensors[mine].is_constant:
            found[mine] = same[theirs]
    return found
