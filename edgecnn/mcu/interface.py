"""How a generated network is called, and the C text that does it in the harness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_export.layer import C_TYPES, Value
from firmware_export.plan import Plan

_SKEW = 4    # bytes off an aligned address: what the arena is promised, and no more


@dataclass(frozen=True)
class End:
    """An input or output of a network.

    Attributes:
        shape: Batch first.
        dtype: NumPy's name of the element type.
        nbytes: Bytes of all elements.
    """

    shape: tuple[int, ...]
    dtype: str
    nbytes: int


@dataclass(frozen=True)
class Interface:
    """The C functions of a network.

    Attributes:
        name: Their prefix.
        inputs: In the order of the arguments.
        outputs: In the order of the arguments.
        pushable: Whether there are functions that take the input row by row.
    """

    name: str
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    pushable: bool

    @property
    def macro(self) -> str:
        """The prefix of the macros."""
        return self.name.upper()


def interface_of(plan: Plan) -> Interface:
    """The interface of the C that is emitted for a plan."""
    program = plan.program
    inputs = tuple(_end(program.values[index]) for index in program.inputs)
    outputs = tuple(_end(program.values[index]) for index in program.outputs)
    return Interface(program.name, inputs, outputs, plan.push is not None)


def _end(value: Value) -> End:
    return End(value.shape, value.dtype, value.nbytes)


def pack_samples(ends: Sequence[End], arrays: Sequence[NDArray[np.generic]]) -> bytes:
    """Samples as the harness reads them: all inputs of the first, then all inputs of the second.

    Args:
        ends: The inputs.
        arrays: One for each, ``[N, ...]``, of its type and number of elements.
    """
    count = len(arrays[0])
    rows = [
        np.ascontiguousarray(array, dtype=end.dtype).reshape(-1).view(np.uint8).reshape(count, end.nbytes)
        for end, array in zip(ends, arrays, strict=True)
    ]
    return np.concatenate(rows, axis=1).tobytes()


def unpack_samples(ends: Sequence[End], data: bytes) -> list[NDArray[np.generic]]:
    """What the harness wrote, as one array ``[N, *shape]`` (the batch of 1 included) for each output.

    Raises:
        ValueError: The data end within a sample.
    """
    size = sum(end.nbytes for end in ends)
    if len(data) % size:
        raise ValueError(f"{len(data)} bytes are no whole number of samples of {size}")
    table = np.frombuffer(data, np.uint8).reshape(-1, size)
    found: list[NDArray[np.generic]] = []
    at = 0
    for end in ends:
        block = np.ascontiguousarray(table[:, at : at + end.nbytes])
        found.append(block.view(end.dtype).reshape(len(table), *end.shape))
        at += end.nbytes
    return found


def network_text(interface: Interface, push: bool) -> str:
    """``network.c`` of the harness: buffers with guards around them, and the call.

    Args:
        interface: Of the network.
        push: Hand the input over row by row; the network must be pushable.
    """
    name, macro = interface.name, interface.macro
    arena = f"{macro}_PUSH_ARENA_SIZE" if push else f"{macro}_ARENA_SIZE"
    sides = (("input", interface.inputs), ("output", interface.outputs))
    parts = [
        f'#include <string.h>\n\n#include "{name}.h"\n#include "harness.h"\n',
        "/* Guard, buffer, guard. No buffer is aligned any better than its type or the arena's promise asks for. */",
        _memory("arena", arena, str(_SKEW)),
        f"const struct harness_buffer harness_arena = {_buffer('arena', arena, str(_SKEW))};\n",
    ]
    for kind, ends in sides:
        names = [_numbered(kind, ends, position) for position in range(len(ends))]
        skews = [str(np.dtype(end.dtype).itemsize) for end in ends]
        sizes = [f"{macro}_{text.upper()}_SIZE" for text in names]
        described = list(zip(names, sizes, skews, strict=True))
        parts += [_memory(*one) for one in described]
        parts.append(f"const struct harness_buffer harness_{kind}s[] = {{")
        parts += [f"    {_buffer(*one)}," for one in described]
        parts.append(f"}};\nconst size_t harness_{kind}_count = {len(ends)};\n")
    parts.append(_pushed(interface) if push else _whole(interface))
    return "\n".join(parts)


def _memory(name: str, size: str, skew: str) -> str:
    total = f"HARNESS_GUARD + {skew} + {size} + HARNESS_GUARD"
    return f"static uint8_t memory_{name}[{total}] __attribute__((aligned(16)));"


def _buffer(name: str, size: str, skew: str) -> str:
    return f'{{"the {name}", memory_{name} + HARNESS_GUARD + {skew}, {size}}}'


def _numbered(kind: str, ends: Sequence[End], position: int) -> str:
    return f"{kind}_{position}" if len(ends) > 1 else kind


def _argument(kind: str, ends: Sequence[End], position: int) -> str:
    constant = "const " if kind == "input" else ""
    return f"({constant}{C_TYPES[ends[position].dtype]} *)(void *)harness_{kind}s[{position}].start"


def _whole(interface: Interface) -> str:
    arguments = [_argument("input", interface.inputs, i) for i in range(len(interface.inputs))]
    arguments += [_argument("output", interface.outputs, i) for i in range(len(interface.outputs))]
    given = ",\n        ".join(["harness_arena.start", *arguments])
    return (
        "int harness_network(void)\n{\n    int status;\n\n    HARNESS_MARK_STACK();\n"
        f"    status = {interface.name}_run(\n        {given});\n"
        "    harness_ended();\n    return status;\n}\n"
    )


def _pushed(interface: Interface) -> str:
    name, macro, ctype = interface.name, interface.macro, C_TYPES[interface.inputs[0].dtype]
    outputs = ", ".join(_argument("output", interface.outputs, i) for i in range(len(interface.outputs)))
    return f"""\
static struct {name}_stream stream;
static union {{
    uint8_t bytes[{macro}_INPUT_ROW_SIZE];
    int64_t align;
}} line; /* as of a camera: each row takes the place of the one before */

int harness_network(void)
{{
    int y, left;

    memset(&stream, 0xA6, sizeof stream);
    HARNESS_MARK_STACK();
    left = {name}_begin(&stream, harness_arena.start, {outputs});
    if (left != 0) {{
        return left;
    }}
    for (y = 0; y < {macro}_INPUT_ROWS; y++) {{
        memcpy(line.bytes, harness_inputs[0].start + y * {macro}_INPUT_ROW_SIZE, {macro}_INPUT_ROW_SIZE);
        left = {name}_push_row(&stream, (const {ctype} *)(const void *)line.bytes);
        memset(line.bytes, 0x6A, sizeof line.bytes);
        if (left < 0) {{
            return left;
        }}
        if (left != {macro}_INPUT_ROWS - 1 - y) {{
            harness_fail("the number of rows still to come is wrong, says the answer of", "{name}_push_row");
        }}
    }}
    harness_ended();
    return 0;
}}
"""
