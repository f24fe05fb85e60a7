"""Plan to C text: ``emit`` makes the files, all of them text by name; nothing is written here."""

from __future__ import annotations

from collections.abc import Sequence

from firmware_export.emit.header import header_file
from firmware_export.emit.kernels import kernels_file
from firmware_export.emit.names import names_of
from firmware_export.emit.network import network_file
from firmware_export.emit.tables import weights_file
from firmware_export.plan import Plan


def emit(plan: Plan, digest: str, labels: Sequence[str] = (), single_header: bool = False) -> dict[str, str]:
    """The C text of a network.

    Args:
        plan: The plan.
        digest: SHA-256 of the model file, for the header.
        labels: Names of the classes.
        single_header: One file in the manner of the stb libraries: the header, and the rest below
            ``#ifdef <NAME>_IMPLEMENTATION``.

    Returns:
        Text by file name: ``<name>.h``, ``.c``, ``_weights.h`` and ``_kernels.h``; or ``<name>.h`` alone.
    """
    names = names_of(plan.program)
    model = names.model
    header = header_file(plan, names, labels, digest)
    stems = {layer.kernel for layer in plan.program.layers}
    if plan.counters:
        stems.add("order")
    files = {
        f"{model}.h": header,
        f"{model}.c": network_file(plan, names, labels),
        f"{model}_weights.h": weights_file(plan.program, names),
        f"{model}_kernels.h": kernels_file(stems | {"fixed_point"}, plan.program.instruction_set),
    }
    if not single_header:
        return files
    local = "".join(f'#include "{name}"\n' for name in (f"{model}.h", f"{model}_kernels.h", f"{model}_weights.h"))
    body = [files[f"{model}_kernels.h"], files[f"{model}_weights.h"], files[f"{model}.c"].replace(local, "")]
    guard = f"{names.macro}_IMPLEMENTATION"
    text = "\n".join([
        f"/* Define {guard} in exactly one C file before including this one:",
        f" *     #define {guard}",
        f' *     #include "{model}.h"',
        " */",
        header,
        f"#ifdef {guard}",
        f"#undef {guard}",
        *body,
        "#endif",
        "",
    ])
    return {f"{model}.h": text}
