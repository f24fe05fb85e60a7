"""The notation: letters for layers, numbers for repetition, parentheses for groups, as in ``(CR)2P(CR)2P(CR)2PF``.

The grammar, blanks apart::

    network = item, {item}
    item    = (letter | "(", item, {item}, ")"), [number]

A number repeats the letter or group before it; groups may stand inside groups. A mistake is shown at its character.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from edgecnn.errors import UsageError

LETTERS = {
    "C": "convolution",
    "S": "separable convolution",
    "B": "batch normalization",
    "R": "ReLU",
    "P": "max pooling",
    "A": "average pooling",
    "G": "global average pooling",
    "D": "dropout",
    "F": "dense layer",
}
"""What each letter stands for."""

MAX_LAYERS = 500
"""More than any network that is worth writing so; a slip such as ``(CR)22222`` would fill the memory."""

_ALL = ", ".join(f"{letter} {name}" for letter, name in LETTERS.items())


@dataclass(frozen=True)
class Step:
    """One layer of the network that a notation stands for.

    Attributes:
        letter: One of ``LETTERS``.
        at: Index of that letter in the notation; repeated layers share it.
    """

    letter: str
    at: int


def refuse(text: str, at: int, message: str) -> NoReturn:
    """Raise the error for a character of a notation, with the notation and a mark below the character.

    Args:
        text: The notation.
        at: Index of the character; the length of ``text`` for its end.
        message: What is wrong and what would be right.
    """
    shown = "".join(sign if sign.isprintable() else "?" for sign in text)
    raise UsageError(f"{message}\n    {shown}\n    {' ' * at}^")


def read_notation(text: str) -> tuple[Step, ...]:
    """All layers of a network in order, repetitions written out.

    Args:
        text: Such as ``(CR)2P(CR)2PF``.

    Raises:
        UsageError: A character cannot be meant; the message marks it.
    """
    done: list[Step] = []             # of the group that is open, or of the whole
    outside: list[list[Step]] = []    # what stood before each open parenthesis
    opened: list[int] = []            # where the open parentheses are
    item: list[Step] | None = None    # what a number would repeat
    at = 0
    while at < len(text):
        sign, start = text[at], at
        at += 1
        if sign == " ":
            continue
        if sign in LETTERS:
            item = [Step(sign, start)]
            done += item
        elif sign == "(":
            outside.append(done)
            opened.append(start)
            done, item = [], None
        elif sign == ")":
            if not opened:
                refuse(text, start, "this closing parenthesis was never opened. Remove it, or add '(' before.")
            if not done:
                refuse(text, start, "there is nothing in these parentheses. Put letters into them, or remove them.")
            item = done
            done = [*outside.pop(), *item]
            opened.pop()
        elif sign in "0123456789":
            while at < len(text) and text[at] in "0123456789":
                at += 1
            if item is None:
                refuse(text, start, "a number repeats the letter or group before it, and there is none here.")
            done += item * (_count(text, start, at, len(item)) - 1)
            item = None
        else:
            _unknown(text, start)
        if len(done) > MAX_LAYERS:
            refuse(text, start, f"more than {MAX_LAYERS} layers up to here. Supported: up to {MAX_LAYERS}.")
    if opened:
        refuse(text, opened[-1], "this parenthesis is never closed. Add ')' where its group ends.")
    if not done:
        refuse(text, 0, f"there is no layer in it. Letters: {_ALL}.")
    return tuple(done)


def _count(text: str, start: int, end: int, layers: int) -> int:
    """The number ``text[start:end]``, as a repetition of so many layers."""
    digits = text[start:end].lstrip("0")
    if not digits:
        refuse(text, start, "repeated 0 times: nothing would be left. Give a number from 1, or remove the layer.")
    if len(digits) > len(str(MAX_LAYERS)) or int(digits) * layers > MAX_LAYERS:
        refuse(text, start, f"so many repetitions make more than {MAX_LAYERS} layers, which is the most there may be.")
    return int(digits)


def _unknown(text: str, at: int) -> NoReturn:
    sign = text[at]
    if sign.upper() in LETTERS and sign.upper() != sign:
        refuse(text, at, f"{sign!r} is no letter of the notation; letters are capitals: {sign.upper()!r}.")
    refuse(text, at, f"{sign!r} is no letter of the notation. Letters: {_ALL}.")
