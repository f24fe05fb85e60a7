"""A model as C99 that needs nothing but a C compiler: the compiler's text, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgecnn.errors import EdgecnnError
from edgecnn.export.c_array import check_name
from edgecnn.export.tflm_arena import measure_arena
from edgecnn.files import readable_os_errors, write_files
from edgecnn.kernel_choice import KernelChoice, kernel_choice
from edgecnn.mcu.image import OPTIMIZATIONS
from edgecnn.mcu.sizes import Sizes, measure
from edgecnn.mcu.targets import Target, load_target
from edgecnn.mcu.toolchain import MissingToolError
from edgecnn.memory_plan import MemoryPlan, TargetSizes, memory_plan
from edgecnn.report.memory import memory_file
from edgecnn.tflite_file import contract_of, require_tflite
from firmware_export.choice import Goal
from firmware_export.compiler import Compiled, compile_model
from firmware_export.errors import ModelError
from firmware_export.instruction_sets import PORTABLE

MEASURED_TRIES = 3
"""Choices whose code is built to find one that keeps a budget of flash."""

SUFFIXES = (".h", ".c", "_weights.h", "_kernels.h", "_memory.svg")
"""What the files of an export end in, whichever form was asked for."""


@dataclass(frozen=True)
class CSource:
    """A compiled model.

    Attributes:
        texts: By file name: the C, and the picture of the memory plan.
        memory: Where it keeps what it computes.
        choice: Which form each layer has, and why.
        sizes: On the target that was asked for.
        sizes_note: Why there are none: which program is missing, and the command that installs it.
    """

    texts: Mapping[str, str]
    memory: MemoryPlan
    choice: KernelChoice
    sizes: TargetSizes | None
    sizes_note: str


def c_source(
    model: Path,
    name: str,
    single_header: bool = False,
    target: str | None = None,
    goal: Goal | None = None,
) -> CSource:
    """Compile a model. Nothing is written.

    Args:
        model: An int8 ``.tflite`` file. The contract in it, where it has one, names the classes.
        name: The beginning of file and symbol names: a C identifier.
        single_header: One header in the manner of the stb libraries, instead of a header and sources.
        target: Use the kernels of its instruction set, and measure code and stack for it where its compiler is
            installed; by default kernels that any processor runs.
        goal: What layers' forms are chosen for; its core is the target. A budget for flash is kept as measured where
            the target's compiler is installed, otherwise as expected.

    Raises:
        UsageError: ``name`` cannot be a C identifier, the target is not known, or the model is no ``.tflite``.
        EdgecnnError: The model cannot be read, or holds something that the compiler does not take; or a budget cannot
            be met.
    """
    # Before anything else is done: a target that is not known is the user's mistake.
    processor = load_target(target) if target is not None else None
    check_name(name)
    require_tflite(model, "C source")
    data, labels = _read(model)
    instruction_set = processor.instruction_set if processor is not None else PORTABLE
    wanted = replace(goal or Goal(), core=target)

    def compiled_for(goal: Goal, single_header: bool = False) -> Compiled:
        try:
            return compile_model(data, str(model), name, labels, single_header, instruction_set, goal)
        except ModelError as error:
            raise EdgecnnError(str(error)) from error

    sizes, note = None, ""
    if processor is None:
        compiled = compiled_for(wanted)
    else:
        try:
            compiled, sizes = _measured(compiled_for, name, processor, wanted)
        except MissingToolError as error:
            compiled, note = compiled_for(wanted), str(error)
    arena = measure_arena(model)
    memory = memory_plan(compiled.plan, arena.bytes, arena.note)
    files = compiled_for(compiled.choice.goal, True).files if single_header else compiled.files
    return CSource(
        texts={**files, f"{name}_memory.svg": memory_file(memory, name)},
        memory=memory,
        choice=kernel_choice(compiled.choice, wanted),
        sizes=_target_sizes(sizes) if sizes is not None else None,
        sizes_note=note,
    )


def _measured(
    compiled_for: Callable[[Goal], Compiled], name: str, target: Target, goal: Goal
) -> tuple[Compiled, Sizes]:
    """The network and what it takes.

    How large code gets is expected from tables, which are off by some percent; so the budget of flash that is asked for
    moves by as much as the last code was off.
    """
    optimization = OPTIMIZATIONS["s" if goal.optimize == "size" else "2"]
    compiled = compiled_for(replace(goal, flash=None))
    sizes = measure(compiled.files, name, target, optimization)
    for _ in range(MEASURED_TRIES):
        expected = compiled.choice.flash_bytes
        if goal.flash is None or expected is None or sizes.flash <= goal.flash:
            break
        try:
            compiled = compiled_for(replace(goal, flash=goal.flash - (sizes.flash - expected)))
        except EdgecnnError:
            compiled = compiled_for(replace(goal, optimize="size", flash=None))
            sizes = measure(compiled.files, name, target, optimization)
            break
        sizes = measure(compiled.files, name, target, optimization)
    if goal.flash is not None and sizes.flash > goal.flash:
        hint = "" if goal.optimize == "size" else " --optimize size builds with -Os."
        raise EdgecnnError(
            f"--flash {goal.flash}: the least code and weights that were found take {sizes.flash:,} bytes on "
            f"{target.name} at {optimization}.{hint}"
        )
    return compiled, sizes


def _read(model: Path) -> tuple[bytes, tuple[str, ...]]:
    """The file and the names of its classes."""
    contract = contract_of(model)
    with readable_os_errors(model, "read"):
        return model.read_bytes(), contract.labels if contract is not None else ()


def _target_sizes(found: Sizes) -> TargetSizes:
    return TargetSizes(
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
