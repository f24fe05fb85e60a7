"""A model as C99 that needs nothing but a C compiler: the compiler's text, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecnn.errors import EdgecnnError
from edgecnn.export.c_array import check_name
from edgecnn.export.tflm_arena import measure_arena
from edgecnn.files import readable_os_errors, write_files
from edgecnn.mcu.sizes import measure
from edgecnn.mcu.targets import load_target
from edgecnn.mcu.toolchain import MissingToolError
from edgecnn.memory_plan import MemoryPlan, TargetSizes, memory_plan
from edgecnn.report.memory import memory_file
from edgecnn.tflite_file import contract_of, require_tflite
from firmware_export.compiler import compile_model
from firmware_export.instruction_sets import PORTABLE
from firmware_export.ops.base import Optimize
from firmware_export.errors import ModelError

SUFFIXES = (".h", ".c", "_weights.h", "_kernels.h", "_memory.svg")
"""What the files of an export end in, whichever form was asked for."""


@dataclass(frozen=True)
class CSource:
    """A compiled model.

    Attributes:
        texts: By file name: the C, and the picture of the memory plan.
        memory: Where it keeps what it computes.
        sizes: On the target that was asked for.
        sizes_note: Why there are none: which program is missing, and the command that installs it.
    """

    texts: Mapping[str, str]
    memory: MemoryPlan
    sizes: TargetSizes | None
    sizes_note: str


def c_source(
    model: Path,
    name: str,
    single_header: bool = False,
    target: str | None = None,
    optimize: Optimize = "balanced",
) -> CSource:
    """Compile a model. Nothing is written.

    Args:
        model: An int8 ``.tflite`` file. The contract in it, where it has one, names the classes.
        name: The beginning of file and symbol names: a C identifier.
        single_header: One header in the manner of the stb libraries, instead of a header and sources.
        target: Use the kernels of its instruction set, and measure code and stack for it where its compiler is installed;
            by default kernels that any processor runs.
        optimize: What kernels are chosen for.

    Raises:
        UsageError: ``name`` cannot be a C identifier, the target is not known, or the model is no ``.tflite``.
        EdgecnnError: The model cannot be read, or holds something that the compiler does not take.
    """
    # Before anything else is done: a target that is not known is the user's mistake.
    instruction_set = load_target(target).instruction_set if target is not None else PORTABLE
    check_name(name)
    require_tflite(model, "C source")
    data, labels = _read(model)
    try:
        compiled = compile_model(data, str(model), name, labels, single_header, instruction_set, optimize)
    except ModelError as error:
        raise EdgecnnError(str(error)) from error
    arena = measure_arena(model)
    memory = memory_plan(compiled.plan, arena.bytes, arena.note)
    sizes, note = None, ""
    if target is not None:
        files = compiled.files
        if single_header:
            files = compile_model(data, str(model), name, labels, False, instruction_set, optimize).files
        sizes, note = _sizes(files, name, target)
    return CSource({**compiled.files, f"{name}_memory.svg": memory_file(memory, name)}, memory, sizes, note)


def _read(model: Path) -> tuple[bytes, tuple[str, ...]]:
    """The file and the names of its classes."""
    contract = contract_of(model)
    with readable_os_errors(model, "read"):
        return model.read_bytes(), contract.labels if contract is not None else ()


def _sizes(files: Mapping[str, str], name: str, target: str) -> tuple[TargetSizes | None, str]:
    try:
        found = measure(files, name, target)
    except MissingToolError as error:
        return None, str(error)
    sizes = TargetSizes(
        target=found.target,
        optimization=found.optimization,
        code_bytes=found.code,
        weight_bytes=found.weights,
        table_bytes=found.tables,
        flash_bytes=found.flash,
        ram_bytes=found.ram,
        stack_bytes=found.stack,
        push_stack_bytes=found.push_stack,
        library=found.library,
    )
    return sizes, ""


def write_c_source(source: CSource, out: Path) -> tuple[Path, ...]:
    """Write what was compiled, all of it or nothing; other files in the folder are left alone.

    Returns:
        The files.

    Raises:
        EdgecnnError: ``out`` cannot be written.
    """
    files = {out / file: text for file, text in source.texts.items()}
    write_files(files)
    return tuple(files)


def plan_of(model: Path) -> MemoryPlan:
    """The memory plan alone.

    Raises:
        EdgecnnError: The compiler does not take the model; the message says why.
    """
    return c_source(model, "model").memory


def left_over(folder: Path, name: str, written: Sequence[str]) -> list[Path]:
    """Files of an earlier export in another form: they trip up a firmware that compiles every file of a folder.

    Args:
        folder: Where both lie.
        name: Of the network.
        written: File names of this export.
    """
    names = (f"{name}{suffix}" for suffix in SUFFIXES)
    return [folder / file for file in names if file not in written and (folder / file).is_file()]
