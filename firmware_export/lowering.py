"""Graph to ``Program``: each node becomes layers that compute rows, by its operator's ``lower``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from firmware_export.errors import ModelError
from firmware_export.graph import DTYPE_BITS, Graph, Tensor, short_name
from firmware_export.instruction_sets import LOWERINGS, PORTABLE
from firmware_export.layer import C_TYPES, Layer, Program, Read, Value, rows_of
from firmware_export.ops import OPS
from firmware_export.ops.base import Optimize


@dataclass
class _Lowering:
    """The program so far; what operators see of it is ``ops.base.Lowering``."""

    graph: Graph
    optimize: Optimize = "balanced"
    values: list[Value] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    holds: dict[int, int] = field(default_factory=dict)    # tensor -> value

    def value(self, tensor: int) -> Value:
        if tensor not in self.holds:
            held = self.graph.tensors[tensor]
            if held.data is None:
                raise ModelError(f"{self.graph.name}: {held} is read before anything writes it.")
            rows, elements = rows_of(held.shape)
            self._new(held, rows, elements * DTYPE_BITS[held.dtype] // 8, held.data)
        return self.values[self.holds[tensor]]

    def output(self, tensor: int, rows: int, row_bytes: int) -> Value:
        return self._new(self.graph.tensors[tensor], rows, row_bytes)

    def add(self, layer: Layer) -> None:
        self.layers.append(layer)

    def alias(self, source: int, target: int) -> None:
        """``target`` is ``source``'s bytes."""
        self.holds[target] = self.value(source).index

    def _new(self, tensor: Tensor, rows: int, row_bytes: int, data: bytes | None = None) -> Value:
        value = Value(
            index=len(self.values),
            tensor=tensor.index,
            name=short_name(tensor.name),
            dtype=tensor.dtype,
            rows=rows,
            row_bytes=row_bytes,
            shape=tensor.shape,
            data=data,
            quant=_one_scale(tensor),
        )
        self.values.append(value)
        self.holds[tensor.index] = value.index
        return value


def lower(graph: Graph, name: str, instruction_set: str = PORTABLE, optimize: Optimize = "balanced") -> Program:
    """Make the program of a graph whose nodes were all checked.

    Args:
        graph: After the passes.
        name: The C identifier of the network.
        instruction_set: A key of ``instruction_sets.LOWERINGS``.
        optimize: What kernels are chosen for.

    Raises:
        ModelError: An input or output has a type that has no place in C, or no elements.
    """
    lowering = _Lowering(graph, optimize)
    for index in (*graph.inputs, *graph.outputs):
        tensor = graph.tensors[index]
        if tensor.dtype not in C_TYPES or not tensor.size:
            raise ModelError(f"{graph.name}: {tensor} is an input or output that cannot be a C array.")
    inputs = []
    for index in graph.inputs:
        rows, elements = rows_of(graph.tensors[index].shape)
        value = lowering.output(index, rows, elements * DTYPE_BITS[graph.tensors[index].dtype] // 8)
        inputs.append(value.index)
    special = LOWERINGS[instruction_set]
    for node in graph.nodes:
        op = OPS[node.op]
        layer = special[node.op](lowering, node) if node.op in special else None
        if layer is not None:
            lowering.add(layer)
        elif op.alias:
            lowering.alias(node.inputs[0], node.outputs[0])
        else:
            assert op.lower is not None, f"{node.op} must be gone after the passes"
            op.lower(lowering, node)
    outputs = []
    for index in graph.outputs:
        value = lowering.value(index)
        if value.index in inputs or value.index in outputs or value.data is not None:
            value = _copied(lowering, value, index)    # the caller's output must be written by somebody
        # The caller sees the output's own shape and scale, which a RESHAPE on the way may have changed.
        lowering.values[value.index] = replace(
            value, shape=graph.tensors[index].shape, quant=_one_scale(graph.tensors[index])
        )
        outputs.append(value.index)
    return Program(name, tuple(lowering.values), tuple(lowering.layers), tuple(inputs), tuple(outputs), instruction_set)


def _one_scale(tensor: Tensor) -> tuple[float, int] | None:
    quant = tensor.quant
    return (quant.scale[0], quant.zero_point[0]) if quant and len(quant.scale) == len(quant.zero_point) == 1 else None


def _copied(lowering: _Lowering, value: Value, tensor: int) -> Value:
    output = lowering.output(tensor, value.rows, value.row_bytes)
    lowering.add(
        Layer(
            op="COPY",
            node=-1,
            kernel="copy",
            function="copy",
            reads=(Read(value.index, value.row_bytes, tuple(range(value.rows))),),
            output=output.index,
            rows=value.rows,
            row_bytes=value.row_bytes,
            steps=value.rows,
            fields={"bytes": value.row_bytes},
            in_place=(0,),
        )
    )
    return output
