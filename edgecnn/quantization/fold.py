"""Batch normalizations taken into convolutions and dense layers where TFLiteConverter would leave them.

The converter takes one into the layer right in front of it, if that has no activation, and into a dense layer right
behind it. Everywhere else it leaves a MUL and an ADD. In inference a batch normalization is ``y = g * x + b`` for each
channel, so:

===========================  ==========================================================================================
back, whole                  through pooling into a linear layer in front: kernel and bias times ``g``, bias plus ``b``
back, the size of ``g``      through ReLU too, since ``|g| relu(x) = relu(|g| x)``: weights have a scale for each output
                             channel, so this costs no precision, and the activation's channels become alike
forward, what is left        through pooling, Dropout, Flatten into the layers that read it: kernel times ``g``, bias
                             plus the sum of the kernel times ``b``
forward, padded with zeros   the factor alone; ``b / g`` is added in front (``AddChannels``), behind the pool
nothing reads it that could  the factor back, where it is positive, and ``b`` is added
===========================  ==========================================================================================

Otherwise it stays. What is not surely the same in inference (layers called twice, masks, other types than float32,
subclasses of Keras's layers) stays too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgecnn.keras_quiet import import_keras
from edgecnn.quantization import fold_weights
from edgecnn.quantization.fold_weights import Affine

_NEUTRAL = frozenset({
    "ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "Identity",
    "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D",
})  # fmt: skip
"""Layers that do nothing in inference."""

_MAXIMA = frozenset(f"{kind}Pooling{rank}D" for kind in ("Max", "GlobalMax") for rank in (1, 2, 3))
_MEANS = frozenset(f"GlobalAveragePooling{rank}D" for rank in (1, 2, 3))
_AVERAGES = frozenset(f"AveragePooling{rank}D" for rank in (1, 2, 3))
_MOVES = frozenset(f"{kind}{rank}D" for kind in ("Cropping", "UpSampling") for rank in (1, 2, 3))
_PADDINGS = frozenset(f"ZeroPadding{rank}D" for rank in (1, 2, 3))
_SHAPES = frozenset({"Flatten", "Reshape"})


@dataclass(frozen=True)
class Fold:
    """A batch normalization that is gone.

    Attributes:
        name: Its layer.
        into: Layers whose weights took it in.
        added: Whether an addition for each channel stays.
    """

    name: str
    into: tuple[str, ...]
    added: bool

    def __str__(self) -> str:
        """``bn into conv2d_1 and dense, with an addition``."""
        parts = [f"into {' and '.join(self.into)}" if self.into else "", "with an addition" if self.added else ""]
        return f"{self.name} {', '.join(part for part in parts if part)}"


@dataclass(frozen=True)
class Stay:
    """A batch normalization that stays.

    Attributes:
        name: Its layer.
        why: In words.
    """

    name: str
    why: str


@dataclass(frozen=True)
class Folded:
    """What was done, in the order of the network; those that the converter takes in itself are in neither.

    Attributes:
        done: Those that went.
        stayed: Those that did not.
    """

    done: tuple[Fold, ...] = ()
    stayed: tuple[Stay, ...] = ()


def folded(model: Any) -> tuple[Any, Folded]:
    """A model that computes the same in inference, with batch normalizations folded wherever they stand.

    Args:
        model: A functional or Sequential ``keras.Model``, other models inside it included. It is left as it is.

    Returns:
        The new model, which shares the layers that did not change; ``model`` itself where nothing was folded. And what
        was done.
    """
    models = {id(one): one for one in _models_in(model)}
    graphs = [_Graph(one) for one in models.values()]
    uses: dict[int, int] = {}
    for graph in graphs:
        for node in graph.nodes:
            uses[id(node.operation)] = uses.get(id(node.operation), 0) + 1
    work = _Work({layer for layer, count in uses.items() if count == 1})
    for graph in graphs:
        for node in graph.nodes:
            if _name(node.operation) == "BatchNormalization":
                work.fold(graph, node)
    result = Folded(tuple(work.done), tuple(work.stayed))
    return (work.rebuilt(model) if work.done else model), result


class _StaysError(Exception):
    """Why a batch normalization cannot be folded."""


class _Graph:
    """The calls of one model, in their order, and who reads what."""

    def __init__(self, model: Any) -> None:
        # Keras has no public way to a model's nodes, and a layer's own list has its uses in other models too.
        functional = getattr(model, "_functional", None) or model
        by_depth = functional._nodes_by_depth
        self.nodes = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]
        self._makers, self._readers = dict[int, Any](), dict[int, list[Any]]()
        for node in self.nodes:
            for tensor in node.output_tensors:
                self._makers[id(tensor)] = node
            for tensor in node.input_tensors:
                self._readers.setdefault(id(tensor), []).append(node)
        for tensor in functional.outputs:
            self._readers.setdefault(id(tensor), []).append(None)

    def maker(self, tensor: Any) -> Any:
        """The call that computes a tensor."""
        return self._makers.get(id(tensor))

    def readers(self, tensor: Any) -> list[Any]:
        """The calls that read it; None for the end of the model."""
        return self._readers.get(id(tensor), [])


@dataclass(frozen=True)
class _Writer:
    """The layer in front of a batch normalization that a factor may go into.

    Attributes:
        layer: With weights.
        bent: A ReLU or a zero padding stands in between: a shift does not go through, nor a negative factor.
        maximum: Neither does a negative factor through a maximum.
        next_to: Nothing in between does anything.
    """

    layer: Any
    bent: bool = False
    maximum: bool = False
    next_to: bool = True


@dataclass(frozen=True)
class _Reader:
    """A layer behind a batch normalization that it may go into.

    Attributes:
        layer: With weights.
        channels: Its input channels.
        padded: Zeros stand around what it reads.
        next_to: Nothing in between does anything.
        pool: The last pooling in front of it, where nothing else reads what comes on the way.
    """

    layer: Any
    channels: int
    padded: bool = False
    next_to: bool = True
    pool: Any | None = None


class _Work:
    """Weights and layers as they will be."""

    def __init__(self, once: set[int]) -> None:
        self._once = once    # ids of layers that are called once
        self._weights: dict[int, list[np.ndarray]] = {}
        self._gone: set[int] = set()
        self._added: dict[int, np.ndarray] = {}    # behind these layers, or in their place where they are gone
        self.done: list[Fold] = []
        self.stayed: list[Stay] = []

    def fold(self, graph: _Graph, node: Any) -> None:
        """Fold the batch normalization of a call, or note why not."""
        layer = node.operation
        try:
            self._require_plain(node)
            if (fold := self._fold(graph, node, fold_weights.of_normalization(layer))) is not None:
                self._gone.add(id(layer))
                self.done.append(fold)
        except _StaysError as reason:
            self.stayed.append(Stay(layer.name, str(reason)))

    def _require_plain(self, node: Any) -> None:
        layer, (tensor, *_) = node.operation, node.input_tensors
        if not self._alone(layer):
            raise _StaysError("it is called more than once, or not in float32")
        axis = layer.axis[0] if isinstance(layer.axis, (list, tuple)) else layer.axis
        if axis not in (-1, len(tensor.shape) - 1):
            raise _StaysError("its channels are not the last dimension")
        if getattr(tensor, "_keras_mask", None) is not None:
            raise _StaysError("its input has a mask")

    def _alone(self, layer: Any) -> bool:
        return id(layer) in self._once and getattr(layer, "compute_dtype", "") == "float32"

    def _fold(self, graph: _Graph, node: Any, affine: Affine) -> Fold | None:
        """What becomes of it; None where the converter sees to it."""
        layer, writer = node.operation, self._writer(graph, node.input_tensors[0])
        positive = bool((affine.factor > 0).all())
        if writer is not None and not writer.bent and (positive or not writer.maximum):
            if writer.next_to:
                return None
            self._change(writer.layer, fold_weights.behind, affine)
            return Fold(layer.name, (writer.layer.name,), added=False)
        size = np.ones_like(affine.factor)
        if writer is not None:
            size = np.where(affine.factor == 0, 1.0, np.abs(affine.factor))
        left = Affine(affine.factor / size, affine.shift)
        try:
            readers = [*self._readers(graph, node.output_tensors[0], positive, _Reader(None, len(size)))]
            if writer is None and len(readers) == 1 and readers[0].next_to and _name(readers[0].layer) == "Dense":
                return None
            padded = any(reader.padded for reader in readers)
            if padded and (affine.factor == 0).any():
                raise _StaysError("a layer behind it pads with zeros, and a factor of its channels is 0")
        except _StaysError:
            if writer is None or not positive:
                raise
            readers, padded = [], True    # the shift is added where the normalization stood
        if writer is not None:
            self._change(writer.layer, fold_weights.behind, Affine(size, np.zeros_like(size)))
        added = padded and bool(left.shift.any())
        if added:
            place = readers[0].pool if len(readers) == 1 and readers[0].pool is not None else layer
            self._added[id(place)] = left.shift / left.factor
        if padded:
            left = replace(left, shift=np.zeros_like(size))
        for reader in readers:
            self._change(reader.layer, fold_weights.before, left.over(reader.channels))
        into = ([] if writer is None else [writer.layer]) + [reader.layer for reader in readers]
        return Fold(layer.name, tuple(one.name for one in into), added)

    def _change(self, layer: Any, how: Any, affine: Affine) -> None:
        weights = self._weights.get(id(layer)) or fold_weights.weights_with_bias(layer)
        self._weights[id(layer)] = how(layer, weights, affine)

    def _writer(self, graph: _Graph, tensor: Any) -> _Writer | None:
        """Where a positive factor in front of a batch normalization may go."""
        found = _Writer(None)
        while len(graph.readers(tensor)) == 1:
            node = graph.maker(tensor)
            layer = None if node is None else node.operation
            if layer is None or not self._alone(layer) or len(node.input_tensors) != 1 or not _channels_last(layer):
                return None
            name = _name(layer)
            if name in fold_weights.LAYERS:
                activation = _activation(layer)
                bent = found.bent or activation == "relu"
                fits = activation in ("linear", "relu") and _has_plain_weights(layer)
                return replace(found, layer=layer, bent=bent) if fits else None
            if _bends(layer):
                found = replace(found, bent=True)
            elif name in _MAXIMA:
                found = replace(found, maximum=True, next_to=False)
            elif name in _MEANS | _MOVES or (name in _AVERAGES and layer.padding == "valid"):
                found = replace(found, next_to=False)
            elif not _does_nothing(layer):
                return None
            tensor = node.input_tensors[0]
        return None

    def _readers(self, graph: _Graph, tensor: Any, positive: bool, way: _Reader) -> Iterator[_Reader]:
        """Where a batch normalization may go that a tensor comes from.

        Raises:
            _StaysError: One of those that read it cannot take it in.
        """
        calls = graph.readers(tensor)
        if len(calls) > 1:
            way = replace(way, pool=None)
        for node in calls:
            if node is None:
                raise _StaysError("it is an output of its model")
            layer, name = node.operation, _name(node.operation)
            told = f"{layer.name} ({type(layer).__name__}) behind it"
            if len(node.input_tensors) != 1 or not self._alone(layer) or not _channels_last(layer):
                raise _StaysError(f"{told} has several inputs, is called more than once, or is not float32")
            if name in fold_weights.LAYERS:
                if not _has_plain_weights(layer):
                    raise _StaysError(f"{told} has groups or weights of an unknown kind")
                yield replace(way, layer=layer, padded=way.padded or _pads(layer, tensor.shape))
                continue
            output = node.output_tensors[0]
            following = way if _does_nothing(layer) else replace(way, next_to=False)
            if name in _MAXIMA and not positive:
                raise _StaysError(f"{told} takes a maximum, which negative factors do not pass")
            if name in _MAXIMA | _AVERAGES:
                following = replace(following, pool=None if way.padded or len(calls) > 1 else layer)
            if name in _SHAPES:
                if output.shape[-1] is None or output.shape[-1] % way.channels:
                    raise _StaysError(f"{told} mixes channels")
                following = replace(following, channels=output.shape[-1], pool=None)
            elif name in _PADDINGS:
                following = replace(following, padded=True)
            elif not (
                name in _MAXIMA | _MEANS | _MOVES
                or (name in _AVERAGES and layer.padding == "valid")
                or _does_nothing(layer)
            ):
                raise _StaysError(f"{told} cannot take it in")
            yield from self._readers(graph, output, positive, following)

    def rebuilt(self, model: Any) -> Any:
        """The model with what was decided."""
        keras = import_keras("quantization")
        from edgecnn.layers import AddChannels, FoldedNorm

        pending: list[tuple[Any, list[np.ndarray]]] = []

        def clone(layer: Any) -> Any:
            new = layer
            if id(layer) in self._gone:
                new = FoldedNorm(name=layer.name)
            elif id(layer) in self._weights:
                *kernels, bias = self._weights[id(layer)]
                new = type(layer).from_config(layer.get_config() | {"use_bias": bool(layer.use_bias or bias.any())})
                pending.append((new, [*kernels, bias] if new.use_bias else kernels))
            if id(layer) in self._added:
                shift = AddChannels(name=f"{layer.name}_shift")
                pending.append((shift, [self._added[id(layer)]]))
                new = shift if id(layer) in self._gone else keras.Sequential([new, shift], name=f"{layer.name}_shifted")
            return new

        result = keras.models.clone_model(model, clone_function=clone, recursive=True)
        for layer, weights in pending:
            layer.set_weights([weight.astype(np.float32) for weight in weights])
        return result


def _name(layer: Any) -> str:
    """The class's name where it is Keras's own: a user's subclass computes something else."""
    return type(layer).__name__ if type(layer).__module__.partition(".")[0] == "keras" else ""


