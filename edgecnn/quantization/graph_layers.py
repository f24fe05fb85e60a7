"""An int8 ``.tflite`` as a Keras model that computes what the file computes, in real numbers and with gradients.

The model follows the int8 graph node by node. Weights and biases are those of the float file, where batch
normalization is folded already; every value that the file quantizes is rounded to the steps of its range, by its group
(``requantize.groups_of``). So what is trained, or what is measured with one layer quantized at a time, is the very
network that ``requantize.requantized`` writes, and no second conversion is needed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from edgecnn.errors import EdgecnnError
from edgecnn.keras_quiet import import_keras
from edgecnn.quantization.pair import CONVOLUTIONS, INTEGERS, Pair, bias_of, input_of, real_values, values, weights_of
from edgecnn.quantization.requantize import MOVES, Range, groups_of
from firmware_export.graph import ABSENT, Node, Quant, Tensor

INPUTS = -1
"""In ``quantize``: the inputs of the network."""

Kind = Literal["fixed", "learned", "moving"]

_COMPUTE = frozenset(("AVERAGE_POOL_2D", "RESIZE_BILINEAR"))
"""Of those that share a scale with their input, the ones that give other numbers than they take."""

_LIMITS = {"int8": (-128, 127), "int16": (-32768, 32767)}


def range_of(quant: Quant, number: str) -> Range:
    """The range that a scale and a zero point span."""
    first, last = ((limit - quant.zero_point[0]) * quant.scale[0] for limit in _LIMITS[number])
    return Range(first, last)


def fake_quantized(
    pair: Pair,
    ranges: Mapping[int, Range] | None = None,
    quantize: Collection[int] | None = None,
    constants: Mapping[int, np.ndarray] | None = None,
    *,
    kind: Kind = "fixed",
    updates: int = 0,
    round_output: bool = True,
) -> Any:
    """The network of a pair of files with rounding simulated.

    Args:
        pair: The two graphs, of one input and one output.
        ranges: In place of the file's, by the first tensor of a group (``groups_of``).
        quantize: Nodes of the int8 graph (``Node.index``) whose weights and outputs are rounded, ``INPUTS`` for the
            input of the network; by default all. With none of them it is the float network.
        constants: In place of the float file's weights and biases, by tensor of the float graph.
        kind: How ranges learn, see ``FakeQuantization``. That of the input stays: it is part of the contract.
        updates: For moving ranges, the number of batches after which they stay.
        round_output: Whether an output at a scale of the operator's own (SOFTMAX, LOGISTIC, ...) is rounded. In
            training it is not: a probability that is rounded to 0 has no gradient.

    Returns:
        A ``keras.Model`` ``[N, *shape without batch]`` to real outputs ``[N, *shape without batch]``, its layers named
        by ``layer_name`` and ``range_name``. It can be saved and trained.

    Raises:
        EdgecnnError: The network has several inputs or outputs, or an operator that has no counterpart here.
    """
    import_keras("quantization")
    check_operators(pair)
    return _Builder(pair, ranges or {}, quantize, constants or {}, kind, updates).model(round_output)


def check_operators(pair: Pair) -> None:
    """Refuse what cannot be built, naming the node.

    Raises:
        EdgecnnError: The network has several inputs or outputs, or an operator that has no counterpart here.
    """
    from edgecnn.layers.graph_functions import FUNCTIONS

    graph = pair.quantized
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise EdgecnnError(
            f"{graph.name} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; quantization can be "
            "simulated for one of each."
        )
    for index in (*graph.inputs, *graph.outputs):
        if graph.tensors[index].shape[:1] != (1,):
            raise EdgecnnError(f"{graph.name}: {graph.tensors[index]}: its first dimension must be a batch of 1.")
    for node in graph.nodes:
        if node.custom or node.op not in FUNCTIONS:
            raise EdgecnnError(
                f"{graph.name}: {graph.node_label(node)}: its quantization cannot be simulated (supported: "
                f"{', '.join(sorted(FUNCTIONS))}). Replace the layer, or quantize without simulation."
            )
        weights = weights_of(graph, node)
        if node.op in CONVOLUTIONS and (weights is None or weights.dtype not in ("int8", "float32")):
            found = "computed at run time" if weights is None else weights.dtype
            raise EdgecnnError(
                f"{graph.name}: {graph.node_label(node)}: its weights are {found}; quantization can be simulated for "
                "int8 weights that are constants. Replace the layer."
            )


def layer_name(node: Node) -> str:
    """What the Keras layer of a node is called."""
    return f"node_{node.index}_{node.op.lower()}"


def range_name(group: int) -> str:
    """What the Keras layer of a range is called."""
    return f"range_{group}"


@dataclass(frozen=True)
class Trained:
    """What a trained model would have in a file.

    Attributes:
        ranges: By group, for ``requantized``.
        constants: Weights and biases by tensor of the float graph, for ``requantized``.
    """

    ranges: Mapping[int, Range] = field(default_factory=dict)
    constants: Mapping[int, np.ndarray] = field(default_factory=dict)


def trained(model: Any, pair: Pair) -> Trained:
    """Read ranges, weights and biases back from a model that ``fake_quantized`` made of the pair.

    Raises:
        EdgecnnError: The model was made of another network.
    """
    layers = {layer.name: layer for layer in model.layers}
    constants, ranges = dict[int, np.ndarray](), dict[int, Range]()
    for match in pair.layers():
        layer = layers.get(layer_name(match.quantized))
        if layer is None:
            raise EdgecnnError(
                f"{model.name}: no layer {layer_name(match.quantized)}, so it was not made of {pair.quantized.name}."
            )
        for tensor, variable, name in (
            (weights_of(pair.quantized, match.quantized), layer.real()[0], "weights"),
            (bias_of(pair.quantized, match.quantized), layer.real()[1], "bias"),
        ):
            if tensor is not None and name in layer.learned:
                constants[pair.twin[tensor.index]] = variable
    for group in sorted(set(groups_of(pair).values())):
        layer = layers.get(range_name(group))
        if layer is not None and layer.kind != "fixed":
            ranges[group] = Range(*layer.range())
    return Trained(ranges, constants)


_USUAL = 0.05
"""Root mean square of the weights of a layer, as initializers and training leave it: learning rates are made for it."""


def _unit(values: np.ndarray, otherwise: float) -> float:
    """A power of two in which the values are as large as weights usually are; ``otherwise`` where all are 0."""
    size = float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
    return float(2.0 ** round(math.log2(size / _USUAL))) if size > 0 else otherwise


Key = int | Quant
"""What tells ranges apart: the first tensor of a group, or a scale that is fixed."""


class _Builder:
    """Makes the layers of one model; arguments as those of ``fake_quantized``."""

    def __init__(
        self,
        pair: Pair,
        ranges: Mapping[int, Range],
        quantize: Collection[int] | None,
        constants: Mapping[int, np.ndarray],
        kind: Kind,
        updates: int,
    ) -> None:
        self._pair, self._graph = pair, pair.quantized
        self._ranges, self._quantize, self._constants = ranges, quantize, constants
        self._kind, self._updates = kind, updates
        self._groups = groups_of(pair)
        self._often = _often_used(pair)
        self._layers: dict[Key, Any] = {}
        self._members: Counter[Key] = Counter()
        self._at_steps: dict[int, Key] = {}
        self._values: dict[int, Any] = {}
        self._scales: dict[int, Any] = {}    # of values that were rounded

    def model(self, round_output: bool) -> Any:
        keras = import_keras("quantization")
        first, last = self._graph.tensors[self._graph.inputs[0]], self._graph.tensors[self._graph.outputs[0]]
        number = "float32" if first.quant is not None else first.dtype
        given = keras.Input(first.shape[1:], dtype=number, name="input")
        plan = self._plan(round_output)
        self._make_ranges(plan)
        self._values[first.index] = _reshape(given, first.shape, number, "sample")
        self._round(plan, first.index)
        for node in self._graph.nodes:
            self._node(node, plan)
        output = _reshape(self._values[last.index], last.shape[1:], "float32", "output")
        return keras.Model(given, output, name="fake_quantized")

    def _node(self, node: Node, plan: Mapping[int, Key]) -> None:
        """The layer of a node, and the rounding of what it gives."""
        taken = [index for index in node.inputs if index in self._values]
        layer, constants = self._layer(node)
        summed = getattr(layer, "summed", False)
        found = layer([self._values[index] for index in taken] + ([self._scales[taken[0]]] if summed else []))
        for constant, array in zip(layer.constants, constants, strict=True):
            constant.assign(array)
        *outputs, steps = found if summed else (*(found if isinstance(found, list) else [found]), None)
        self._values.update(zip(node.outputs, outputs, strict=True))
        scale = self._scales.get(taken[0]) if taken else None
        count = 1
        if node.op in ("MEAN", "QUANTIZE") and scale is not None:
            steps = scale
            sizes = [self._graph.tensors[index].size for index in (taken[0], node.outputs[0])]
            count = sizes[0] // sizes[1]
        for index in node.outputs:
            if index in plan:
                self._round(plan, index, steps, count, stored=node.op in _COMPUTE)
            elif index in self._at_steps and scale is not None:
                self._scales[index] = scale

    def _chosen(self, index: int) -> bool:
        return self._quantize is None or index in self._quantize

    def _plan(self, round_output: bool) -> dict[int, Key]:
        """Which values are rounded to which range; those left out that are at its steps already."""
        tensors, at_steps, plan = self._graph.tensors, self._at_steps, dict[int, Key]()
        input_index = self._graph.inputs[0]
        if self._chosen(INPUTS) and tensors[input_index].quant is not None:
            plan[input_index] = at_steps[input_index] = self._key(tensors[input_index])
        for node in self._graph.nodes:
            taken = [index for index in node.inputs if index != ABSENT and not tensors[index].is_constant]
            for index in node.outputs:
                if not self._chosen(node.index) or tensors[index].dtype not in INTEGERS or tensors[index].quant is None:
                    continue
                at_steps[index] = self._key(tensors[index])
                only_moved = node.op in MOVES and node.op not in _COMPUTE
                if not only_moved or any(at_steps.get(one) != at_steps[index] for one in taken):
                    plan[index] = at_steps[index]
        if not round_output:
            plan.pop(self._end(), None)
        return plan

    def _end(self) -> int:
        """Where the output of the network is computed, if at a fixed scale; what only moves it left out."""
        index = self._graph.outputs[0]
        writer = {output: node for node in self._graph.nodes for output in node.outputs}
        while index in writer and writer[index].op in MOVES:
            index = writer[index].inputs[0]
        return index if index not in self._groups else ABSENT

    def _key(self, tensor: Tensor) -> Key:
        assert tensor.quant is not None    # asked for quantized values only
        return self._groups.get(tensor.index, tensor.quant)

    def _make_ranges(self, plan: Mapping[int, Key]) -> None:
        from edgecnn.layers.fake_quantization import FakeQuantization

        tensors, members = self._graph.tensors, Counter(plan.values())
        source = self._pair.real.inputs[0]
        given = {key for index, key in plan.items() if self._pair.twin.get(index) == source}
        for index, key in plan.items():
            if key in self._layers:
                continue
            tensor = tensors[index]
            assert tensor.quant is not None    # as above
            span = self._ranges.get(key) if isinstance(key, int) else None
            span = span or range_of(tensor.quant, tensor.dtype)
            learns = isinstance(key, int) and key not in given
            self._layers[key] = FakeQuantization(
                min(span.low, 0.0),
                max(span.high, 0.0),
                number=tensor.dtype,
                kind=self._kind if learns else "fixed",
                members=members[key],
                updates=self._updates,
                name=range_name(key) if isinstance(key, int) else f"fixed_{index}",
            )

    def _round(
        self, plan: Mapping[int, Key], index: int, steps: Any = None, count: int = 1, stored: bool = False
    ) -> None:
        if index not in plan:
            return
        key = plan[index]
        taken = [self._values[index]] if steps is None else [self._values[index], steps]
        found = self._layers[key](taken, member=self._members[key], count=count, stored=stored)
        self._values[index], self._scales[index] = found
        self._members[key] += 1

    def _layer(self, node: Node) -> tuple[Any, list[np.ndarray]]:
        """The layer of a node, and what its constants are to be."""
        from edgecnn.layers.graph_operation import GraphOperation, WeightedOperation

        graph, operands, constants = self._graph, list[Any](), list[np.ndarray]()
        weights, bias = weights_of(graph, node), bias_of(graph, node)
        for index in node.inputs:
            tensor = None if index == ABSENT else graph.tensors[index]
            if tensor is None or not tensor.is_constant:
                operands.append("absent" if tensor is None else "value")
            elif weights is not None and index == weights.index:
                operands.append("weights")
            elif bias is not None and index == bias.index:
                operands.append("bias")
            elif tensor.quant is None and not tensor.dtype.startswith("float"):
                operands.append(values(tensor).tolist())
            else:
                operands.append({"shape": list(tensor.shape)})
                constants.append(self._constant(tensor, self._chosen(node.index)))
        described: dict[str, Any] = {
            "op": node.op,
            "options": {name: list(one) if isinstance(one, tuple) else one for name, one in node.options.items()},
            "operands": operands,
            "shapes": [list(graph.tensors[index].shape) for index in node.outputs],
            "number": _number(graph.tensors[node.outputs[0]]),
            "name": layer_name(node),
        }
        if weights is None:
            return GraphOperation(**described), constants
        rounded = self._chosen(node.index) and weights.quant is not None
        kernel = self._constant(weights, rounded=False)
        added = None if bias is None else self._constant(bias, rounded=False)
        unit = _unit(kernel, 1.0)
        layer = WeightedOperation(
            kernel_shape=weights.shape,
            bias_shape=None if bias is None else bias.shape,
            rounded=rounded,
            summed=rounded and input_of(node) in self._scales,
            axis=weights.quant.axis if weights.quant is not None and weights.quant.per_channel else None,
            learned=[
                name
                for name, one in (("weights", weights), ("bias", bias))
                if one is not None and one.index in self._pair.twin and self._pair.twin[one.index] not in self._often
            ],
            units=(unit, unit if added is None else _unit(added, unit)),
            **described,
        )
        layer.build(None)
        layer.assign(kernel, added)
        return layer, constants

    def _constant(self, tensor: Tensor, rounded: bool) -> np.ndarray:
        """A constant as it stands in the quantized file, or as it was before."""
        twin = self._pair.twin.get(tensor.index)
        if rounded or twin is None:
            return real_values(tensor).astype(np.float32)
        exact = self._constants[twin] if twin in self._constants else values(self._pair.real.tensors[twin])
        return np.asarray(exact, np.float32).reshape(tensor.shape)


def _number(tensor: Tensor) -> str:
    """Type of a value in the model."""
    return "float32" if tensor.quant is not None else tensor.dtype


def _often_used(pair: Pair) -> set[int]:
    """Float weights and biases that several nodes have: the file has one place for them, so they are not trained."""
    used: Counter[int] = Counter()
    for match in pair.layers():
        for tensor in (weights_of(pair.quantized, match.quantized), bias_of(pair.quantized, match.quantized)):
            if tensor is not None and tensor.index in pair.twin:
                used[pair.twin[tensor.index]] += 1
    return {index for index, count in used.items() if count > 1}


def _reshape(value: Any, shape: tuple[int, ...], number: str, name: str) -> Any:
    """The same numbers as ``[N, *shape]``."""
    from edgecnn.layers.graph_operation import GraphOperation

    return GraphOperation("RESHAPE", {}, ["value"], [list(shape)], number, name=name)([value])
