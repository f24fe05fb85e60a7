"""What sets of texts share: from bytes to characters, and a test split that holds no text of the training split."""

from __future__ import annotations

import codecs
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.data._source import Source
from edgecnn.data.base import DataSet, DataSetInfo, Samples, SplitName
from edgecnn.data.split import stratified_split
from edgecnn.errors import EdgecnnError, unknown_name

MOST_CHARACTERS = 2000
"""A text is cut behind so many characters: NumPy gives every text the room of the longest, 4 bytes a character."""

TEST_SHARE = 0.2
SPLIT_SEED = 0

SPLITS = ("all", "deduplicated", "random")
"""``data.split``. ``all``, the default: every text, and copies of one text stand on the same side. ``deduplicated``:
the first copy of each text. ``random``: every text, and copies may stand on both sides, as in many published figures;
what is measured then is partly memory."""

SPLIT_NOTES = {
    "all": "a fifth of each class held out for the test, copies of a text on one side",
    "deduplicated": "only the first copy of each text; a fifth of each class held out for the test",
    "random": "a fifth of each class held out for the test, copies of a text on both sides",
}

_NEWLINE = b"\n"
_ENCODINGS = ((codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"))


@dataclass(frozen=True)
class Texts:
    """All texts of a set, undivided.

    Attributes:
        texts: Whole or cut.
        y: Class of each.
        sha256: What was read, file name to hexadecimal digest.
    """

    texts: Sequence[str]
    y: Sequence[int]
    sha256: dict[str, str]


def decode(data: bytes, where: str) -> str:
    """UTF-8, with or without its mark at the beginning, to text.

    Args:
        data: A whole file.
        where: The file's name, for messages.

    Raises:
        EdgecnnError: It is in another encoding, or no text; the message names line and byte, and how to convert it.
    """
    for mark, encoding in _ENCODINGS:
        if data.startswith(mark):
            raise EdgecnnError(
                f"{where}: begins with {data[:2].hex(' ')}, the mark of {encoding}. Supported: UTF-8. Convert it: "
                f"iconv -f {encoding} -t UTF-8 OLD > NEW"
            )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        value = data[error.start : error.start + 1]
        sign = value.decode("cp1252", "replace")
        known = sign.isprintable() and sign != "\N{REPLACEMENT CHARACTER}"
        guess = (
            f"If the file is in Latin-1 or Windows-1252, where that is {sign!r}, convert it: "
            "iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW"
            if known
            else "Find out the file's encoding and convert it: iconv -f ENCODING -t UTF-8 OLD > NEW"
        )
        raise EdgecnnError(
            f"{_place(data, error.start, where)} is {value.hex()}, which is not UTF-8 there. Supported: UTF-8. {guess}"
        ) from None
    if (start := data.find(0)) >= 0:
        raise EdgecnnError(
            f"{_place(data, start, where)} is 00, which stands in no text. Supported: UTF-8. If the file is UTF-16 "
            "without its mark, convert it: iconv -f UTF-16LE -t UTF-8 OLD > NEW"
        )
    return text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")


def _place(data: bytes, start: int, where: str) -> str:
    """File, line, and byte in the line, both from 1."""
    line = data.count(_NEWLINE, 0, start) + 1
    return f"{where}:{line}: byte {start - data.rfind(_NEWLINE, 0, start)} of the line"


def same_texts(texts: np.ndarray) -> np.ndarray:
    """A number for each text, the same for copies of it: 0, 1, … in the order of first occurrence; ``int64 [N]``."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text, len(numbers)) for text in texts.tolist()], np.int64)


def as_samples(texts: Sequence[str], y: Sequence[int], together: bool = True) -> Samples:
    """Texts, cut at ``MOST_CHARACTERS``, as samples.

    Args:
        texts: Any number.
        y: Class of each.
        together: Copies of a text form a group; without copies there are no groups.
    """
    x = np.array([text[:MOST_CHARACTERS] for text in texts], dtype=np.str_)
    groups = same_texts(x) if together else None
    if groups is not None and len(np.unique(groups)) == len(groups):
        groups = None
    return Samples(x, np.asarray(y, np.int64), groups)


def digest(source: Source, keys: list[str]) -> dict[str, str]:
    """SHA-256 of a folder's files, whatever split they are in, or of the zip."""
    return {name.replace(": train files", ": texts"): value for name, value in source.digest("train", keys).items()}


def checked_split(info: DataSetInfo, wanted: str | None) -> str:
    """``data.split``, or the default.

    Raises:
        UsageError: It is none of ``SPLITS``.
    """
    if wanted is not None and wanted not in SPLITS:
        raise unknown_name(f"data.split of {info.name}", wanted, SPLITS)
    return wanted or SPLITS[0]


def divided(samples: Samples, split: str) -> dict[SplitName, Samples]:
    """Training and test split; a stratified fifth is held out, always the same one.

    Args:
        samples: All, as ``as_samples`` makes them, with groups of copies.
        split: One of ``SPLITS``.
    """
    copies = same_texts(samples.x)
    _, first = np.unique(copies, return_index=True)    # of each text, in the order of the texts
    if split == "all":
        _, held = stratified_split(samples.y[first], TEST_SHARE, SPLIT_SEED)
        tested = np.isin(copies, held)
        sides = np.flatnonzero(~tested), np.flatnonzero(tested)
    else:
        kept = first if split == "deduplicated" else np.arange(len(samples))
        samples = Samples(samples.x[kept], samples.y[kept])
        sides = stratified_split(samples.y, TEST_SHARE, SPLIT_SEED)
    return {"train": samples.take(sides[0]), "test": samples.take(sides[1])}


def text_set(
    info: DataSetInfo, labels: tuple[str, ...], source: str, split: str, read_all: Callable[[], Texts]
) -> DataSet:
    """A set whose texts are divided here.

    Args:
        info: What the set is.
        labels: Class names.
        source: Where it was found, for people.
        split: One of ``SPLITS``.
        read_all: Reads the set; called once.
    """

    @functools.cache
    def sides() -> tuple[dict[SplitName, Samples], dict[str, str]]:
        found = read_all()
        return divided(as_samples(found.texts, found.y), split), found.sha256

    def read(name: SplitName) -> tuple[Samples, dict[str, str]]:
        both, digests = sides()
        return both[name], digests

    return DataSet(info, labels, f"{source} ({SPLIT_NOTES[split]})", read)
