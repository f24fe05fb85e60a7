"""The network as C text: its layers, the function that runs them in order, and those that a firmware calls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_export.emit.header import stream_struct
from firmware_export.emit.kernels import M_PROFILE, VECTORS_AGAIN
from firmware_export.emit.layers import layer_text
from firmware_export.emit.names import Names, c_type, flow, numbered
from firmware_export.emit.rows import rows_text
from firmware_export.emit.tables import table
from firmware_export.errors import ModelError
from firmware_export.layer import Value
from firmware_export.order import compress
from firmware_export.plan import INPUT, Plan, Segment

LARGEST = (1 << 16) - 1
"""Of the numbers in ``struct ec_run``."""


def network_file(plan: Plan, names: Names, labels: Sequence[str]) -> str:
    """``<name>.c``."""
    program, model, macro = plan.program, names.model, names.macro
    parts = [
        f"/* {model}: the network. See {model}.h for how to call it. */",
        f'#include "{model}.h"\n#include "{model}_kernels.h"\n#include "{model}_weights.h"\n',
        _HOOKS.format(macro=macro),
        *(["/* What a run needs to know. */", *stream_struct(plan, names)] if plan.push is None else []),
        rows_text(plan, names),
        *(layer_text(plan, names, index, layer) for index, layer in enumerate(program.layers)),
        *_restart(plan, names),
        _network(plan, names),
        _api(plan, names),
    ]
    if labels:
        texts = ",\n".join(f'    "{_c_string(label)}"' for label in labels)
        parts.append(f"const char *const {model}_labels[{macro}_CLASSES] = {{\n{texts}\n}};\n")
    if program.instruction_set in M_PROFILE:
        parts.append(VECTORS_AGAIN)
    return "\n".join(parts)


_HOOKS = """\
/* Hooks for profilers and checks; they cost nothing unless they are defined.
 * ON_LAYER(layer): a step of this layer begins. ON_ROW(layer, y, row, bytes): it has written row y of its output. */
