"""A program from a generated network: for a board its start-up code too, else a Linux executable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgecnn.mcu.elf import Elf
from edgecnn.mcu.interface import Interface, network_text
from edgecnn.mcu.targets import BOARD_SOURCES, HARNESS_SOURCES, Board, Target
from edgecnn.mcu.toolchain import call, compiler_of

OPTIMIZATIONS = {"2": "-O2", "s": "-Os"}
"""What a firmware is compiled with, for speed or for size: the flags, by how a user names them."""

STACK_BYTES = 64 << 10
"""Stack of an emulated board: far more than a network uses."""

BARE_FLAGS = ("-ffreestanding", "-fbuiltin", "-isystem", str(BOARD_SOURCES / "include"))
"""No C library is needed: the headers are the compiler's own, and its knowledge of memcpy stays."""

NETWORK_FLAGS = ("-std=c99", "-ffunction-sections", "-fdata-sections", "-fno-asynchronous-unwind-tables")
"""How a network is compiled wherever it is run or measured."""

_MARK = re.compile(r"harness_layer_(?:(\d+)|end)_\d+$")

_HARNESS_FLAGS = ("-std=gnu99", "-O2", "-ffunction-sections")
_BOARD_FLAGS = ("-fno-tree-loop-distribute-patterns", f"-I{BOARD_SOURCES}")    # else memset would call memset


@dataclass(frozen=True)
class Form:
    """What is made of a network.

    Attributes:
        optimization: ``-O2`` or ``-Os``.
        push: The input is handed over row by row.
        rows: Every row that a layer writes is recorded.
        marks: The code has a label wherever a layer begins and ends (``layer_marks``), and no instruction more.
    """

    optimization: str = "-O2"
    push: bool = False
    rows: bool = False
    marks: bool = False


@dataclass(frozen=True)
class Image:
    """A program that runs a network on samples.

    Attributes:
        path: The ELF file, or the executable.
        target: What it runs on.
        interface: Of the network in it.
        form: How it was made.
    """

    path: Path
    target: Target
    interface: Interface
    form: Form


def target_flags(target: Target) -> tuple[str, ...]:
    """What every C file of a target is compiled with."""
    return (*target.flags, *(BARE_FLAGS if target.board is not None else ()))


def compile_network(
    files: Mapping[str, str], name: str, target: Target, folder: Path, optimization: str, extra: tuple[str, ...] = ()
) -> Path:
    """Compile the generated C alone.

    Args:
        files: Text by file name.
        name: The network's identifier; ``<name>.c`` is what is compiled.
        target: What for.
        folder: Where files are written.
        optimization: ``-O2`` or ``-Os``.
        extra: More flags.

    Returns:
        The object file, in ``folder``.

    Raises:
        MissingToolError: The compiler is not installed.
        BuildError: It refused the text.
    """
    compiler = compiler_of(target)
    for file, text in files.items():
        (folder / file).write_text(text, encoding="utf-8")
    result = folder / f"{name}.o"
    flags = (*target_flags(target), *NETWORK_FLAGS, optimization, *extra)
    call([compiler, *flags, "-c", f"{name}.c", "-o", result.name], folder, f"compiling {name}.c for {target.name}")
    return result


def build_image(files: Mapping[str, str], interface: Interface, target: Target, folder: Path, form: Form) -> Image:
    """Compile and link a network with the harness.

    Args:
        files: The emitted text by file name.
        interface: Of the network.
        target: What to build for.
        folder: An empty folder of its own.
        form: What to make.

    Raises:
        MissingToolError: The compiler is not installed.
        BuildError: It refused the text, or the program does not fit into the board's memory.
    """
    extra: tuple[str, ...] = ()
    if form.rows or form.marks:
        hooks = _row_hooks(interface) if form.rows else _mark_hooks(interface)
        (folder / "hooks.h").write_text(hooks, encoding="utf-8")
        extra = ("-include", "hooks.h")
    network = compile_network(files, interface.name, target, folder, form.optimization, extra)
    (folder / "network.c").write_text(network_text(interface, form.push), encoding="utf-8")
    program = folder / "program"
    flags = [*target_flags(target), *_HARNESS_FLAGS, "-I.", f"-I{HARNESS_SOURCES}"]
    sources: list[str | Path] = ["network.c", HARNESS_SOURCES / "harness.c"]
    if target.board is None:
        flags.append("-DHARNESS_HOST")
        sources.append(HARNESS_SOURCES / "files_stdio.c")
        linking = ["-static"] if target.process is not None else []    # QEMU needs no libraries of that processor
    else:
        flags += _BOARD_FLAGS
        sources += [BOARD_SOURCES / file for file in ("files.c", "memory.c", target.board.start)]
        (folder / "link.ld").write_text(link_script(target.board), encoding="utf-8")
        linking = ["-nostdlib", "-Wl,--gc-sections", "-T", "link.ld", "-lgcc"]
    command = [compiler_of(target), *flags, *sources, network.name, "-o", program.name, *linking]
    call(command, folder, f"building {interface.name} for {target.name}")
    return Image(program, target, interface, form)


def link_script(board: Board) -> str:
    """The linker script of a board. One without a vector table has its whole flash in one region."""
    text = (BOARD_SOURCES / "link.ld").read_text(encoding="utf-8")
    values = {
        "VECTORS": board.flash if board.vectors is None else board.vectors,
        "FLASH": board.flash,
        "FLASH_BYTES": board.flash_bytes,
        "RAM": board.ram,
        "RAM_BYTES": board.ram_bytes,
        "STACK_BYTES": STACK_BYTES,
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", hex(value))
    return text


def layer_marks(elf: Elf) -> list[tuple[int, int]]:
    """Where layers begin and end in a program of a ``Form`` with marks.

    Args:
        elf: The program.

    Returns:
        Addresses, each with the index in ``Program.layers`` of the layer that begins there, -1 where one ends.
    """
    found = [(symbol.value, _MARK.match(symbol.name)) for symbol in elf.symbols]
    return [(address & ~1, int(match[1] or -1)) for address, match in found if match]    # bit 0: Thumb


def _row_hooks(interface: Interface) -> str:
    return (
        '#include <stddef.h>\n#include <stdint.h>\n\n'
        "void harness_row(int32_t layer, int32_t y, const void *row, size_t bytes);\n"
        f"#define {interface.macro}_ON_ROW(layer, y, row, bytes) harness_row((layer), (y), (row), (size_t)(bytes))\n"
    )


def _mark_hooks(interface: Interface) -> str:
    """Labels only: %= makes each one unique, wherever the compiler copies it to; inline: they count as no code."""
    return (
        f"#define {interface.macro}_ON_LAYER(layer) "
        '__asm__ __volatile__ __inline__("harness_layer_%c0_%=:" : : "i"(layer))\n'
        f"#define {interface.macro}_ON_ROW(layer, y, row, bytes) "
        '__asm__ __volatile__ __inline__("harness_layer_end_%=:" : :)\n'
    )
