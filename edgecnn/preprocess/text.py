"""Texts: words to numbers by a vocabulary that comes from the training texts alone."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, field_validator

from edgecnn.errors import EdgecnnError
from edgecnn.preprocess.base import PreprocessKind

if TYPE_CHECKING:
    from typing_extensions import Self

PADDING = 0
"""The id that stands where a text has no word; no word has it."""

UNKNOWN = 1
"""The id of every word that is not in the vocabulary."""

FIRST_WORD = 2
"""The id of the vocabulary's first word; the others follow by one each."""

_SEPARATOR = ord(" ")

End = Literal["before", "after"]


class TextPreprocess(PreprocessKind):
    """The first words of a text, or the last, as int32 ids; a text that is too short is filled up with 0.

    On the text's UTF-8 bytes, which is how a device has it:

    1. Bytes ``0x30``–``0x39`` (0–9), ``0x41``–``0x5A`` (A–Z), ``0x61``–``0x7A`` (a–z) and ``0x80``–``0xFF`` belong to
       words, every other byte stands between words. A word is a longest run of bytes that belong to words. So letters
       outside ASCII, and signs such as ``£``, belong to words too; an apostrophe ends one.
    2. With ``lowercase``, ``0x41``–``0x5A`` become ``0x61``–``0x7A``; no other letter changes. With
       ``digits = "zero"``, ``0x30``–``0x39`` become ``0x30``: numbers of as many digits are the same word.
    3. A word's id is ``FIRST_WORD`` plus its place in ``vocabulary``, compared byte by byte, otherwise ``UNKNOWN``.
    4. Of more than ``length`` words, ``truncating = "after"`` drops those at the end, ``"before"`` those at the
       beginning. With fewer, ``padding = "after"`` puts ``PADDING`` behind them, ``"before"`` in front.

    The vocabulary holds, of the training texts' words with at least ``minimum_count`` occurrences, the most frequent
    ones, those that occur equally often in the order of their bytes. Together with the two reserved ids there are at
    most ``vocabulary_size`` ids: the rows of the network's embedding.
    """

    kind: Literal["text"] = "text"
    length: int = Field(gt=0, description="Words that the network takes.")
    vocabulary_size: int = Field(gt=FIRST_WORD, description="Most ids: padding, unknown, and the words.")
    minimum_count: int = Field(default=1, gt=0, description="Of a word in the training texts, to be in the vocabulary.")
    lowercase: bool = True
    digits: Literal["keep", "zero"] = "keep"
    padding: End = "after"
    truncating: End = "after"
    vocabulary: tuple[str, ...] = Field(default=(), description="The words in the order of their ids, once fitted.")

    @field_validator("vocabulary")
    @classmethod
    def _each_once(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(words)) != len(words):
            raise ValueError("a word stands in it twice")
        return words

    def fit(self, raw: np.ndarray) -> Self:
        """With the vocabulary of the training texts, ``str [N]``.

        Raises:
            EdgecnnError: The samples are no texts, or no word occurs often enough.
        """
        if self.vocabulary:
            return self
        _require_texts(raw)
        counts = Counter(word for words in self._words(raw) for word in words)
        often = [word for word, count in counts.items() if count >= self.minimum_count]
        often.sort(key=lambda word: (-counts[word], word))
        words = tuple(word.decode() for word in often[: self.vocabulary_size - FIRST_WORD])
        if not words:
            raise EdgecnnError(
                f"preprocess.minimum_count = {self.minimum_count}: no word of the {len(raw)} training texts occurs so "
                "often. Lower it."
            )
        return self.model_copy(update={"vocabulary": words})

    def apply(self, raw: np.ndarray) -> np.ndarray:
        """Texts, ``str [N]``, to ids, ``int32 [N, length]``.

        Raises:
            EdgecnnError: The samples are no texts.
        """
        _require_texts(raw)
        known = {word.encode(): number for number, word in enumerate(self.vocabulary, FIRST_WORD)}
        ids = np.full((len(raw), self.length), PADDING, np.int32)
        for row, words in zip(ids, self._words(raw), strict=True):
            kept = words[: self.length] if self.truncating == "after" else words[-self.length :]
            numbers = [known.get(word, UNKNOWN) for word in kept]
            start = 0 if self.padding == "after" else self.length - len(numbers)
            row[start : start + len(numbers)] = numbers
        return ids

    def byte_table(self) -> bytes:
        """What each of the 256 bytes is in a word: itself, its lower case, 0 for a digit; a space between words."""
        table = bytearray([_SEPARATOR] * 0x80) + bytearray(range(0x80, 0x100))
        for first, last in (b"09", b"AZ", b"az"):
            table[first : last + 1] = range(first, last + 1)
        if self.lowercase:
            table[ord("A") : ord("Z") + 1] = range(ord("a"), ord("z") + 1)
        if self.digits == "zero":
            table[ord("0") : ord("9") + 1] = b"0" * 10
        return bytes(table)

    def _words(self, raw: np.ndarray) -> list[list[bytes]]:
        """The words of each text."""
        table = self.byte_table()
        # Half of a surrogate pair, which is no UTF-8, becomes "?" and so stands between words.
        return [str(text).encode("utf-8", "replace").translate(table).split() for text in raw]


def _require_texts(raw: np.ndarray) -> None:
    if raw.dtype.kind != "U" or raw.ndim != 1:
        raise EdgecnnError(
            f'preprocess.kind = "text" is for texts, the data set has samples of {raw.dtype} {list(raw.shape[1:])}. '
            "Choose another data.set, or the kind of preprocessing for this one."
        )
