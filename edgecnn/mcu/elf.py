"""The parts of an ELF object file that sizes are read from: sections, symbols, code and what it refers to.

Tool Interface Standard, "Executable and Linking Format", version 1.2; little-endian files of 32 or 64 bits.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

ARM = 40
"""The machine of 32-bit Arm files."""

_MAGIC = b"\x7fELF"
_SYMBOL_TABLE, _RELOCATIONS_WITH_ADDENDS, _NO_BITS, _RELOCATIONS = 2, 4, 8, 9
_WRITE, _ALLOCATED, _EXECUTABLE = 1, 2, 4
_UNDEFINED, _FIRST_RESERVED = 0, 0xFF00


@dataclass(frozen=True)
class Section:
    """A stretch of the file that is loaded or not.

    Attributes:
        name: Such as ``.rodata.lenet5_conv_2d_1_weights``.
        bytes: Its size in memory.
        loaded: It takes up memory of the target.
        executable: It holds instructions.
        writable: It lies in RAM.
        stored: Its content is in the file: not so for zeroed memory.
    """

    name: str
    bytes: int
    loaded: bool
    executable: bool
    writable: bool
    stored: bool


@dataclass(frozen=True)
class Symbol:
    """A name in the file.

    Attributes:
        name: The C identifier, with gcc's suffixes for parts and clones.
        value: Its address; in an object file its place in the section.
        bytes: Its size.
        section: Index of its section; None for one that lies in none.
        external: Another file must have it.
    """

    name: str
    value: int
    bytes: int
    section: int | None
    external: bool


@dataclass(frozen=True)
class Elf:
    """What was read.

    Attributes:
        sections: In the file's order.
        symbols: In the file's order.
        references: For a section the symbols that its relocations name, by indices.
        machine: The processor's number, such as ``ARM``.
        code: By index the content of sections with instructions.
    """

    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    references: Mapping[int, tuple[int, ...]]
    machine: int
    code: Mapping[int, bytes] = field(repr=False)

    def instructions(self, symbol: Symbol) -> bytes:
        """Of a function; bit 0 of an Arm address is no part of it."""
        start = symbol.value & ~1 if self.machine == ARM else symbol.value
        return self.code.get(symbol.section or 0, b"")[start : start + symbol.bytes]


def read_elf(data: bytes) -> Elf:
    """Read a file that a compiler or linker wrote.

    Raises:
        ValueError: It is no ELF file, or a big-endian one.
    """
    if len(data) < 52 or data[:4] != _MAGIC or data[4] not in (1, 2) or data[5] != 1:
        raise ValueError("not a little-endian ELF file")
    wide = data[4] == 2
    table_at, entry, count, names_index = (
        (struct.unpack_from("<Q", data, 40)[0], *struct.unpack_from("<HHH", data, 58))
        if wide
        else (struct.unpack_from("<I", data, 32)[0], *struct.unpack_from("<HHH", data, 46))
    )
    # name, type, flags, address, offset, size, link, info, alignment, entry size
    form = "<IIQQQQIIQQ" if wide else "<IIIIIIIIII"
    headers = [struct.unpack_from(form, data, table_at + index * entry) for index in range(count)]
    names_at = headers[names_index][4]
    sections = tuple(
        Section(
            name=_text(data, names_at + header[0]),
            bytes=header[5],
            loaded=bool(header[2] & _ALLOCATED),
            executable=bool(header[2] & _EXECUTABLE),
            writable=bool(header[2] & _WRITE),
            stored=header[1] != _NO_BITS,
        )
        for header in headers
    )
    symbols: tuple[Symbol, ...] = ()
    references: dict[int, tuple[int, ...]] = {}
    for header in headers:
        kind, at, size, link, info = header[1], header[4], header[5], header[6], header[7]
        if kind == _SYMBOL_TABLE:
            symbols = _symbols(data[at : at + size], data, headers[link][4], wide)
        elif kind in (_RELOCATIONS, _RELOCATIONS_WITH_ADDENDS):
            references[info] = _relocated(data[at : at + size], kind == _RELOCATIONS_WITH_ADDENDS, wide)
    code = {
        index: data[header[4] : header[4] + header[5]]
        for index, header in enumerate(headers)
        if header[2] & _EXECUTABLE and header[1] != _NO_BITS
    }
    return Elf(sections, symbols, references, struct.unpack_from("<H", data, 18)[0], code)


def _symbols(table: bytes, data: bytes, names_at: int, wide: bool) -> tuple[Symbol, ...]:
    found = []
    for fields in struct.iter_unpack("<IBBHQQ" if wide else "<IIIBBH", table):
        if wide:
            name, _, _, section, value, size = fields
        else:
            name, value, size, _, _, section = fields
        inside = section != _UNDEFINED and section < _FIRST_RESERVED
        external = section == _UNDEFINED and name != 0    # the first entry has neither
        found.append(Symbol(_text(data, names_at + name), value, size, section if inside else None, external))
    return tuple(found)


def _relocated(table: bytes, addends: bool, wide: bool) -> tuple[int, ...]:
    form = ("<QQq" if wide else "<IIi") if addends else ("<QQ" if wide else "<II")
    return tuple(dict.fromkeys(fields[1] >> (32 if wide else 8) for fields in struct.iter_unpack(form, table)))


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode("utf-8", errors="replace")
