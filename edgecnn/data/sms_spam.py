"""SMS Spam Collection: English text messages (Almeida, Gomez Hidalgo, Yamakami 2011, DocEng '11, 259-262).

5,574 messages, of which 403 are copies of others; 17 lines have a quote without its partner, so nothing is quoted.
"""

from __future__ import annotations

from pathlib import Path

from edgecnn.data._places import data_root
from edgecnn.data._source import open_source
from edgecnn.data._text_table import read_table
from edgecnn.data._texts import Texts, checked_split, decode, text_set
from edgecnn.data.base import DataSet, DataSetInfo, Location, only_settings
from edgecnn.errors import EdgecnnError
from edgecnn.files import is_there, readable_os_errors, sha256_bytes
from edgecnn.recipe import DataSection

LABELS = ("ham", "spam")
NAMES = ("SMSSpamCollection.tsv", "SMSSpamCollection", "SMSSpamCollection.txt")
PLACES = (*NAMES, "sms+spam+collection.zip", "smsspamcollection.zip", "sms_spam")

INFO = DataSetInfo(
    name="sms_spam",
    title="SMS spam",
    shape=(),
    classes=2,
    counts={"train": 4451, "test": 1123},
    licence="CC BY 4.0",
    home="https://archive.ics.uci.edu/dataset/228/sms+spam+collection",
    get=(
        "download sms+spam+collection.zip from its home into $EDGECNN_DATA; the SMSSpamCollection in it will do too",
        "or name it: --set data.path=SMSSpamCollection",
    ),
    description=(
        "5574 English text messages, 4827 wanted (ham) and 747 not (spam). Always saying ham is 86.6 % accurate: look "
        "at the F1 of spam. 403 messages are copies of others: data.split = all (copies on one side of the split), "
        "deduplicated (without them) or random (copies on both sides)."
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
    """The messages; ``str [N]``, a fixed fifth of each class for the test.

    Raises:
        UsageError: A setting is not known here.
        EdgecnnError: The set is not here, or the file is damaged.
    """
    only_settings(section, INFO, "path", "split")
    split = checked_split(INFO, section.split)
    place = locate(section)
    if place is None:
        missing = f"{section.path}: no such file or folder" if section.path else f"{INFO.title} is not on this machine"
        raise EdgecnnError(f"{missing}. Ways to get it: {'; '.join(INFO.get)}.")
    return text_set(INFO, LABELS, str(place.path), split, lambda: _read(place.path))


def _read(path: Path) -> Texts:
    name, where, data = _file(path)
    text = decode(data, where)
    # The publisher's file begins with the first message; others put a line with the columns' names before it.
    header = text.split("\t", 1)[0] not in LABELS
    table = read_table(text, where, tabs=True, header=header)
    for label, line in zip(table.labels, table.lines, strict=True):
        if label not in LABELS:
            raise EdgecnnError(
                f"{where}:{line}: the label is {label[:30]!r}, expected is ham or spam. Get the file again, or use "
                "data.set = text_files for another one."
            )
    return Texts(table.texts, [LABELS.index(label) for label in table.labels], {name: sha256_bytes(data)})


def _file(path: Path) -> tuple[str, str, bytes]:
    """Name, name for messages and content of the collection, which may lie in a folder or zip."""
    if path.is_file() and path.suffix.lower() != ".zip":
        with readable_os_errors(path, "read"):
            return path.name, str(path), path.read_bytes()
    source = open_source(path, tuple(name.lower() for name in NAMES), NAMES[0])
    if not source.files:
        raise EdgecnnError(f"{path}: holds no {' or '.join(NAMES)}. Ways to get it: {'; '.join(INFO.get)}.")
    parts, key = next(iter(source.files.items()))
    return parts[-1], source.where(key), source.read(key)
