"""The header: what a firmware includes."""

from __future__ import annotations

from collections.abc import Sequence

from firmware_export.emit.names import Names, c_type, numbered, sizes
from firmware_export.emit.tables import number
from firmware_export.layer import Value
from firmware_export.plan import Plan

ALIGNMENT = 4
"""Of the arena: it holds int32 sums."""


def header_file(plan: Plan, names: Names, labels: Sequence[str], digest: str) -> str:
    """``<name>.h``."""
    program, model, macro = plan.program, names.model, names.macro
    inputs = [program.values[index] for index in program.inputs]
    outputs = [program.values[index] for index in program.outputs]
    given = [
        *(f"const {c_type(value)} *{numbered('input', inputs, position)}" for position, value in enumerate(inputs)),
        *(f"{c_type(value)} *{numbered('output', outputs, position)}" for position, value in enumerate(outputs)),
    ]
    results = given[len(inputs) :]
    arena = max(plan.arena_bytes, ALIGNMENT)
    parts = [
        f"/* {model}: {', '.join(sizes(value.shape) for value in inputs)} -> "
        f"{', '.join(sizes(value.shape) for value in outputs)}. Made by edgecnn from a .tflite with the SHA-256\n"
        f" * {digest}\n *",
        *(f" * {line}".rstrip() for line in _example(plan, names, inputs, outputs)),
        " */",
        f"#ifndef EDGECNN_MODEL_{model}_H\n#define EDGECNN_MODEL_{model}_H\n\n#include <stdint.h>\n",
    ]
    for kind, values in (("input", inputs), ("output", outputs)):
        for position, value in enumerate(values):
            parts += _tensor(macro, numbered(kind, values, position).upper(), value)
    parts += [
        "",
        "/* Memory that a call works in. Input and output are the caller's and come on top. */",
        f"#define {macro}_ARENA_SIZE {arena}",
        f"#define {macro}_ARENA_ALIGNMENT {ALIGNMENT}",
    ]
    if plan.push is not None:
        parts += [
            f"#define {macro}_PUSH_ARENA_SIZE {max(plan.push.arena_bytes, ALIGNMENT)} /* pushed rows included */",
            f"#define {macro}_INPUT_ROWS {inputs[0].rows}",
            f"#define {macro}_INPUT_ROW_SIZE {inputs[0].row_bytes}",
        ]
    parts += [
        "",
        f"#define {macro}_ERROR_NULL (-1)      /* a pointer is NULL */",
        f"#define {macro}_ERROR_ALIGNMENT (-2) /* the arena does not begin at a multiple of {macro}_ARENA_ALIGNMENT */",
    ]
    if plan.push is not None:
        parts.append(f"#define {macro}_ERROR_ROWS (-3)      /* more rows were pushed than the input has */")
    if labels:
        parts += ["", f"#define {macro}_CLASSES {len(labels)}"]
    parts += ["", "#ifdef __cplusplus", 'extern "C" {', "#endif", ""]
    if labels:
        parts += [f"extern const char *const {model}_labels[{macro}_CLASSES];", ""]
    parts += [
        "/* One inference. Returns 0, or one of the errors. Input and output do not overlap with anything.",
        f" * arena: {macro}_ARENA_SIZE bytes that nobody else uses meanwhile. */",
        f"int {model}_run(void *arena, {', '.join(given)});",
        "",
    ]
    if plan.push is not None:
        parts += [
            "/* The same with the input row by row, from top to bottom, as a camera delivers it. Arena and output",
            " * belong to it until the last row was pushed. The stream's fields are not for the caller. */",
            *_stream(plan, names),
            f"/* arena: {macro}_PUSH_ARENA_SIZE bytes. Returns 0, or one of the errors. */",
            f"int {model}_begin(struct {model}_stream *stream, void *arena, {', '.join(results)});",
            f"/* row: {macro}_INPUT_ROW_SIZE bytes. Returns how many rows are still to come (0: the output is",
            " * complete), or one of the errors. */",
            f"int {model}_push_row(struct {model}_stream *stream, const {c_type(inputs[0])} *row);",
            "",
        ]
    parts += ["#ifdef __cplusplus", "}", "#endif", "", "#endif", ""]
    return "\n".join(parts)


