"""Reading FlatBuffers without trust: every access is checked against the bytes that are there.

The format (FlatBuffers, "Internals"): a table starts with a signed distance back to its vtable; the vtable is
``u16 size, u16 table size, u16 offset of field 0, ...``, 0 for an absent field. A string, vector or sub-table is
a ``u32`` distance forward from where it is stored; a vector is a ``u32`` count and its elements, a string is a vector
of UTF-8 bytes. Everything is little-endian.

Distances forward are never 0, so nothing can contain itself. What a hostile file can still do is refer
to one long vector from very many places; a budget on the bytes and tables handed out stops that.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from firmware_export.errors import ModelError

MAX_TABLES = 250_000
"""More tables than any network has; a file that asks for more is not one."""

_SPARE_BYTES = 4 << 20


class Reader:
    """Checked access to the bytes of one file.

    Args:
        data: The file.
        name: What messages call it.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self.data = data
        self.name = name
        self._bytes_left = 2 * len(data) + _SPARE_BYTES
        self._tables_left = MAX_TABLES

    def fail(self, where: str, problem: str) -> ModelError:
        """The error for something wrong at ``where``."""
        return ModelError(f"{self.name}: {where}: {problem}")

    def corrupt(self, where: str, problem: str) -> ModelError:
        """The error for bytes that no writer of this format makes."""
        return self.fail(where, f"{problem}. The file is truncated or damaged: copy it or convert again.")

    def need(self, position: int, size: int, where: str) -> None:
        """Refuse unless ``size`` bytes stand at ``position``."""
        if position < 0 or size < 0 or position + size > len(self.data):
            end = position + size
            raise self.corrupt(where, f"it lies at bytes {position} to {end} of a file of {len(self.data)} bytes")

    def u32(self, position: int, where: str) -> int:
        """An unsigned 32-bit number."""
        self.need(position, 4, where)
        return int.from_bytes(self.data[position : position + 4], "little")

    def follow(self, position: int, where: str) -> int:
        """Where the forward distance stored at ``position`` leads."""
        distance = self.u32(position, where)
        if distance == 0:
            raise self.corrupt(where, f"the offset at byte {position} is 0")
        self.need(position + distance, 4, where)
        return position + distance

    def root(self) -> Table:
        """The table that the file starts with."""
        return self.table(self.follow(0, "root table"), "root table")

    def table(self, position: int, where: str) -> Table:
        """The table at ``position``, its vtable checked."""
        self._tables_left -= 1
        if self._tables_left < 0:
            raise self.corrupt(where, f"the file refers to more than {MAX_TABLES} tables")
        self.need(position, 4, where)
        vtable = position - int.from_bytes(self.data[position : position + 4], "little", signed=True)
        self.need(vtable, 4, f"{where}: vtable")
        vtable_size, table_size = struct.unpack_from("<HH", self.data, vtable)
        if vtable_size < 4 or vtable_size % 2:
            raise self.corrupt(where, f"its vtable at byte {vtable} has the impossible size {vtable_size}")
        self.need(vtable, vtable_size, f"{where}: vtable")
        self.need(position, max(table_size, 4), where)
        fields = struct.unpack_from(f"<{(vtable_size - 4) // 2}H", self.data, vtable + 4)
        return Table(self, position, table_size, fields, where)

    def take(self, position: int, size: int, where: str) -> bytes:
        """``size`` bytes at ``position``, charged to the budget."""
        self.need(position, size, where)
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise self.corrupt(where, "parts of the file are referred to again and again")
        return self.data[position : position + size]


