"""A user's own texts: tables and trees that are understood, and what a bad one says."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import DataSet, open_dataset, section_from_text
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.recipe import DataSection


def open_path(path: Path, **settings: object) -> DataSet:
    return open_dataset(DataSection.model_validate({"set": "text_files", "path": str(path), **settings}))


def table(folder: Path, text: str | bytes, name: str = "messages.tsv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def lines(count: int = 10) -> str:
    return "".join(f"{'spam' if number % 2 else 'ham'}\tmessage number {number}\n" for number in range(count))


def pairs(data: DataSet) -> set[tuple[str, str]]:
    return {
        (data.labels[label], text)
        for name in ("train", "test")
        for text, label in zip(data.split(name).x.tolist(), data.split(name).y.tolist(), strict=True)    # type: ignore[arg-type]
    }


def test_tab_separated(tmp_path: Path) -> None:
    text = "Label\tSMS\n" + lines() + 'ham\tan odd "quote\r\nham\tline\x85separator\n\n'
    data = open_path(table(tmp_path, text))
    assert data.labels == ("ham", "spam")
    assert data.info.counts == {"train": len(data.train), "test": len(data.test)} == {"train": 10, "test": 2}
    assert {("ham", 'an odd "quote'), ("ham", "line\x85separator"), ("spam", "message number 9")} < pairs(data)
    assert list(data.sha256) == ["messages.tsv"]


def test_comma_separated_with_columns_in_another_order(tmp_path: Path) -> None:
    rows = "".join(f'{number},"one, ""two""\nand {number}",{"ab"[number % 2]}\n' for number in range(10))
    data = open_path(table(tmp_path, "\ufeffid,text,label\n" + rows, "messages.CSV"))
    assert ("b", 'one, "two"\nand 7') in pairs(data)
    assert len(pairs(data)) == 10


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("divided", [False, True])
def test_folders(tmp_path: Path, zipped: bool, divided: bool) -> None:
    names = {f"{'test/' if i >= 8 else 'train/'}{c}/{i}.txt" for c in "ab" for i in range(10)}
    names = names if divided else {name.partition("/")[2] for name in names}
    root = tmp_path / ("texts.zip" if zipped else "texts")
    for name in names:
        if zipped:
            with zipfile.ZipFile(root, "a") as archive:
                archive.writestr(name, f"text {name}")
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(f"text {name}")
    data = open_path(root)
    assert data.labels == ("a", "b")
    assert [np.bincount(side.y).tolist() for side in (data.train, data.test)] == [[8, 8], [2, 2]]
    assert {text for _, text in pairs(data)} == {f"text {name}" for name in names}
    if divided:
        assert all(text.startswith("text test/") for text in data.test.x.tolist())
        with pytest.raises(UsageError, match="has its own test texts"):
            open_path(root, split="deduplicated")


def test_a_table_is_told_by_its_name(tmp_path: Path) -> None:
    path = table(tmp_path, "label\ttext\n" + lines())
    assert section_from_text(str(path)) == DataSection(set="text_files", path=str(path))


def test_copies(tmp_path: Path) -> None:
    path = table(tmp_path, "label\ttext\n" + lines() * 3)
    assert len(open_path(path).train) + len(open_path(path).test) == 30
    assert not set(open_path(path).train.x) & set(open_path(path).test.x)
    without = open_path(path, split="deduplicated")
    assert len(without.train) + len(without.test) == 10
    with pytest.raises(UsageError, match=r"unknown data\.split of text_files 'dedup'.*deduplicated"):
        open_path(path, split="dedup")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m.tsv", "label\ttext\nham\thi\tthere\n", r"m\.tsv:2: 3 columns, expected are 2 \(label, text\)"),
        ("m.tsv", "label\ttext\nham hi\n", r"m\.tsv:2: 1 columns"),
        ("m.tsv", "label\ttext\nham\thi\nspam\t \n", r"m\.tsv:3: the text is empty"),
        ("m.tsv", "label\ttext\n\thi\n", r"m\.tsv:2: the label is empty"),
        ("m.tsv", "ham\thi\nspam\tho\n", r"m\.tsv:1: no column named label.*found: ham, hi.*first line names"),
        ("m.csv", "label,text,message\na,b,c\n", r"m\.csv:1: more than one column named text"),
        ("m.csv", "label\ttext\na\tb\n", r"m\.csv:1: no column named label"),
        ("m.tsv", "", r"m\.tsv:1: no column named label.*found: nothing"),
        ("m.tsv", "label\ttext\n", "no texts in it"),
        ("m.tsv", "label\ttext\nham\thi\nham\tho\n", r"one class only \(ham\)"),
        ("m.tsv", "label\ttext\nham\thi\nham\tho\nspam\tyes\n", "'spam' has too few different texts"),
        ("m.csv", 'label,text\na,"b\n', r"m\.csv:2: not CSV: unexpected end of data"),
        ("m.csv", 'label,text\na,"b"c\n', r"m\.csv:2: not CSV"),
        ("m.tsv", "label\ttext\nham\t£5\n".encode("latin-1"), r"m\.tsv:2: byte 5 of the line is a3.*'£'"),
        ("m.xlsx", "PK", "supported are .tsv, .csv, .zip and folders"),
        ("m.zip", "PK", "not a readable zip file"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, text: str | bytes, message: str) -> None:
    with pytest.raises(EdgecnnError, match=f"(?s){message}"):
        open_path(table(tmp_path, text, name))


def test_bad_trees(tmp_path: Path) -> None:
    for label in "ab":
        for number in range(5):
            path = tmp_path / "texts" / label / f"{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{label} {number}")
    path.write_bytes("naïve".encode("latin-1"))
    with pytest.raises(EdgecnnError, match=r"b/4\.txt:1: byte 3 of the line is ef"):
        open_path(tmp_path / "texts")
    path.write_text("\n")
    with pytest.raises(EdgecnnError, match=r"b/4\.txt: the file is empty"):
        open_path(tmp_path / "texts")
    (tmp_path / "texts" / "c").mkdir()
    with pytest.raises(EdgecnnError, match="folder c holds no texts"):
        open_path(tmp_path / "texts")
    with pytest.raises(UsageError, match="no such file or folder"):
        open_path(tmp_path / "gone")
    with pytest.raises(UsageError, match=r"needs data\.path"):
        open_dataset(DataSection(set="text_files"))
