"""What users read when something is wrong."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgecnn.errors import MissingDependencyError, first_line


@given(st.text())
def test_any_exception_fits_into_a_sentence(message: str) -> None:
    text = first_line(ValueError(message))
    assert 0 < len(text) <= 200
    assert len(text.splitlines()) == 1
    assert text == text.strip()


def test_an_exception_without_words_is_told_by_its_type() -> None:
    assert first_line(MemoryError()) == "MemoryError"
    assert first_line(RuntimeError("\n op 3:\n  no kernel.\n")) == "op 3: no kernel"


def test_a_missing_package_comes_from_an_extra_or_by_a_command() -> None:
    assert str(MissingDependencyError("onnx", "onnx", "ONNX export")).endswith("pip install 'edgecnn[onnx]'")
    assert str(MissingDependencyError("x", None, "running", "pip install y")).endswith("Get it with: pip install y")