#ifndef {macro}_ON_LAYER
#define {macro}_ON_LAYER(layer) ((void)0)
#endif
#ifndef {macro}_ON_ROW
#define {macro}_ON_ROW(layer, y, row, bytes) ((void)0)
#endif
"""


def _restart(plan: Plan, names: Names) -> list[str]:
    """The function that sets the counters of a stepped segment to 0, if there is such a segment."""
    if not plan.counters:
        return []
    return [
        f"static void {names.model}_restart(struct {names.model}_stream *m)\n{{\n"
        "    memset(m->at, 0, sizeof m->at);\n    memset(m->y, 0, sizeof m->y);\n}\n"
    ]


def _network(plan: Plan, names: Names) -> str:
    program, model = plan.program, names.model
    tables, body, loops = [], [], False
    for number_, segment in enumerate(plan.segments):
        if segment.is_stepped:
            order = f"{model}_order_{number_}"
            tables.append(_order(order, segment))
            body += _stepped(plan, names, number_, segment, order)
            continue
        index = segment.layers[0]
        layer = program.layers[index]
        about = f" /* {flow(program, layer)} */"
        if layer.steps == 1:
            body.append(f"    {names.layer(index)}(m, 0);{about}")
            continue
        loops = True
        rows = f"y = {layer.steps - 1}; y >= 0; y--" if segment.reverse else f"y = 0; y < {layer.steps}; y++"
        body += [f"    for ({rows}) {{{about}", f"        {names.layer(index)}(m, y);", "    }"]
    waits = plan.push is not None
    head = [
        "/* The network. " + (
            "Returns 1 when it waits for the next row of the input, 0 when the output is complete. */"
            if waits
            else "Returns 0. */"
        ),
        f"static int {model}_network(struct {model}_stream *m)",
        "{",
        *(["    int32_t y;"] if loops else []),
        *(["    int step;"] if tables else []),
        *([""] if loops or tables else []),
    ]
    tail = ["    m->done = 1;"] if waits else []
    return "\n".join([*tables, *head, *body, *tail, "    return 0;", "}", ""])


def _order(name: str, segment: Segment) -> str:
    runs = compress(tuple(0 if layer == INPUT else 1 + segment.layers.index(layer) for layer in segment.order))
    steps: list[int] = []
    rows = []
    for run in runs:
        whole, rest = divmod(run.times, LARGEST)    # a counter has 16 bits
        rows += [f"{{{len(steps)}, {len(run.steps)}, {times}}}" for times in [LARGEST] * whole + [rest] * bool(rest)]
        steps += run.steps
    if len(steps) > LARGEST:
        raise ModelError(f"{name}: an order of rows of {len(steps)} steps is not supported (supported: {LARGEST}).")
    return "\n".join(
        [
            table(f"static const uint8_t {name}_steps[{len(steps)}]", np.array(steps)).rstrip("\n"),
            f"static const struct ec_run {name}_runs[{len(rows)}] = {{ /* first step, how many of them, how often */",
            *(f"    {', '.join(rows[at : at + 8])}," for at in range(0, len(rows), 8)),
            "};",
            f"static const struct ec_order {name} = {{{name}_steps, {name}_runs, {len(rows)}}};\n",
        ]
    )


def _stepped(plan: Plan, names: Names, number_: int, segment: Segment, order: str) -> list[str]:
    program = plan.program
    at = "m->at"
    lines = []
    if len(segment.layers) > 1:
        lines.append("    /* Depth first: a row is made when another layer needs it, and kept as long as one does. */")
    if number_ > 0:
        lines += [f"    {names.model}_restart(m);"]
    lines += [
        f"    for (; (step = ec_step(&{order}, {at})) != EC_END; ec_advance(&{order}, {at})) {{",
        "        switch (step) {",
    ]
    if INPUT in segment.order:
        lines += [
            "        case 0: /* the next row of the input */",
            "            if (m->input_y == m->arrived) {",
            "                return 1;",
            "            }",
            "            m->input_y++;",
            "            break;",
        ]
    cases = []
    for position, index in enumerate(segment.layers):
        # The last one is the default: no other step is in the list.
        label = f"case {1 + position}" if position + 1 < len(segment.layers) else "default"
        call = f"        {label}: {names.layer(index)}(m, (int32_t)m->y[{position}]++); break;"
        cases.append((call, flow(program, program.layers[index])))
    width = max(len(call) for call, _ in cases)
    lines += [f"{call:<{width}} /* {about} */" for call, about in cases]
    return [*lines, "        }", "    }"]


def _api(plan: Plan, names: Names) -> str:
    """The functions of the header."""
    program, model, macro = plan.program, names.model, names.macro
    inputs = [program.values[index] for index in program.inputs]
    outputs = [program.values[index] for index in program.outputs]
    given_in = [numbered("input", inputs, position) for position in range(len(inputs))]
    given_out = [numbered("output", outputs, position) for position in range(len(outputs))]
    parts = []
    start = f"    {model}_restart(m);\n" if plan.counters else ""
    checks = " || ".join(["arena == NULL", *(f"{name} == NULL" for name in given_out)])
    assign_out = "".join(
        f"    m->{name} = {_as_bytes(value, name, '')};\n" for name, value in zip(given_out, outputs, strict=True)
    )
    parameters_out = ", ".join(f"{c_type(value)} *{name}" for name, value in zip(given_out, outputs, strict=True))
    parts.append(
        f"static int {model}_start(struct {model}_stream *m, void *arena, {parameters_out})\n{{\n"
        f"    if ({checks}) {{\n        return {macro}_ERROR_NULL;\n    }}\n"
        f"    if ((uintptr_t)arena % {macro}_ARENA_ALIGNMENT != 0u) {{\n"
        f"        return {macro}_ERROR_ALIGNMENT;\n    }}\n"
        f"    m->arena = (int8_t *)arena;\n{assign_out}{start}    return 0;\n}}\n"
    )
    parameters_in = ", ".join(f"const {c_type(value)} *{name}" for name, value in zip(given_in, inputs, strict=True))
    assign_in = "".join(
        f"    m.{name} = {_as_bytes(value, name, 'const ')};\n" for name, value in zip(given_in, inputs, strict=True)
    )
    whole = ""
    if plan.push is not None:
        whole = f"    m.input_kept = m.arrived = {macro}_INPUT_ROWS;\n    m.input_y = 0;\n"
    null_in = " || ".join(f"{name} == NULL" for name in given_in)
    parts.append(
        f"int {model}_run(void *arena, {parameters_in}, {parameters_out})\n{{\n"
        f"    struct {model}_stream m = {{0}};\n"
        f"    const int status = {model}_start(&m, arena, {', '.join(given_out)});\n"
        f"    if (status != 0) {{\n        return status;\n    }}\n"
        f"    if ({null_in}) {{\n        return {macro}_ERROR_NULL;\n    }}\n"
        f"{assign_in}{whole}    return {model}_network(&m);\n}}\n"
    )
    if plan.push is not None:
        storage, value = plan.push.storage, inputs[0]
        offset = f" + {storage.offset}" if storage.offset else ""
        slot = f" + (uint32_t)stream->arrived % {storage.kept}u * {value.row_bytes}u" if storage.kept > 1 else ""
        parts.append(
            f"int {model}_begin(struct {model}_stream *stream, void *arena, {parameters_out})\n{{\n"
            f"    int status;\n    if (stream == NULL) {{\n        return {macro}_ERROR_NULL;\n    }}\n"
            f"    status = {model}_start(stream, arena, {', '.join(given_out)});\n"
            f"    if (status != 0) {{\n        return status;\n    }}\n"
            f"    stream->input = stream->arena{offset};\n    stream->input_kept = {storage.kept};\n"
            f"    stream->arrived = stream->input_y = stream->done = 0;\n    return 0;\n}}\n"
        )
        parts.append(
            f"int {model}_push_row(struct {model}_stream *stream, const {c_type(value)} *row)\n{{\n"
            f"    if (stream == NULL || row == NULL) {{\n        return {macro}_ERROR_NULL;\n    }}\n"
            f"    if (stream->arrived >= {macro}_INPUT_ROWS) {{\n        return {macro}_ERROR_ROWS;\n    }}\n"
            f"    if (!stream->done) {{ /* the last rows may be needed by nobody */\n"
            f"        memcpy(stream->arena{offset}{slot}, row, {value.row_bytes});\n    }}\n"
            f"    stream->arrived++;\n"
            f"    if (!stream->done) {{\n        (void){model}_network(stream);\n    }}\n"
            f"    return {macro}_INPUT_ROWS - (int)stream->arrived;\n}}\n"
        )
    return "\n".join(parts)


def _as_bytes(value: Value, name: str, constant: str) -> str:
    return name if c_type(value) == "int8_t" else f"({constant}int8_t *){name}"


def _c_string(text: str) -> str:
    """``text`` between the quotes of a C string: ASCII, anything else as octal escapes of its UTF-8."""
    return "".join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}" for byte in text.encode("utf-8")
    )
