"""The tables of schema.py against the schema that LiteRT ships, number by number."""

from __future__ import annotations

from typing import Any

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as litert

from firmware_export import schema
from firmware_export.flatbuffer import Reader
from firmware_export.graph import DTYPE_BITS
from firmware_export.tflite import _option

FIELDS = [(table, field) for table in schema.OPTIONS_TABLES for field in table.fields]


def camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def members(enumeration: Any) -> dict[str, int]:
    found = vars(enumeration).items()    # Python 3.13 adds __firstlineno__
    return {name: value for name, value in found if isinstance(value, int) and not name.startswith("__")}


def test_operators_have_litert_s_codes() -> None:
    known = members(litert.BuiltinOperator)
    shared = {name: code for code, name in enumerate(schema.BUILTIN_OPERATORS) if name in known}
    assert shared == {name: known[name] for name in shared}
    assert len(shared) == len(schema.BUILTIN_OPERATORS)


def test_tensor_types_have_litert_s_codes() -> None:
    known = {name.lower(): code for name, code in members(litert.TensorType).items()}
    shared = {name: code for code, name in enumerate(schema.TENSOR_TYPES) if name in known}
    assert shared == {name: known[name] for name in shared}
    assert len(shared) >= 21
    assert set(schema.TENSOR_TYPES) - set(DTYPE_BITS) == {"string", "resource", "variant"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("activation", "ActivationFunctionType"),
        ("padding", "Padding"),
        ("weights_format", "FullyConnectedOptionsWeightsFormat"),
        ("mirror_pad_mode", "MirrorPadMode"),
    ],
)
def test_enumerations_are_litert_s(ours: str, theirs: str) -> None:
    assert {name: code for code, name in enumerate(schema.ENUMERATIONS[ours])} == members(getattr(litert, theirs))


def test_option_tables_have_litert_s_numbers_and_known_operators() -> None:
    known = members(litert.BuiltinOptions)
    for table in schema.OPTIONS_TABLES:
        assert known[table.name] == table.number
        assert set(table.ops) <= set(schema.BUILTIN_OPERATORS)


@pytest.mark.parametrize(("table", "field"), FIELDS, ids=lambda item: getattr(item, "name", None))
def test_each_field_is_read_where_litert_writes_it(table: schema.OptionsTable, field: schema.Field) -> None:
    """A table with this one field set, and one with none: slot, type and default."""
    builder = flatbuffers.Builder(64)
    written: Any
    expected: Any
    if field.type == "int32[]":
        getattr(litert, f"{table.name}Start{camel(field.name)}Vector")(builder, 2)
        builder.PrependInt32(-7)
        builder.PrependInt32(5)
        written, expected = builder.EndVector(), (5, -7)
    elif field.type in schema.ENUMERATIONS:
        names = schema.ENUMERATIONS[field.type]
        written = 1 if names[0] == field.default else 0
        expected = names[written]
    else:
        written = expected = {"bool": not field.default, "float32": 0.75, "int32": 6}[field.type]
    getattr(litert, f"{table.name}Start")(builder)
    getattr(litert, f"{table.name}Add{camel(field.name)}")(builder, written)
    builder.Finish(getattr(litert, f"{table.name}End")(builder))
    assert _option(field, Reader(bytes(builder.Output()), "test").root()) == expected

    builder = flatbuffers.Builder(64)
    getattr(litert, f"{table.name}Start")(builder)
    builder.Finish(getattr(litert, f"{table.name}End")(builder))
    data = bytes(builder.Output())
    assert _option(field, Reader(data, "test").root()) == field.default
    default = getattr(getattr(litert, table.name).GetRootAs(data), camel(field.name), None)
    if field.type != "int32[]":
        assert default is not None
        value = default()
        assert field.default == (schema.ENUMERATIONS[field.type][value] if field.type in schema.ENUMERATIONS else value)
