"""Graph to ``Program``: each node becomes layers that compute rows, by its operator's ``lower``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from firmware_export.errors import ModelError
from firmware_export.graph import DTYPE_BITS, Graph, Node, Tensor, short_name
from firmware_export.instruction_sets import FOLDERS, LOWERINGS, PORTABLE
from firmware_export.layer import C_TYPES, Layer, Program, Read, Value, rows_of
from firmware_export.ops import OPS


@dataclass
class _Lowering:
    """The program so far; what operators see of it is ``ops.base.Lowering``."""

    graph: Graph
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
        if tensor in self.holds:
            value = self.values[self.holds[tensor]]
            if (value.rows, value.row_bytes) == (rows, row_bytes):
                return value
        return self._new(self.graph.tensors[tensor], rows, row_bytes)

    def add(self, *forms: Layer) -> None:
        """Append a layer; of the forms, those of other layers' alternatives too."""
        fastest, *others = (one for form in forms for one in (replace(form, alternatives=()), *form.alternatives))
        self.layers.append(replace(fastest, alternatives=tuple(others)))

    def add_node(self, node: Node, special: Sequence[Layer]) -> None:
        """Append the layers of a node.

        Args:
            node: The node.
            special: The forms that the instruction set has for its layer. The operator's own comes last, if that is
                one layer that writes the same rows.
        """
        op = OPS[node.op]
        if op.alias and not special:
            self.alias(node.inputs[0], node.outputs[0])
            return
        layers, values, holds = len(self.layers), len(self.values), dict(self.holds)
        if op.lower is not None:
            op.lower(self, node)
        own = self.layers[layers:]
        if special:
            del self.layers[layers:]
            if len(own) == 1 and own[0].output == special[0].output:
                self.add(*special, *own)
            else:
                del self.values[values:]
                self.holds = holds
                self.add(*special)

    def copied(self, value: Value, tensor: int) -> Value:
        """A copy of a value, of its own although it holds the same tensor."""
        output = self._new(self.graph.tensors[tensor], value.rows, value.row_bytes)
        self.add(
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


def lower(graph: Graph, name: str, instruction_set: str = PORTABLE) -> Program:
    """Make the program of a graph whose nodes were all checked.

    Args:
        graph: After the passes.
        name: The C identifier of the network.
        instruction_set: A key of ``instruction_sets.LOWERINGS``.

    Returns:
        The program, with all forms that its layers can have.

    Raises:
        ModelError: An input or output has a type that has no place in C, or no elements.
    """
    lowering = _Lowering(graph)
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
        lowering.add_node(node, tuple(special[node.op](lowering, node)) if node.op in special else ())
    outputs = []
    for index in graph.outputs:
        value = lowering.value(index)
        if value.index in inputs or value.index in outputs or value.data is not None:
            value = lowering.copied(value, index)    # the caller's output must be written by somebody
        # The caller sees the output's own shape and scale, which a RESHAPE on the way may have changed.
        lowering.values[value.index] = replace(
            value, shape=graph.tensors[index].shape, quant=_one_scale(graph.tensors[index])
        )
        outputs.append(value.index)
    folder = FOLDERS.get(instruction_set, instruction_set)
    return Program(name, tuple(lowering.values), tuple(lowering.layers), tuple(inputs), tuple(outputs), folder)


def _one_scale(tensor: Tensor) -> tuple[float, int] | None:
    quant = tensor.quant
    return (quant.scale[0], quant.zero_point[0]) if quant and len(quant.scale) == len(quant.zero_point) == 1 else None
