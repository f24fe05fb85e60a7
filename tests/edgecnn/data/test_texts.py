"""From bytes to texts, and which texts stand on which side of a split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.data._texts import MOST_CHARACTERS, SPLITS, as_samples, decode, divided
from edgecnn.errors import EdgecnnError


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("ok\nfür £5\n".encode("latin-1"), r"f\.tsv:2: byte 2 of the line is fc.*where that is 'ü'.*WINDOWS-1252"),
        ("ok\r\nit\u2019s".encode("cp1252"), r"f\.tsv:2: byte 3 of the line is 92.*'\u2019'"),
        (b"a\x81b", r"f\.tsv:1: byte 2 of the line is 81.*Find out"),
        ("ä".encode()[:1], r"f\.tsv:1: byte 1 of the line is c3"),
        ("hello".encode("utf-16"), "begins with ff fe, the mark of UTF-16.*iconv -f UTF-16"),
        (b"\xef\xbb\xbf" + b"\xa3", r"f\.tsv:1: byte 4 of the line is a3"),
        ("hi".encode("utf-16-le"), r"f\.tsv:1: byte 2 of the line is 00.*UTF-16LE"),
    ],
)
def test_another_encoding_says_where_and_what_to_do(data: bytes, message: str) -> None:
    with pytest.raises(EdgecnnError, match=f"(?s){message}"):
        decode(data, "f.tsv")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff")))
def test_utf8_with_and_without_its_mark(text: str) -> None:
    assert decode(text.encode(), "x") == text
    assert decode(text.encode("utf-8-sig"), "x") == text


@given(st.binary(max_size=40))
def test_any_bytes_give_a_text_or_a_message(data: bytes) -> None:
    try:
        assert "\0" not in decode(data, "x")
    except EdgecnnError as error:
        assert str(error).startswith("x:")


def test_texts_are_cut() -> None:
    samples = as_samples(["a" * MOST_CHARACTERS + "b", "a" * MOST_CHARACTERS + "c", "d"], [0, 0, 1])
    assert samples.x.dtype == np.dtype(f"<U{MOST_CHARACTERS}")
    assert samples.groups is not None
    assert samples.groups.tolist() == [0, 0, 1]    # what is the same to the network counts as the same
    assert as_samples(["a", "b"], [0, 1]).groups is None


messages = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 1)), min_size=10, max_size=60).filter(
    lambda pairs: len({number for number, _ in pairs}) > 5
)


@settings(max_examples=40)
@given(messages)
def test_no_text_stands_on_both_sides(pairs: list[tuple[int, int]]) -> None:
    samples = as_samples([f"text {number}" for number, _ in pairs], [y for _, y in pairs])
    for split in SPLITS[:2]:
        sides = divided(samples, split)
        learned, tested = (set(sides[name].x.tolist()) for name in ("train", "test"))
        assert learned and tested and not learned & tested
        both = len(sides["train"]) + len(sides["test"])
        assert both == (len(samples) if split == "all" else len({number for number, _ in pairs}))
        again = divided(samples, split)
        assert all(np.array_equal(sides[name].x, again[name].x) for name in sides)    # always the same
    if (groups := divided(samples, "all")["train"].groups) is not None:
        x = divided(samples, "all")["train"].x
        assert all((groups[i] == groups[j]) == (x[i] == x[j]) for i in range(len(x)) for j in range(len(x)))


def test_the_random_split_is_what_it_says() -> None:
    samples = as_samples(["spam"] * 50 + [str(number) for number in range(50)], [1] * 50 + [0] * 50)
    sides = divided(samples, "random")
    assert [np.bincount(sides[name].y).tolist() for name in ("train", "test")] == [[40, 40], [10, 10]]
    assert "spam" in sides["train"].x and "spam" in sides["test"].x
    assert sides["train"].groups is None
