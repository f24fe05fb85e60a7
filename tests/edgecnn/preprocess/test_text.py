"""Words to ids: the rules as the docstring states them, and what the course teaches of padding and truncation."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.preprocess import Preprocess, TextPreprocess
from edgecnn.preprocess.text import FIRST_WORD, PADDING, UNKNOWN
from edgecnn.recipe import AugmentSection
from edgecnn.training.augment import check

A, B, C, D = range(FIRST_WORD, FIRST_WORD + 4)


def text(**settings: Any) -> TextPreprocess:
    return TextPreprocess.model_validate({"length": 4, "vocabulary_size": 100, **settings})


def ids(preprocess: TextPreprocess, *texts: str) -> list[list[int]]:
    found: list[list[int]] = preprocess.apply(np.array(texts, dtype=np.str_)).tolist()
    return found


@pytest.mark.parametrize(
    ("padding", "truncating", "short", "long"),
    [
        ("after", "after", [A, B, PADDING, PADDING], [A, B, C, D]),
        ("before", "after", [PADDING, PADDING, A, B], [A, B, C, D]),
        ("after", "before", [A, B, PADDING, PADDING], [B, C, D, UNKNOWN]),
        ("before", "before", [PADDING, PADDING, A, B], [B, C, D, UNKNOWN]),
    ],
)
def test_padding_and_truncation_at_either_end(padding: str, truncating: str, short: list[int], long: list[int]) -> None:
    preprocess = text(vocabulary=tuple("abcd"), padding=padding, truncating=truncating)
    assert ids(preprocess, "a b", "a b c d e", "a b c d", "") == [short, long, [A, B, C, D], [PADDING] * 4]
    assert preprocess.apply(np.array(["a"])).dtype == np.int32
    assert preprocess.sample_shape(np.array(["a"])) == (4,)


def test_ids_begin_at_1_because_0_is_padding() -> None:
    preprocess = text().fit(np.array(["the cat the dog", "the end"]))
    assert preprocess.vocabulary == ("the", "cat", "dog", "end")    # by frequency, then by the alphabet
    assert ids(preprocess, "the dog bites the") == [[A, C, UNKNOWN, A]]
    assert (PADDING, UNKNOWN, A) == (0, 1, 2)


def test_the_vocabulary_is_that_of_what_it_was_fitted_on() -> None:
    raw = np.array(["b b b a a c"])
    assert text(minimum_count=2).fit(raw).vocabulary == ("b", "a")
    assert text(vocabulary_size=3).fit(raw).vocabulary == ("b",)
    fitted = text().fit(raw)
    assert fitted.fit(np.array(["x y z"])) is fitted
    assert ids(fitted, "x b") == [[UNKNOWN, A, PADDING, PADDING]]


@pytest.mark.parametrize(
    ("settings", "sample", "words"),
    [
        ({}, "Don't STOP!", ["don", "t", "stop"]),
        ({"lowercase": False}, "Don't STOP!", ["Don", "t", "STOP"]),
        ({}, "\u00dcBER \u00fcber", ["\u00dcber", "\u00fcber"]),    # only A to Z have a lower case here
        ({}, "win \u00a31000 now_or-never", ["win", "\u00a31000", "now", "or", "never"]),
        ({"digits": "zero"}, "call 09061701461 or 4u", ["call", "00000000000", "or", "0u"]),
        ({}, "a\tb\r\nc\u00a0d", ["a", "b", "c\u00a0d"]),    # bytes of 0x80 and more belong to words
        ({}, "\u4f60\u597d \U0001f600", ["\u4f60\u597d", "\U0001f600"]),
    ],
)
def test_what_a_word_is(settings: dict[str, Any], sample: str, words: list[str]) -> None:
    fitted = text(length=20, **settings).fit(np.array([sample]))
    assert sorted(fitted.vocabulary) == sorted(words)
    known = {word: number for number, word in enumerate(fitted.vocabulary, FIRST_WORD)}
    assert ids(fitted, sample)[0][: len(words)] == [known[word] for word in words]


def by_bytes(preprocess: TextPreprocess, sample: str) -> list[int]:
    """The rules of the docstring once more, as a device would go about it: byte after byte."""
    entries = [word.encode() for word in preprocess.vocabulary]
    found: list[int] = []
    word = b""
    for byte in [*sample.encode(), 0x20]:
        if byte >= 0x80 or 0x30 <= byte <= 0x39 or 0x41 <= byte <= 0x5A or 0x61 <= byte <= 0x7A:
            if preprocess.lowercase and 0x41 <= byte <= 0x5A:
                byte += 0x20
            if preprocess.digits == "zero" and 0x30 <= byte <= 0x39:
                byte = 0x30
            word += bytes([byte])
        elif word:
            found.append(2 + entries.index(word) if word in entries else 1)
            word = b""
    kept = found[: preprocess.length] if preprocess.truncating == "after" else found[-preprocess.length :]
    fill = [0] * (preprocess.length - len(kept))
    return kept + fill if preprocess.padding == "after" else fill + kept


texts = st.lists(
    st.text(st.one_of(st.sampled_from("aAbBzZ019 \t\n'!\u00a3\u0085\u00e9\u0130"), st.characters(codec="utf-8"))),
    min_size=2,
    max_size=8,
).filter(lambda samples: any(sample.strip("\0") and any(sign.isalnum() for sign in sample) for sample in samples))
ends = st.sampled_from(["before", "after"])


@given(texts, st.booleans(), st.sampled_from(["keep", "zero"]), ends, ends, st.integers(1, 6), st.integers(3, 9))
def test_the_same_as_byte_after_byte(
    samples: list[str], lowercase: bool, digits: str, padding: str, truncating: str, length: int, size: int
) -> None:
    raw = np.array(samples, dtype=np.str_)
    preprocess = text(
        length=length, vocabulary_size=size, lowercase=lowercase, digits=digits, padding=padding, truncating=truncating
    ).fit(raw[: len(raw) // 2 + 1] if any(sign.isalnum() for sign in "".join(samples[: len(raw) // 2 + 1])) else raw)
    assert preprocess.apply(raw).tolist() == [by_bytes(preprocess, sample) for sample in raw.tolist()]
    assert len(preprocess.vocabulary) + FIRST_WORD <= size


def test_the_vocabulary_travels_as_json() -> None:
    fitted = text().fit(np.array(["caf\u00e9 noir"]))
    again: Any = TypeAdapter(Preprocess).validate_python(json.loads(fitted.model_dump_json()))
    assert again == fitted
    assert isinstance(again, TextPreprocess)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vocabulary": ("a", "a")}, "stands in it twice"),
        ({"padding": "left"}, "'before' or 'after'"),
        ({"length": 0}, "greater than 0"),
        ({"vocabulary_size": 2}, "greater than 2"),
    ],
)
def test_settings_that_mean_nothing(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        text(**settings)


def test_samples_that_are_no_texts() -> None:
    for call in (text().fit, text(vocabulary=("a",)).apply):
        with pytest.raises(EdgecnnError, match=r"is for texts, the data set has samples of uint8 \[8, 8, 1\]"):
            call(np.zeros((2, 8, 8, 1), np.uint8))


def test_no_augmentation_is_for_texts() -> None:
    with pytest.raises(UsageError, match=r"data\.augment\.shift: not for samples of preprocess\.kind = 'text'"):
        check(np.array(["a"]), np.array([0]), text(), AugmentSection(shift=0.1))
    check(np.array(["a"]), np.array([0]), text(), AugmentSection())


def test_no_word_often_enough() -> None:
    with pytest.raises(EdgecnnError, match="minimum_count = 3: no word of the 2 training texts"):
        text(minimum_count=3).fit(np.array(["a b", "b"]))
