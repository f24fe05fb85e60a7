"""What an operator tells the compiler about itself, and what most operators share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from firmware_export.errors import ModelError
from firmware_export.graph import ABSENT, Graph, Node, Quant, Tensor
from firmware_export.layer import Layer, Value

RANGES: Mapping[str, tuple[int, int]] = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-(1 << 15), (1 << 15) - 1)}
"""The lowest and the highest value of a quantized type."""

Inputs = Sequence[NDArray[Any] | None]
"""The values of a node's inputs in their order, constants among them; None where one is absent."""

QUANTIZE = (
    "Quantize the model to full int8 (TFLiteConverter: inference_input_type and inference_output_type int8; "
    "or edgecnn quantize)."
)
"""The way out for a model that is not quantized, or whose inputs and outputs are not."""

ReferenceFunction = Callable[[Graph, Node, Inputs], tuple[NDArray[Any], ...]]


class Lowering(Protocol):
    """What an operator is given to make layers of its node."""

    graph: Graph

    def value(self, tensor: int) -> Value:
        """The value that holds a tensor: computed by an earlier layer, the network's input, or a constant."""

    def output(self, tensor: int, rows: int, row_bytes: int) -> Value:
        """The value of a tensor that this node writes, in rows as its layer makes them; the same if asked again."""

    def add(self, *forms: Layer) -> None:
        """Append a layer, given in all its forms (``Layer.alternatives``), the fastest first."""

    def alias(self, source: int, target: int) -> None:
        """Let the tensor ``target``, which this node writes, be the bytes of ``source``: nothing moves."""


LayerForms = Callable[[Lowering, Node], Iterator[Layer]]
"""What an instruction set makes of a node: the forms of its layer, the fastest first; none if it has none."""


@dataclass(frozen=True)
class Op:
    """One operator of TFLite.

    Attributes:
        name: TFLite's name, ``CONV_2D``.
        check: Raises ``ModelError`` (by ``refuse``) for what is not supported of this node. Called before the rest.
        reference: The operator in NumPy on whole tensors, bit for bit as TFLite Micro.
        lower: Adds the node's layers; None for one that moves nothing (``alias``) or that a pass always removes.
        macs: Multiply-accumulates of a node.
        alias: The output is the first input's bytes under another shape.
    """

    name: str
    check: Callable[[Graph, Node], None]
    reference: ReferenceFunction
    lower: Callable[[Lowering, Node], None] | None
    macs: Callable[[Graph, Node], int] = lambda _graph, _node: 0
    alias: bool = False


def refuse(graph: Graph, node: Node, found: str, supported: str, advice: str = "") -> NoReturn:
    """Say that a node is not supported.

    Args:
        graph: The network.
        node: The node.
        found: What it has, as the predicate: ``dilation 2x2 with stride 2x2``.
        supported: What would be taken: ``int8``.
        advice: What to do next, a sentence.

    Raises:
        ModelError: ``NAME: node 7 CONV_2D 'block2/conv': FOUND is not supported (supported: SUPPORTED). ADVICE``.
    """
    text = f"{graph.name}: {graph.node_label(node)}: {found} is not supported (supported: {supported})."
    raise ModelError(f"{text} {advice}" if advice else text)


def input_tensor(graph: Graph, node: Node, position: int) -> Tensor | None:
    """The tensor at a position of the inputs; None if it is absent or the node has fewer."""
    if position >= len(node.inputs) or node.inputs[position] == ABSENT:
        return None
    return graph.tensors[node.inputs[position]]


def need_input(graph: Graph, node: Node, position: int, what: str) -> Tensor:
    """The tensor at a position of the inputs.

    Raises:
        ModelError: There is none.
    """
    tensor = input_tensor(graph, node, position)
    if tensor is None:
        refuse(graph, node, f"a missing {what}", f"a {what} as input {position}", "The file is damaged.")
    return tensor


