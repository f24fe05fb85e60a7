"""What is written as TOML reads as what it was."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.tune.toml_text import toml_document, toml_value

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)


@given(VALUES)
def test_a_value_reads_as_itself(value: Any) -> None:
    read = tomllib.loads(f"value = {toml_value(value)}")["value"]
    assert read == value
    assert type(read) is type(value)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_a_document_reads_as_itself(document: dict[str, Any]) -> None:
    assert tomllib.loads(toml_document(document)) == document


def test_nothing_has_no_form() -> None:
    with pytest.raises(TypeError, match="NoneType has no form in TOML"):
        toml_value([None])
