"""What a network is made of: layers, shapes, parameters, multiply-accumulates, bytes.

A MAC is one multiplication of an activation by a weight with its addition. Counted are convolutions, dense layers,
matrix products and (in Keras) recurrent layers, as published figures of the field count them (MLPerf Tiny, MCUNet);
pooling, additions, activations and normalization count 0. Figures are for one sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edgecnn.contract import Contract
from edgecnn.errors import EdgecnnError
from edgecnn.keras_macs import calls, sample_shape
from edgecnn.keras_macs import macs as keras_macs
from edgecnn.memory_plan import MemoryPlan
from edgecnn.tflite_file import contract_in
from firmware_export.graph import ABSENT, DTYPE_BITS, FLOAT_DTYPES, Graph, Node, Tensor

LARGEST = 5
"""How many of the largest activations are listed: they decide the RAM."""


class Layer(BaseModel):
    """One operation or Keras layer."""

    model_config = ConfigDict(frozen=True)

    index: int
    op: str = Field(description="TFLite's operator or Keras's class.")
    name: str
    output_shape: tuple[int, ...]
    dtype: str = Field(description="Of the output.")
    parameters: int = Field(description="Weights and biases; a constant used twice counts at its first use.")
    macs: int
    weight_bytes: int


class TensorSummary(BaseModel):
    """One tensor that exists while the network runs."""

    model_config = ConfigDict(frozen=True)

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    scale: float | None = None
    zero_point: int | None = None


class Summary(BaseModel):
    """A whole network."""

    model_config = ConfigDict(frozen=True)

    name: str
    format: Literal["tflite", "keras"]
    dtype: str = Field(description="Types of the activations, the most frequent first.")
    layers: tuple[Layer, ...]
    parameters: int
    macs: int
    weight_bytes: int
    inputs: tuple[TensorSummary, ...]
    outputs: tuple[TensorSummary, ...]
    largest_tensors: tuple[TensorSummary, ...] = Field(description=f"The {LARGEST} largest activations.")
    description: str = Field(default="", description="The converter's own remark.")
    contract: Contract | None = None
    file_bytes: int | None = None
    memory: MemoryPlan | None = Field(default=None, description="Of the model compiled to C.")
    memory_note: str = Field(default="", description="Why there is none.")


def _by_weights(graph: Graph, node: Node, weights: int = 1, reduced: slice = slice(1, None)) -> int:
    """Each output element is a sum over the dimensions ``reduced`` of the weights."""
    return _output(graph, node).size * prod(graph.tensors[node.inputs[weights]].shape[reduced])


def _transposed(graph: Graph, node: Node, reduced: slice) -> int:
    """Each input element meets the weights' dimensions ``reduced``; inputs are output shape, weights, activation."""
    return graph.tensors[node.inputs[2]].size * prod(graph.tensors[node.inputs[1]].shape[reduced])


def _matrix_product(graph: Graph, node: Node) -> int:
    shape = graph.tensors[node.inputs[0]].shape
    return _output(graph, node).size * (shape[-2] if node.options["adj_x"] else shape[-1])


def _output(graph: Graph, node: Node) -> Tensor:
    return graph.tensors[node.outputs[0]]


# Layouts of the weights: graph.py.
_MACS: dict[str, Callable[[Graph, Node], int]] = {
    "CONV_2D": _by_weights,
    "DEPTHWISE_CONV_2D": lambda graph, node: _by_weights(graph, node, reduced=slice(1, 3)),
    "FULLY_CONNECTED": _by_weights,
    "TRANSPOSE_CONV": lambda graph, node: _transposed(graph, node, slice(0, 3)),
    "CONV_3D": lambda graph, node: _by_weights(graph, node, reduced=slice(0, 4)),
    "CONV_3D_TRANSPOSE": lambda graph, node: _transposed(graph, node, slice(0, 4)),
    "BATCH_MATMUL": _matrix_product,
}

_BIAS = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3, "CONV_3D": 2}
"""Where a bias stands: an int32 constant that is a parameter, unlike shapes and axes."""


def macs(graph: Graph, node: Node) -> int:
    """Multiply-accumulates of one node.

    Raises:
        EdgecnnError: The node has fewer inputs or dimensions than its operator needs.
    """
    count = _MACS.get(node.op)
    if count is None or node.custom:
        return 0
    try:
        return count(graph, node)
    except IndexError as error:
        raise EdgecnnError(
            f"{graph.name}: {graph.node_label(node)}: it has not the inputs and outputs of a {node.op}. "
            "The file is damaged: convert the model again."
        ) from error