def _models_in(model: Any) -> Iterator[Any]:
    """The model and those inside it, as far as their layers are known."""
    if getattr(model, "_functional", None) is None and getattr(model, "_nodes_by_depth", None) is None:
        return
    yield model
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _models_in(layer)


def _channels_last(layer: Any) -> bool:
    return bool(getattr(layer, "data_format", "channels_last") == "channels_last")


def _has_plain_weights(layer: Any) -> bool:
    """Whether its weights are the kernels and the bias and nothing else, such as those of an adapter."""
    kernels = 2 if _name(layer) in fold_weights.SEPARABLE else 1
    return getattr(layer, "groups", 1) == 1 and len(layer.weights) == kernels + bool(layer.use_bias)


def _activation(layer: Any) -> str:
    """Name of a layer's activation function; empty where it is not one of Keras's."""
    keras = import_keras("quantization")
    name = keras.activations.serialize(layer.activation)
    return name if isinstance(name, str) else ""


def _does_nothing(layer: Any) -> bool:
    return _name(layer) in _NEUTRAL or (_name(layer) == "Activation" and _activation(layer) == "linear")


def _bends(layer: Any) -> bool:
    """Whether it gives s times the output for s times the input, s > 0, but does not let a shift through."""
    name = _name(layer)
    if name == "ReLU":
        return layer.max_value is None and not layer.threshold
    return name in _PADDINGS | {"LeakyReLU", "PReLU"} or (name == "Activation" and _activation(layer) == "relu")


def _pads(layer: Any, shape: tuple[int | None, ...]) -> bool:
    """Whether a convolution reads zeros around its input ``[N, ..., C]``."""
    if _name(layer) == "Dense" or layer.padding == "valid":
        return False
    if layer.padding != "same":
        return any(size > 1 for size in layer.kernel_size)
    for size, kernel, stride, dilation in zip(
        shape[1:-1], layer.kernel_size, layer.strides, layer.dilation_rate, strict=True
    ):
        reach = (kernel - 1) * dilation + 1
        if reach > 1 and (size is None or (-(-size // stride) - 1) * stride + reach > size):
            return True
    return False