@dataclass(frozen=True)
class Table:
    """A table: fields by slot number, as in the order of the schema.

    Attributes:
        reader: Where it is read from.
        position: Byte where it starts.
        size: Bytes of its inline part.
        fields: Offset of each field from ``position``; 0 for an absent one.
        where: What messages call it.
    """

    reader: Reader
    position: int
    size: int
    fields: tuple[int, ...]
    where: str

    def named(self, where: str) -> Table:
        """The same table under a name that says more."""
        return replace(self, where=where)

    def locate(self, slot: int, size: int, name: str) -> int | None:
        """The byte where a field of ``size`` bytes stands, or None when it is absent."""
        offset = self.fields[slot] if slot < len(self.fields) else 0
        if offset == 0:
            return None
        if offset < 4 or offset + size > self.size:
            raise self.reader.corrupt(
                f"{self.where}: {name}", f"its {size} bytes at offset {offset} leave the table of {self.size} bytes"
            )
        return self.position + offset

    def scalar(self, slot: int, code: str, default: float, name: str) -> int | float:
        """A number.

        Args:
            slot: The field's place in the schema.
            code: Its type as a ``struct`` format character.
            default: The schema's default, for an absent field.
            name: The field's name for messages.
        """
        position = self.locate(slot, struct.calcsize(f"<{code}"), name)
        if position is None:
            return default
        value: int | float = struct.unpack_from(f"<{code}", self.reader.data, position)[0]
        return value

    def integer(self, slot: int, code: str, default: int, name: str) -> int:
        """A number of an integer type."""
        return int(self.scalar(slot, code, default, name))

    def _vector(self, slot: int, name: str, item: int) -> tuple[int, int] | None:
        """First byte and count of a vector of ``item``-byte elements, known to lie inside the file."""
        where = f"{self.where}: {name}"
        stored = self.locate(slot, 4, name)
        if stored is None:
            return None
        start = self.reader.follow(stored, where)
        count = self.reader.u32(start, where)
        if count * item > len(self.reader.data) - start - 4:
            raise self.reader.corrupt(
                where, f"it claims {count} elements, {len(self.reader.data) - start - 4} bytes are left in the file"
            )
        return start + 4, count

    def numbers(self, slot: int, code: str, name: str, limit: int | None = None) -> tuple[int | float, ...] | None:
        """A vector of numbers, or None when it is absent.

        Args:
            slot: The field's place in the schema.
            code: The elements' type as a ``struct`` format character.
            name: The field's name for messages.
            limit: The most elements that make sense.
        """
        item = struct.calcsize(f"<{code}")
        found = self._vector(slot, name, item)
        if found is None:
            return None
        start, count = found
        if limit is not None and count > limit:
            raise self.reader.corrupt(f"{self.where}: {name}", f"it has {count} elements, at most {limit} make sense")
        where = f"{self.where}: {name}"
        return struct.unpack(f"<{count}{code}", self.reader.take(start, count * item, where))

    def integers(self, slot: int, code: str, name: str, limit: int | None = None) -> tuple[int, ...] | None:
        """A vector of integers, or None when it is absent."""
        values = self.numbers(slot, code, name, limit)
        return None if values is None else tuple(int(value) for value in values)

    def blob(self, slot: int, name: str) -> bytes | None:
        """A vector of bytes, or None when it is absent."""
        found = self._vector(slot, name, 1)
        return None if found is None else self.reader.take(*found, f"{self.where}: {name}")

    def text(self, slot: int, name: str) -> str:
        """A string; empty when it is absent. Bytes that are not UTF-8 become replacement characters."""
        found = self._vector(slot, name, 1)
        return "" if found is None else self.reader.take(*found, f"{self.where}: {name}").decode("utf-8", "replace")

    def table(self, slot: int, name: str) -> Table | None:
        """A sub-table, or None when it is absent."""
        stored = self.locate(slot, 4, name)
        if stored is None:
            return None
        where = f"{self.where}: {name}"
        return self.reader.table(self.reader.follow(stored, where), where)

    def tables(self, slot: int, name: str, item: str) -> tuple[Table, ...]:
        """A vector of tables; empty when it is absent.

        Args:
            slot: The field's place in the schema.
            name: The field's name for messages.
            item: What one element is called, such as ``tensor``; its number is added.
        """
        found = self._vector(slot, name, 4)
        if found is None:
            return ()
        start, count = found
        if count > MAX_TABLES:
            raise self.reader.corrupt(f"{self.where}: {name}", f"it claims {count} elements")
        return tuple(
            self.reader.table(self.reader.follow(start + 4 * index, f"{item} {index}"), f"{item} {index}")
            for index in range(count)
        )
