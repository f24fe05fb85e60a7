"""Constants as C text: weights, tables, and the parameters of each layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_export.emit.names import Names, c_type, comment, flow, sizes
from firmware_export.fixedpoint import INT32_MIN
from firmware_export.layer import C_TYPES, Array, Layer, Program, Value

WIDTH = 118


def weights_file(program: Program, names: Names) -> str:
    """Everything that lies in flash beside the code."""
    guard = f"EDGECNN_MODEL_{names.model}_WEIGHTS_H"
    parts = [f"/* {names.model}: weights and parameters of each layer. Included by {names.model}.c only. */"]
    parts.append(f"#ifndef {guard}\n#define {guard}\n\n#include <stdint.h>\n")
    for value in program.values:
        if value.data is not None and _is_read(program, value):
            parts.append(_constant(value, names))
    for index, layer in enumerate(program.layers):
        parts.append(_layer(program, names, index, layer))
    parts.append("#endif\n")
    return "\n".join(parts)


def number(value: Any) -> str:
    """A C literal of a number, a float with all its digits."""
    if isinstance(value, (float, np.floating)):
        text = f"{np.float32(value):.9g}"
        return (text if any(mark in text for mark in ".en") else text + ".0") + "f"
    return "INT32_MIN" if int(value) == INT32_MIN else str(int(value))


def table(declaration: str, values: NDArray[Any]) -> str:
    """``declaration = {…};`` in lines that fit a screen."""
    lines, line = [], "   "
    for item in values.reshape(-1).tolist():
        text = f" {number(item)},"
        if len(line) + len(text) > WIDTH:
            lines.append(line)
            line = "   "
        line += text
    lines.append(line.rstrip(","))
    return "\n".join([f"{declaration} = {{", *lines, "};", ""])


def constant_name(names: Names, value: Value) -> str:
    """The table of a constant that layers read as they read a computed value."""
    return f"{names.model}_constant_{value.index}"


def _is_read(program: Program, value: Value) -> bool:
    return any(read.value == value.index for layer in program.layers for read in layer.reads)


def _constant(value: Value, names: Names) -> str:
    assert value.data is not None
    values = np.frombuffer(value.data, np.dtype(value.dtype))
    head = f"/* {comment(value.name)}: {sizes(value.shape)} */\n"
    return head + table(f"static const {c_type(value)} {constant_name(names, value)}[{values.size}]", values)


def _layer(program: Program, names: Names, index: int, layer: Layer) -> str:
    title = f"/* {names.layers[index]}: {layer.op}, {flow(program, layer)}"
    title += f"; '{comment(program.values[layer.output].name)}' */"
    parts, fields = [title], []
    for field, value in layer.fields.items():
        if isinstance(value, Array) and value.data.size:
            name = f"{names.layer(index)}_{field}"
            ctype = C_TYPES[str(value.data.dtype)]
            parts.append(f"/* {value.comment} */")
            parts.append(table(f"static const {ctype} {name}[{value.data.size}]", value.data).rstrip("\n"))
            fields.append(f"    .{field} = {name},")
        else:
            fields.append(f"    .{field} = {'NULL' if isinstance(value, Array) else number(value)},")
    parts.append(f"static const struct ec_{layer.kernel} {names.layer(index)}_layer = {{")
    return "\n".join([*parts, *fields, "};", ""])
