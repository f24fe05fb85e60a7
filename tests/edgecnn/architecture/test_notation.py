"""The notation: what it stands for, and that every mistake is marked at its character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.architecture.notation import LETTERS, MAX_LAYERS, read_notation
from edgecnn.errors import UsageError


def letters(text: str) -> str:
    return "".join(step.letter for step in read_notation(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("F", "F"),
        ("CRPF", "CRPF"),
        ("(CR)2P(CR)2P(CR)2PF", "CRCRPCRCRPCRCRPF"),    # the example of the notes
        ("C3F", "CCCF"),
        ("C12F", "C" * 12 + "F"),
        ("((CBR)2P)3DFRDF", "CBRCBRP" * 3 + "DFRDF"),
        ("(((C)2)2)2F", "C" * 8 + "F"),
        ("(C(RB)2)2F", "CRBRBCRBRBF"),
        ("(CR)1F", "CRF"),
        ("C02F", "CCF"),
        (" ( C R ) 2 P F ", "CRCRPF"),
    ],
)
def test_repetition_and_groups_are_written_out(text: str, expected: str) -> None:
    assert letters(text) == expected


def test_a_step_knows_its_character() -> None:
    assert [(step.letter, step.at) for step in read_notation("(CR)2 PF")] == [
        ("C", 1),
        ("R", 2),
        ("C", 1),
        ("R", 2),
        ("P", 6),
        ("F", 7),
    ]


MISTAKES = [
    # notation, the same line with a mark where the message must have it, words of the message
    ("(CR)2P(CR2PF", "      ^", "never closed"),
    ("((CR)2PF", "^", "never closed"),
    ("(CR)2)PF", "     ^", "never opened"),
    (")CF", "^", "never opened"),
    ("C()F", "  ^", "nothing in these"),
    ("(CR)0PF", "    ^", "repeated 0 times"),
    ("CR00PF", "  ^", "repeated 0 times"),
    ("2CRF", "^", "before it"),
    ("C(2R)F", "  ^", "before it"),
    ("C2 3F", "   ^", "before it"),
    ("(CR)2X", "     ^", "'X' is no letter"),
    ("(cR)2PF", " ^", "capitals: 'C'"),
    ("CR-PF", "  ^", "'-' is no letter"),
    ("C\tRF", " ^", "is no letter"),
    ("C٢F", " ^", "is no letter"),    # a digit, but not one of ours
    ("", "^", "no layer"),
    ("   ", "^", "no layer"),
    ("(CR)22222PF", "    ^", f"more than {MAX_LAYERS} layers"),
    ("C" + "9" * 5000, " ^", f"more than {MAX_LAYERS} layers"),
    ("(((((C)9)9)9)9)9F", "           ^", f"more than {MAX_LAYERS} layers"),
]


@pytest.mark.parametrize(("text", "mark", "words"), MISTAKES, ids=[f"{text[:20]!r}" for text, _, _ in MISTAKES])
def test_a_mistake_is_marked(text: str, mark: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_notation(text)
    message, shown, below = str(caught.value).split("\n")
    assert words in message
    assert shown == "    " + text.replace("\t", "?")
    assert below == "    " + mark


networks = st.recursive(
    st.sampled_from(sorted(LETTERS)).map(lambda letter: (letter, letter)),
    lambda inner: st.tuples(st.lists(inner, min_size=1, max_size=4), st.integers(1, 3)).map(
        lambda drawn: (
            f"({''.join(text for text, _ in drawn[0])}){drawn[1] if drawn[1] > 1 else ''}",
            "".join(whole for _, whole in drawn[0]) * drawn[1],
        )
    ),
    max_leaves=8,
).filter(lambda drawn: len(drawn[1]) <= MAX_LAYERS)


@given(networks)
def test_any_nesting_is_read_as_it_was_made(network: tuple[str, str]) -> None:
    assert letters(network[0]) == network[1]


@given(st.text(alphabet="CBRPAGDFS()0123456789 x", max_size=30))
def test_any_text_is_a_network_or_a_marked_mistake(text: str) -> None:
    try:
        assert 1 <= len(read_notation(text)) <= MAX_LAYERS
    except UsageError as error:
        lines = str(error).split("\n")
        assert len(lines) == 3 and lines[2].index("^") - 4 <= len(text)
