"""EEG N170: which recordings are used and why, on small made ones; and the published files where they are."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import DataSet, eeg_n170, open_dataset
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.recipe import DataSection

HEADER = "timestamps,TP9,AF7,AF8,TP10,Right AUX,Marker0\n"
SPACING = 150    # rows from one marker to the next, about 0.6 s


def recording(seed: int, markers: int = 80, saturated: float = 0.0, header: str = HEADER) -> bytes:
    """TP9 counts the rows, the marker of row ``r`` is 1 or 2 in turn, time stamps run backwards now and then."""
    rows = SPACING * (markers + 2)
    values = np.zeros((rows, 7))
    values[:, 0] = 1000 + np.arange(rows) / 256
    values[::60, 0] -= 0.05
    values[:, 1] = np.arange(rows) / 100
    values[:, 2] = seed
    values[: round(saturated * rows), 2:5] = 1000
    onsets = SPACING * (1 + np.arange(markers))
    values[onsets, 6] = 1 + np.arange(markers) % 2
    return (header + "\n".join(",".join(f"{value:.3f}" for value in row) for row in values)).encode()


def make(root: Path, files: dict[str, bytes]) -> Path:
    path = root / "eeg.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def open_path(path: Path, **settings: object) -> DataSet:
    return open_dataset(DataSection.model_validate({"set": "eeg_n170", "path": str(path), **settings}))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings of subject 1 and one of subject 2 that are used, and one of each kind that is not."""
    files = {
        "set/subject1/session1/a.csv": recording(1),
        "set/subject1/session1/b.csv": recording(2),
        "set/subject1/session2/copy of a.csv": recording(1),
        "set/subject2/session1/c.csv": recording(3),
        "set/subject2/session1/few.csv": recording(4, markers=40),
        "set/subject10/session1/loud.csv": recording(5, saturated=0.1),
        "set/notes.csv": b"not a recording",
    }
    return make(tmp_path_factory.mktemp("eeg"), files)


def test_a_recording_is_held_out_within_its_person(small: Path) -> None:
    data = open_path(small, fold=1)
    assert data.folds == 2, "of subject 2 one is left, which cannot be held out"
    assert "3 files left out" in data.source
    assert set(data.train.x[:, 0, 1]) == {1}
    assert set(data.test.x[:, 0, 1]) == {2}
    assert data.train.x.shape == (80, 230, 4)
    assert data.train.x.dtype == np.float32
    assert data.labels == ("marker_1", "marker_2")


def test_a_person_is_held_out(small: Path) -> None:
    data = open_path(small, split="subject", fold=1)
    assert data.folds == 2
    assert set(data.train.x[:, 0, 1]) == {1, 2}
    assert set(data.test.x[:, 0, 1]) == {3}


def test_epochs_follow_the_rows_and_not_the_time_stamps(small: Path) -> None:
    test = open_path(small).test
    starts = SPACING * (1 + np.arange(80)) - 26    # 0.1 s before the markers
    rows = np.rint(test.x[:, :, 0] * 100).astype(int)
    assert np.array_equal(rows, starts[:, np.newaxis] + np.arange(230))
    assert test.y.tolist() == [0, 1] * 40


def test_groups_are_stretches_of_time(small: Path) -> None:
    groups = open_path(small).train.groups
    assert groups is not None
    assert np.array_equal(groups, np.sort(groups))
    assert len(np.unique(groups)) == eeg_n170.BLOCKS


def test_length_and_epochs_that_do_not_fit(small: Path) -> None:
    data = open_path(small, length=1.4)    # 358 rows from 26 before the marker: the last one lacks the end
    assert data.test.x.shape == (79, 358, 4)
    assert data.info.shape == (358, 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fold": 2}, "2 folds of recordings"),
        ({"split": "subject", "fold": 2}, "2 folds of subjects"),
        ({"split": "random"}, "unknown data.split 'random'"),
        ({"length": 0.1}, "an epoch begins 0.1 s before"),
        ({"length": 1e9}, "the longest recording has"),
        ({"rate": 128}, "no such setting"),
    ],
)
def test_settings_that_do_not_fit(small: Path, settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_path(small, **settings)


@pytest.mark.parametrize(
    ("files", "settings", "message"),
    [
        ({"a.csv": b"x"}, {}, "no subject<number>/session<number>"),
        ({"subject1/s/a.csv": recording(1, 60, header=HEADER.replace("AF8", "Fz"))}, {}, r"a\.csv: no column AF8"),
        ({"subject1/s/a.csv": recording(1, 60) + b"\n1,2,3,4,5,6,3"}, {}, "a marker other than 1 and 2"),
        ({"subject1/s/a.csv": recording(1, 60) + b"\n1,2,3,4,5"}, {}, r"a\.csv:9302: 5 columns"),
        ({"subject1/s/a.csv": recording(1, 60)}, {}, "no subject with two usable recordings"),
        ({"subject1/s/a.csv": recording(1, 60)}, {"split": "subject"}, "of 1 subjects"),
    ],
)
def test_files_that_do_not_fit(
    tmp_path: Path, files: dict[str, bytes], settings: dict[str, object], message: str
) -> None:
    with pytest.raises(EdgecnnError, match=message):
        open_path(make(tmp_path, files), **settings)


def test_where_it_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path))
    with pytest.raises(EdgecnnError, match=r"not on this machine\. Ways to get it: .*eeg-notebooks"):
        open_dataset(DataSection(set="eeg_n170"))
    (tmp_path / "eeg_n170").mkdir()
    place = eeg_n170.locate(DataSection(set="eeg_n170"))
    assert place is not None
    assert place.path == tmp_path / "eeg_n170"


def test_the_published_recordings(shared: Path) -> None:
    data = open_path(shared / "data" / "eeg_n170.zip", split="subject", fold=3)
    assert (data.folds, len(data.train), len(data.test)) == (4, 2355, 191)
    assert "6 files left out" in data.source
    assert "subject 11" in data.source
    # Microvolts of a head, not of an open electrode: a few tens, whatever the offset.
    assert 3 < float(np.median(data.train.x.std(axis=1))) < 30