def output_tensor(graph: Graph, node: Node, position: int = 0) -> Tensor:
    """The tensor at a position of the outputs.

    Raises:
        ModelError: There is none.
    """
    if position >= len(node.outputs):
        refuse(graph, node, f"{len(node.outputs)} outputs", f"at least {position + 1}", "The file is damaged.")
    return graph.tensors[node.outputs[position]]


def need_dtype(graph: Graph, node: Node, tensor: Tensor, what: str, *dtypes: str) -> None:
    """Refuse a tensor of another element type."""
    if tensor.dtype not in dtypes:
        advice = QUANTIZE if "float" in tensor.dtype else ""
        refuse(graph, node, f"{what} of type {tensor.dtype}", ", ".join(dtypes), advice)


def need_quant(graph: Graph, node: Node, tensor: Tensor, what: str) -> Quant:
    """The one scale and zero point of a tensor.

    Raises:
        ModelError: It has none, several, or a scale of zero.
    """
    quant = tensor.quant
    if quant is None or len(quant.scale) != 1 or len(quant.zero_point) != 1:
        refuse(graph, node, f"{what} without one scale and zero point", "per-tensor quantized activations")
    if not quant.scale[0] > 0:
        refuse(graph, node, f"{what} with the scale {quant.scale[0]:g}", "scales above 0")
    if tensor.dtype == "int8" and not -128 <= quant.zero_point[0] <= 127:
        refuse(graph, node, f"{what} with the zero point {quant.zero_point[0]}", "-128 to 127")
    return quant


def need_int8(graph: Graph, node: Node, tensor: Tensor, what: str) -> Quant:
    """The quantization of an int8 activation; refuses anything else."""
    need_dtype(graph, node, tensor, what, "int8")
    return need_quant(graph, node, tensor, what)


def need_quantized(graph: Graph, node: Node, tensor: Tensor, what: str, like: Tensor | None = None) -> Quant:
    """The quantization of an activation, int8 or int16; refuses anything else.

    Args:
        graph: The network.
        node: The node.
        tensor: The activation.
        what: Its name in messages.
        like: One whose type it must have; None for either type.

    Raises:
        ModelError: It is of another type, or int16 with a zero point: 16-bit activations are symmetric.
    """
    need_dtype(graph, node, tensor, what, *(("int8", "int16") if like is None else (like.dtype,)))
    quant = need_quant(graph, node, tensor, what)
    if tensor.dtype == "int16" and quant.zero_point[0]:
        refuse(graph, node, f"{what} of type int16 with the zero point {quant.zero_point[0]}", "0")
    return quant


def need_constant(graph: Graph, node: Node, tensor: Tensor, what: str) -> None:
    """Refuse a tensor that is computed at run time."""
    if not tensor.is_constant:
        refuse(graph, node, f"{what} computed at run time", f"a constant {what}")


def need_rank(graph: Graph, node: Node, tensor: Tensor, what: str, *ranks: int) -> None:
    """Refuse a tensor with another number of dimensions."""
    if len(tensor.shape) not in ranks:
        wanted = " or ".join(map(str, ranks))
        refuse(graph, node, f"{what} of shape {list(tensor.shape)}", f"{wanted} dimensions")


def need_batch_1(graph: Graph, node: Node, tensor: Tensor, what: str) -> None:
    """Refuse a batch of more than one sample."""
    if tensor.shape and tensor.shape[0] != 1:
        refuse(graph, node, f"{what} with a batch of {tensor.shape[0]}", "a batch of 1")


def constant(tensor: Tensor) -> NDArray[Any]:
    """The values of a constant in its shape. ``tensor.data`` is there."""
    assert tensor.data is not None
    return np.frombuffer(tensor.data, np.dtype(tensor.dtype)).reshape(tensor.shape)


def option_int(node: Node, name: str, default: int = 0) -> int:
    """A whole-number attribute."""
    value = node.options.get(name, default)
    return int(value) if isinstance(value, (int, float)) else default


def option_text(node: Node, name: str, default: str = "NONE") -> str:
    """An attribute that is a name, such as ``fused_activation_function``."""
    value = node.options.get(name, default)
    return value if isinstance(value, str) else default
