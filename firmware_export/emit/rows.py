"""Where the rows of each value lie, as C functions."""

from __future__ import annotations

import numpy as np

from firmware_export.emit.names import Names, c_type, numbered, sizes
from firmware_export.emit.tables import constant_name
from firmware_export.layer import Program, Value
from firmware_export.plan import Plan


def rows_text(plan: Plan, names: Names) -> str:
    """One function for each value and each size of row in which somebody sees it."""
    program = plan.program
    sizes_seen: dict[int, list[int]] = {}
    for layer in program.layers:
        for read in layer.reads:
            sizes_seen.setdefault(read.value, []).append(read.row_bytes)
        sizes_seen.setdefault(layer.output, []).append(layer.row_bytes)
    lines = ["/* Where row r of each value lies. A value keeps all its rows, or a ring of the last few. */"]
    for value in program.values:
        for row_bytes in sorted(set(sizes_seen.get(value.index, []))):
            lines.append(_row(plan, names, value, row_bytes))
    return "\n".join(lines)


def row_call(names: Names, program: Program, value: int, row_bytes: int, row: str) -> str:
    """The C expression of the pointer to a row."""
    suffix = "" if row_bytes == program.values[value].row_bytes else f"_{row_bytes}"
    return f"{names.row(value)}{suffix}(m, {row})"


def _row(plan: Plan, names: Names, value: Value, row_bytes: int) -> str:
    program, ctype = plan.program, c_type(value)
    rows = value.nbytes // row_bytes
    suffix = "" if row_bytes == value.row_bytes else f"_{row_bytes}"
    name, kept = f"{names.row(value.index)}{suffix}", ""
    constant = "const "
    if value.index in program.inputs:
        position = program.inputs.index(value.index)
        if plan.push is not None:
            factor = "" if row_bytes == value.row_bytes else f" * {value.row_bytes}u / {row_bytes}u"
            kept_rows = f"((uint32_t)m->input_kept{factor})" if factor else "m->input_kept"
            place = f"m->input + (uint32_t)r % {kept_rows} * {row_bytes}u"
        else:
            place = f"m->input{numbered('', program.inputs, position)}{_times(rows, row_bytes)}"
        where = f"input {sizes(value.shape)}"
        pointer = place if ctype == "int8_t" else f"(const {ctype} *)(const void *)({place})"
    elif value.data is not None:
        step = row_bytes // (value.nbytes // max(1, int(np.prod(value.shape))))
        pointer, where = f"{constant_name(names, value)}{_times(rows, step)}", f"constant {sizes(value.shape)}"
    else:
        constant = ""
        if value.index in program.outputs:
            position = program.outputs.index(value.index)
            place = f"m->output{numbered('', program.outputs, position)}{_times(rows, row_bytes)}"
            kept = ", the caller's"
        else:
            storage = plan.storage[value.index]
            ring = storage.kept * storage.row_bytes // row_bytes
            place = f"m->arena + {storage.offset}{_times(rows, row_bytes, ring)}"
            kept = "" if ring >= rows else f", {ring} of {rows} rows kept"
            if storage.in_place_of is not None:
                kept += f", in place of x{storage.in_place_of}"
        where = f"{names.layers[names.writers[value.index]]} {sizes(value.shape)}"
        pointer = place if ctype == "int8_t" else f"({ctype} *)(void *)({place})"
    uses = [part for part, used in (("m", "m->" in pointer), ("r", "(uint32_t)r" in pointer)) if not used]
    unused = "".join(f"    (void){part};\n" for part in uses)
    head = f"static inline {constant}{ctype} *{name}(const struct {names.model}_stream *m, int32_t r)"
    return f"/* {where}{kept} */\n{head}\n{{\n{unused}    return {pointer};\n}}\n"


def _times(rows: int, row_bytes: int, ring: int | None = None) -> str:
    if rows == 1 or ring == 1:
        return ""
    slot = "(uint32_t)r" if ring is None or ring >= rows else f"(uint32_t)r % {ring}u"
    return f" + {slot} * {row_bytes}u"