def stream_struct(plan: Plan, names: Names) -> list[str]:
    """The state of a run where the header does not show it: no rows can be pushed."""
    return [] if plan.push is not None else _stream(plan, names)


def _stream(plan: Plan, names: Names) -> list[str]:
    program = plan.program

    def pointers(kind: str, items: Sequence[int], constant: str) -> list[str]:
        return [f"    {constant}int8_t *{numbered(kind, items, position)};" for position in range(len(items))]

    lines = [f"struct {names.model}_stream {{", "    int8_t *arena;"]
    lines += [*pointers("input", program.inputs, "const "), *pointers("output", program.outputs, "")]
    # 16 bits suffice for the rows of nearly every network; a second of raw audio is one of the others.
    most = max([layer.steps for layer in program.layers] + [program.values[index].rows for index in program.inputs])
    counter = "uint16_t" if most < 1 << 16 else "uint32_t"
    if plan.push is not None:
        lines.append(f"    {counter} input_kept, input_y, arrived, done;")
    if plan.counters:
        lines.append("    uint16_t at[3]; /* the position in the order of rows */")
        lines.append(f"    {counter} y[{plan.counters}]; /* the next row of each layer that runs depth first */")
    return [*lines, "};", ""]


def _tensor(macro: str, name: str, value: Value) -> list[str]:
    lines = [f"#define {macro}_{name}_SIZE {value.nbytes} /* bytes: {c_type(value)} {sizes(value.shape)} */"]
    if value.quant is not None:
        scale, zero_point = value.quant
        lines.append(f"#define {macro}_{name}_SCALE {number(float(scale))} /* real = (value - zero point) * scale */")
        lines.append(f"#define {macro}_{name}_ZERO_POINT ({zero_point})")
    return lines


def _example(plan: Plan, names: Names, inputs: Sequence[Value], outputs: Sequence[Value]) -> list[str]:
    model, macro = names.model, names.macro
    arguments = [
        *(numbered("input", inputs, position) for position in range(len(inputs))),
        *(numbered("output", outputs, position) for position in range(len(outputs))),
    ]
    buffers = [
        f"static {c_type(value)} {name}[{_elements(macro, name, value)}];"
        for name, value in zip(arguments, [*inputs, *outputs], strict=True)
    ]
    lines = [
        f'    #include "{model}.h"',
        "",
        f"    static int32_t arena[({macro}_ARENA_SIZE + 3) / 4];    // int32_t, so that it is aligned",
        *(f"    {buffer}" for buffer in buffers),
        "",
        "    int classify(void)",
        "    {",
        f"        return {model}_run(arena, {', '.join(arguments)});",
        "    }",
    ]
    if plan.push is None:
        return lines
    value = inputs[0]
    given = ", ".join(arguments[1:])
    return [
        *lines,
        "",
        "or without an input buffer, row after row:",
        "",
        f"    static int32_t push_arena[({macro}_PUSH_ARENA_SIZE + 3) / 4];",
        "",
        f"    int classify_rows(void (*next_row)({c_type(value)} *row))",
        "    {",
        f"        struct {model}_stream stream;",
        f"        {c_type(value)} row[{macro}_INPUT_ROW_SIZE / sizeof({c_type(value)})];",
        f"        int left = {model}_begin(&stream, push_arena, {given}) == 0 ? {macro}_INPUT_ROWS : -1;",
        "        while (left > 0) {",
        "            next_row(row);",
        f"            left = {model}_push_row(&stream, row);",
        "        }",
        "        return left;",
        "    }",
    ]


def _elements(macro: str, name: str, value: Value) -> str:
    size = f"{macro}_{name.upper()}_SIZE"
    return size if c_type(value) == "int8_t" else f"{size} / sizeof({c_type(value)})"
