"""The SMS Spam Collection: the real file where it is, small ones of its form otherwise."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import DataSet, open_dataset, sms_spam
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.recipe import DataSection

SMALL = "".join(f"{'spam' if number % 2 else 'ham'}\tmessage number {number}\n" for number in range(20))


def open_path(path: Path, **settings: object) -> DataSet:
    return open_dataset(DataSection.model_validate({"set": "sms_spam", "path": str(path), **settings}))


def test_the_real_file(shared: Path) -> None:
    data = open_path(shared / "data/SMSSpamCollection.tsv")
    assert data.labels == ("ham", "spam")
    assert {name: len(data.split(name)) for name in ("train", "test")} == sms_spam.INFO.counts
    both = np.bincount(data.train.y) + np.bincount(data.test.y)
    assert both.tolist() == [4827, 747]    # as the publisher counts
    assert not set(data.train.x) & set(data.test.x)
    assert data.train.groups is not None
    texts = [*data.train.x.tolist(), *data.test.x.tolist()]
    assert len(texts) - len(set(texts)) == 403
    assert any(text.count('"') % 2 for text in texts)    # an odd quote swallows no line

    without = open_path(shared / "data/SMSSpamCollection.tsv", split="deduplicated")
    assert len(without.train) + len(without.test) == 5574 - 403
    assert abs(without.test.y.mean() - without.train.y.mean()) < 0.001

    random = open_path(shared / "data/SMSSpamCollection.tsv", split="random")
    assert len(set(random.train.x) & set(random.test.x)) > 50    # what the other splits are for


@pytest.mark.parametrize("header", ["", "Label\tSMS\n"])
def test_with_and_without_a_header_in_a_folder_or_a_zip(tmp_path: Path, header: str) -> None:
    path = tmp_path / "SMSSpamCollection"
    path.write_text(header + SMALL)
    with zipfile.ZipFile(tmp_path / "sms+spam+collection.zip", "w") as archive:
        archive.writestr("readme", "about")
        archive.writestr("SMSSpamCollection", header + SMALL)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "SMSSpamCollection.tsv").write_text(header + SMALL)
    for place in (path, tmp_path / "sms+spam+collection.zip", tmp_path / "folder"):
        data = open_path(place)
        assert len(data.train) + len(data.test) == 20
        assert np.bincount(data.test.y).tolist() == [2, 2]


def test_it_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path))
    assert sms_spam.locate(DataSection(set="sms_spam")) is None
    with pytest.raises(EdgecnnError, match=r"not on this machine.*sms\+spam\+collection\.zip"):
        open_dataset(DataSection(set="sms_spam"))
    (tmp_path / "SMSSpamCollection.tsv").write_text(SMALL)
    assert len(open_dataset(DataSection(set="sms_spam")).train) == 16


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"ham\thi\nmaybe\tho\n", r"S\.tsv:2: the label is 'maybe', expected is ham or spam"),
        (b"ham\thi\tho\n", r"S\.tsv:1: 3 columns"),
        (b"ham\t\xa31000\n", r"S\.tsv:1: byte 5 of the line is a3"),
        (b"v1,v2\nham,hi\n", r"S\.tsv:1: no column named label"),
    ],
)
def test_bad_files(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "S.tsv"
    path.write_bytes(data)
    with pytest.raises(EdgecnnError, match=message):
        _ = open_path(path).train


def test_bad_places(tmp_path: Path) -> None:
    with pytest.raises(EdgecnnError, match=r"gone: no such file or folder.*Ways to get it"):
        open_path(tmp_path / "gone")
    with pytest.raises(EdgecnnError, match=r"holds no SMSSpamCollection\.tsv"):
        _ = open_path(tmp_path).train
    with pytest.raises(UsageError, match="no such setting"):
        open_path(tmp_path, rate=8000)
