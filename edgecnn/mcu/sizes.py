"""What a generated network takes of a processor's memory: read from the object file that its compiler makes."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgecnn.errors import EdgecnnError
from edgecnn.mcu import stack
from edgecnn.mcu.elf import Elf, read_elf
from edgecnn.mcu.image import compile_network
from edgecnn.mcu.targets import Target, load_target
from edgecnn.mcu.toolchain import BuildError, compiler_of

_TABLE = re.compile(r"^static const \w+ (\w+)\[", re.MULTILINE)


@dataclass(frozen=True)
class Sizes:
    """Bytes of a network, without its arena.

    Attributes:
        target: What it was compiled for.
        optimization: ``-O2`` or ``-Os``.
        code: Instructions and the constants among them.
        weights: Weights, biases, requantization and look-up tables.
        tables: Other constants: the layers' parameters, the order of rows, names of classes.
        ram: Variables; 0, because all memory is the caller's.
        stack: Of ``<name>_run`` at the deepest, by static analysis.
        push_stack: Of the functions that take rows; None if there are none.
        library: Functions of the C library and of libgcc that it calls; they are in none of the figures, but for an
            allowance in the stack.

    On x86-64 the stack is without the 128 bytes below it that a function may use unasked.
    """

    target: str
    optimization: str
    code: int
    weights: int
    tables: int
    ram: int
    stack: int
    push_stack: int | None
    library: tuple[str, ...]

    @property
    def flash(self) -> int:
        """Code, weights and tables."""
        return self.code + self.weights + self.tables


def measure(files: Mapping[str, str], name: str, target: str | Target, optimization: str = "-Os") -> Sizes:
    """Compile a network as a firmware would, and read what it takes.

    Args:
        files: The emitted text by file name, in several files (not the single header).
        name: The network's identifier.
        target: What to compile for.
        optimization: ``-O2`` or ``-Os``.

    Raises:
        UsageError: There is no such target.
        MissingToolError: Its compiler is not installed.
        EdgecnnError: The compiler refused the text, makes no ELF files, or does not tell the size of frames: only gcc
            does, from version 10 on.
        ValueError: The text has a recursion, a call through a pointer, or another stack without a limit.
    """
    chosen = load_target(target) if isinstance(target, str) else target
    with tempfile.TemporaryDirectory(prefix="edgecnn-size-") as temporary:
        folder = Path(temporary)
        try:
            built = compile_network(files, name, chosen, folder, optimization, stack.FLAGS)
        except BuildError:
            compile_network(files, name, chosen, folder, optimization)    # or was it the text?
            raise EdgecnnError(f"{compiler_of(chosen).name} does not tell how much stack a function takes.") from None
        graph = built.with_suffix(".ci").read_text(encoding="utf-8")
        try:
            elf = read_elf(built.read_bytes())
        except ValueError as error:
            raise EdgecnnError(f"object files for {chosen.name} cannot be read: {error}.") from error
    declared = set(_TABLE.findall(files[f"{name}_weights.h"]))
    return _add_up(elf, declared, name, chosen.name, optimization, graph)


def _add_up(elf: Elf, declared: set[str], name: str, target: str, optimization: str, graph: str) -> Sizes:
    code = sum(section.bytes for section in elf.sections if section.loaded and section.executable)
    constants = sum(
        section.bytes
        for section in elf.sections
        if section.loaded and section.stored and not section.executable and not section.writable
    )
    ram = sum(section.bytes for section in elf.sections if section.loaded and section.writable)
    weights = sum(symbol.bytes for symbol in elf.symbols if symbol.name in declared and symbol.section is not None)
    library = sorted({symbol.name for symbol in elf.symbols if symbol.external})
    calls = stack.parse_call_graph(graph, elf)
    push = [function for function in (f"{name}_begin", f"{name}_push_row") if function in calls.frames]
    return Sizes(
        target=target,
        optimization=optimization,
        code=code,
        weights=weights,
        tables=constants - weights,
        ram=ram,
        stack=stack.deepest(calls, [f"{name}_run"]),
        push_stack=stack.deepest(calls, push) if push else None,
        library=tuple(library),
    )
