"""Figures as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.formats import ABSENT, count, milliseconds, percent, rate, shape_text, size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000"), (0.00421, "0.00421"), (0.0421, "0.0421"), (0.1321, "0.132"), (1.5, "1.500"), (12.44, "12.4"),
        (999.94, "999.9"), (1234.4, "1234"), (1e12, "1.00e+12"), (math.nan, ABSENT), (math.inf, ABSENT),
    ],
)    # fmt: skip
def test_milliseconds(value: float, text: str) -> None:
    assert milliseconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ABSENT), (0, "0 B"), (999, "999 B"), (98_540, "98.5 kB"), (1_450_000, "1.45 MB"),
        (8_340_000_000, "8.34 GB"), (10**18, "1.00e+18 B"),
    ],
)    # fmt: skip
def test_size(value: int | None, text: str) -> None:
    assert size(value) == text


def test_shares_counts_and_rates() -> None:
    assert (percent(0.91234), percent(0.91234, 1), percent(None)) == ("91.23 %", "91.2 %", ABSENT)
    assert (count(10_000), count(None)) == ("10,000", ABSENT)
    assert (rate(0.1321), rate(12.44), rate(7575.7), rate(2e12)) == ("0.132", "12.4", "7,576", "2.00e+12")


@given(st.floats(min_value=1e-3, max_value=1e300))
def test_milliseconds_stay_within_one_part_in_a_hundred(value: float) -> None:
    text = milliseconds(value)
    assert math.isclose(float(text), value, rel_tol=1e-2)
    assert len(text) <= 9


def test_shapes() -> None:
    assert (shape_text((28, 28, 1)), shape_text([10]), shape_text(())) == ("28×28×1", "10", "scalar")
