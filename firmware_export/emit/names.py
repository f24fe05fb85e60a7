"""Names and descriptions of the things that the C text talks about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from firmware_export.graph import printable
from firmware_export.layer import C_TYPES, Layer, Program, Value


@dataclass(frozen=True)
class Names:
    """C identifiers of a program.

    Attributes:
        model: The model's own, ``lenet5``.
        macro: ``LENET5``.
        layers: Of each layer, without the model's: ``conv_2d_1``.
        writers: For each computed value, the index of the layer that writes it.
    """

    model: str
    macro: str
    layers: tuple[str, ...]
    writers: Mapping[int, int]

    def row(self, value: int) -> str:
        """The function that says where a row of a value lies."""
        return f"{self.model}_x{value}"

    def layer(self, index: int) -> str:
        """The function that makes a row of a layer."""
        return f"{self.model}_{self.layers[index]}"


def names_of(program: Program) -> Names:
    """Number the layers of each operator in their order, from 1."""
    seen: Counter[str] = Counter()
    layers = []
    for layer in program.layers:
        stem = layer.op.lower()
        seen[stem] += 1
        layers.append(f"{stem}_{seen[stem]}")
    writers = {layer.output: index for index, layer in enumerate(program.layers)}
    return Names(program.name, program.name.upper(), tuple(layers), writers)


def c_type(value: Value) -> str:
    """The C type of an element."""
    return C_TYPES[value.dtype]


def sizes(shape: tuple[int, ...]) -> str:
    """``28x28x6``: a shape without its batch."""
    inner = shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
    return "x".join(map(str, inner)) if inner else "1"


def comment(text: str) -> str:
    """``text`` as it may stand in a C comment."""
    return printable(text).encode("ascii", "replace").decode("ascii").replace("*/", "* /").replace("/*", "/ *")


def flow(program: Program, layer: Layer) -> str:
    """``28x28x1 -> 28x28x6``."""
    sources = [sizes(program.values[read.value].shape) for read in layer.reads]
    joined = " + ".join(dict.fromkeys(sources)) if len(sources) < 4 else f"{len(sources)} inputs"
    return f"{joined} -> {sizes(program.values[layer.output].shape)}"


def numbered(name: str, items: Sequence[object], position: int) -> str:
    """``input``, or ``input_1`` where there are several."""
    return f"{name}_{position}" if len(items) > 1 else name