def _parameters(graph: Graph, node: Node) -> Iterator[Tensor]:
    for position, index in enumerate(node.inputs):
        tensor = graph.tensors[index]
        if index == ABSENT or not tensor.is_constant:
            continue
        if tensor.dtype in FLOAT_DTYPES or tensor.quant is not None or position == _BIAS.get(node.op):
            yield tensor


def summarize(graph: Graph) -> Summary:
    """Summarize a TFLite graph.

    Raises:
        EdgecnnError: The contract in it cannot be read, or a node has not the inputs that its operator needs.
    """
    layers: list[Layer] = []
    seen: set[int] = set()
    for node in graph.nodes:
        own = {tensor.index: tensor for tensor in _parameters(graph, node) if tensor.index not in seen}
        seen |= own.keys()
        output = _output(graph, node) if node.outputs else None
        layers.append(
            Layer(
                index=node.index,
                op=node.op,
                name=output.name if output else "",
                output_shape=output.shape if output else (),
                dtype=output.dtype if output else "",
                parameters=sum(tensor.size for tensor in own.values()),
                macs=macs(graph, node),
                weight_bytes=sum(tensor.nbytes for tensor in own.values()),
            )
        )
    in_ram = {index for node in graph.nodes for index in node.outputs}.union(graph.inputs)
    return _total(
        layers,
        [_of_tensor(tensor) for tensor in graph.tensors if tensor.index in in_ram and not tensor.is_constant],
        name=graph.name,
        format="tflite",
        inputs=tuple(_of_tensor(tensor) for tensor in graph.present(graph.inputs)),
        outputs=tuple(_of_tensor(tensor) for tensor in graph.present(graph.outputs)),
        description=graph.description,
        contract=contract_in(graph),
    )


def summarize_keras(model: Any) -> Summary:
    """Summarize a ``keras.Model``, the layers of models inside it included.

    Args:
        model: A functional or Sequential model whose input is known.

    Raises:
        EdgecnnError: It is a subclass with a ``call`` of its own, or its input is not known yet.
    """
    uses = list(calls(model))    # first, because a model that it refuses may have no inputs either
    layers: list[Layer] = []
    activations = [_of_keras(tensor) for tensor in model.inputs]
    seen: set[int] = set()
    for index, call in enumerate(uses):
        own = {id(variable): variable for variable in call.layer.weights if id(variable) not in seen}
        seen |= own.keys()
        layers.append(
            Layer(
                index=index,
                op=type(call.layer).__name__,
                name=call.layer.name,
                output_shape=call.output,
                dtype=call.dtype,
                parameters=sum(prod(variable.shape) for variable in own.values()),
                macs=keras_macs(call),
                weight_bytes=sum(prod(v.shape) * DTYPE_BITS.get(str(v.dtype), 0) // 8 for v in own.values()),
            )
        )
        activations.append(_described(call.layer.name, call.output, call.dtype))
    return _total(
        layers,
        activations,
        name=model.name,
        format="keras",
        inputs=tuple(_of_keras(tensor) for tensor in model.inputs),
        outputs=tuple(_of_keras(tensor) for tensor in model.outputs),
    )


def _of_keras(tensor: Any) -> TensorSummary:
    return _described(tensor.name, sample_shape(tensor.shape), str(tensor.dtype))


def _described(name: str, shape: tuple[int, ...], dtype: str) -> TensorSummary:
    return TensorSummary(name=name, shape=shape, dtype=dtype, bytes=prod(shape) * DTYPE_BITS.get(dtype, 0) // 8)


def _of_tensor(tensor: Tensor) -> TensorSummary:
    quant = tensor.quant if tensor.quant is not None and not tensor.quant.per_channel else None
    return TensorSummary(
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        bytes=tensor.nbytes,
        scale=quant.scale[0] if quant else None,
        zero_point=quant.zero_point[0] if quant else None,
    )


def _total(layers: list[Layer], activations: list[TensorSummary], **rest: Any) -> Summary:
    dtypes = [tensor.dtype for tensor in activations]
    return Summary(
        dtype=", ".join(sorted(set(dtypes), key=lambda dtype: (-dtypes.count(dtype), dtype))),
        layers=tuple(layers),
        parameters=sum(layer.parameters for layer in layers),
        macs=sum(layer.macs for layer in layers),
        weight_bytes=sum(layer.weight_bytes for layer in layers),
        largest_tensors=tuple(sorted(activations, key=lambda tensor: -tensor.bytes)[:LARGEST]),
        **rest,
    )
