"""A C function for each layer: it finds the rows of a step and calls the kernel."""

from __future__ import annotations

import numpy as np

from firmware_export.emit.names import Names, c_type, comment, flow
from firmware_export.emit.rows import row_call
from firmware_export.emit.tables import table
from firmware_export.layer import Layer, Program, Read
from firmware_export.plan import Plan


def layer_text(plan: Plan, names: Names, index: int, layer: Layer) -> str:
    program = plan.program
    arguments, prepare, declare = [f"&{names.layer(index)}_layer"], [], []
    arguments.append(row_call(names, program, layer.output, layer.row_bytes, "y" if layer.rows == layer.steps else "0"))
    if layer.one_list:
        ctype = c_type(program.values[layer.reads[0].value])
        count = sum(1 if read.contiguous else read.count for read in layer.reads)
        declare.append(f"    const {ctype} *in[{count}];")
        at = 0
        for read in layer.reads:
            each = 1 if read.contiguous else read.count
            prepare += _window(names, program, read, "in", at)
            at += each
        arguments.append("in")
    else:
        for position, read in enumerate(layer.reads):
            single = read.contiguous or read.count == 1
            if single and _exists(program, read):
                arguments.append(row_call(names, program, read.value, read.row_bytes, _start(read, prepare, position)))
                continue
            name = f"in{position}" if len(layer.reads) > 1 else "in"
            declare.append(f"    const {c_type(program.values[read.value])} *{name}[{read.count}];")
            prepare += _window(names, program, read, name, 0)
            arguments.append(f"{name}[0]" if single else name)
    if layer.takes_row:
        arguments.append("y")
    if layer.sums_bytes:
        arguments.append(f"(int32_t *)(void *)(m->arena + {plan.sums[index]})")
    if layer.scratch_bytes:
        arguments.append(f"(void *)(m->arena + {plan.scratch[index]})")
    call = f"    ec_{layer.function}({', '.join(arguments)});"
    if len(call) > 118:
        call = f"    ec_{layer.function}({arguments[0]},\n        " + ",\n        ".join(arguments[1:]) + ");"
    row = row_call(names, program, layer.output, layer.row_bytes, "y" if layer.rows == layer.steps else "0")
    written = f"{names.macro}_ON_ROW({index}, {'y' if layer.rows == layer.steps else '0'}, {row}, {layer.row_bytes});"
    if layer.rows != layer.steps:
        written = f"if (y == {layer.steps - 1}) {{\n        {written}\n    }}"
    body = [
        *declare,
        *(line for line in prepare if line.lstrip().startswith("static ")),
        *(["    int32_t k;"] if any("for (k" in line for line in prepare) else []),
        *(line for line in prepare if not line.lstrip().startswith("static ")),
        f"    {names.macro}_ON_LAYER({index});",
        call,
        f"    {written}",
    ]
    if not any("y" in _words(line) for line in [*prepare, call]):
        body.insert(len(declare), "    (void)y;")
    about = comment(program.values[layer.output].name)
    title = f"/* {names.layers[index]}: {layer.op}, {flow(program, layer)}; '{about}' */"
    head = f"static void {names.layer(index)}(const struct {names.model}_stream *m, int32_t y)"
    return "\n".join([title, head, "{", *body, "}", ""])


def _words(line: str) -> set[str]:
    return set("".join(c if c.isalnum() or c == "_" else " " for c in line).split())


def _exists(program: Program, read: Read) -> bool:
    """Whether no step reads a row that is not there."""
    rows = program.values[read.value].nbytes // read.row_bytes
    last = (read.count - 1) * read.step
    return all(start >= 0 and start + last < rows for start in read.start)


def _start(read: Read, prepare: list[str], position: int) -> str:
    """The C expression of the first row in step y; a table where it is no straight line."""
    first = read.start[0]
    slope = read.start[1] - first if len(read.start) > 1 else 0
    if all(start == first + slope * y for y, start in enumerate(read.start)):
        if slope == 0:
            return str(first)
        scaled = "y" if slope == 1 else f"y * {slope}"
        return scaled if first == 0 else f"{scaled} {'+' if first > 0 else '-'} {abs(first)}"
    values = np.array(read.start)
    ctype = "int16_t" if values.min() >= -(1 << 15) and values.max() < 1 << 15 else "int32_t"
    text = table(f"static const {ctype} start{position}[{values.size}]", values).rstrip("\n")
    prepare.append("    " + text.replace("\n", "\n    "))
    return f"start{position}[y]"


def _window(names: Names, program: Program, read: Read, array: str, at: int) -> list[str]:
    """Statements that fill ``array[at …]`` with the pointers of a read."""
    prepare: list[str] = []
    start = _start(read, prepare, at)
    rows = program.values[read.value].nbytes // read.row_bytes
    count = 1 if read.contiguous else read.count
    inside = _exists(program, read)

    def pointer(row: str) -> str:
        return row_call(names, program, read.value, read.row_bytes, row)

    if count == 1:
        if inside:
            return [*prepare, f"    {array}[{at}] = {pointer(start)};"]
        # Signed bounds: a row above the image is negative.
        return [*prepare, f"    {array}[{at}] = {_bounds(f'({start})', read, rows)} ? {pointer(start)} : NULL;"]
    offset = "k" if read.step == 1 else f"k * {read.step}"
    row = offset if start == "0" else f"{start} + {offset}"
    slot = "k" if at == 0 else f"{at} + k"
    lines = [*prepare, f"    for (k = 0; k < {count}; k++) {{"]
    if inside:
        lines.append(f"        {array}[{slot}] = {pointer(row)};")
    else:
        lines.append(f"        const int32_t row = {row};")
        lines.append(f"        {array}[{slot}] = {_bounds('row', read, rows)} ? {pointer('row')} : NULL;")
    return [*lines, "    }"]


def _bounds(row: str, read: Read, rows: int) -> str:
    last = (read.count - 1) * read.step
    tests = [f"{row} >= 0"] if min(read.start) < 0 else []
    tests += [f"{row} < {rows}"] if max(read.start) + last >= rows else []
    return " && ".join(tests)
